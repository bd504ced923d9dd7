"""Captioners: where they lie, and the families of models that write captions."""
