"""Captions: their rules, their files, and who writes them."""
