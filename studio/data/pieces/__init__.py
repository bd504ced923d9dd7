"""Clips and long videos as pieces to train on: where they are, what speaks against the rest, and what of each is trained."""
