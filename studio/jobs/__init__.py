"""Jobs: run state on disk, the launcher, the detached worker, the queue."""
