"""Counter-based randomness: what is drawn depends on its name alone (seed, expert, step, purpose), so a resumed run draws the same."""

import hashlib

import torch


def seed_of(*key: object) -> int:
    """A 63-bit seed for a key of numbers and words, the same on every machine and in every process."""
    digest = hashlib.sha256(repr(key).encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def generator(*key: object) -> torch.Generator:
    """A CPU generator for that key. Always on the CPU: GPUs of different makers would draw different numbers."""
    return torch.Generator("cpu").manual_seed(seed_of(*key))
