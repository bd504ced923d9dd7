"""What lets a run of days survive: memory, disk, time, other processes, a person's wish to stop."""
