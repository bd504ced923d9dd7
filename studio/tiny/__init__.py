"""The embedded model and its small world of pixel people."""
