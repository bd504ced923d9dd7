"""Likeness Studio: teach WAN 2.2 one person's likeness on a home GPU."""

__version__ = "0.1.0"
