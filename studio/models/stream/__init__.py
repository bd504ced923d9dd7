"""Blocks that wait in RAM and visit the device, and how their weights are stored."""
