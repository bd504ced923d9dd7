"""Configs of other trainers, read: what becomes a setting here, and what has no counterpart."""
