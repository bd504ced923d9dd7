"""What a run will use and take, before it starts."""
