"""Fetching base models and captioners from the hub."""
