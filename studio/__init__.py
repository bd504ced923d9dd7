"""Likeness Studio: teach WAN 2.2 one person's likeness on a home GPU."""

import os

__version__ = "0.1.0"

# MKL adds up in another order where numbers lie at another alignment (a mapped file, a packed slab), unless told not to: the same run must
# give the same bits. It reads this when torch first computes, so it stands before any import of torch. What a person has set stays.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
