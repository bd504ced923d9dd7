"""Guests: pairs that were made elsewhere, or for another person, which stand beside a project's own in a comparison."""
