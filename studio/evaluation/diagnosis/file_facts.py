"""The nouns of a look at the files of pairs: what one file holds, and what is said of a pair by its files. Free of torch."""

import base64
import zlib
from dataclasses import dataclass
from typing import Self

import numpy as np

from studio.facts import Facts

MEASURES_VERSION = 1  # raise it when the same file would be measured otherwise

# What is said of a pair by its files.
UNREADABLE, OTHER_MODEL, CHANGED = "unreadable", "other-model", "changed"  # it can't be used
EMPTY = "empty"  # a file changes nothing
EQUAL_EXPERTS, SWAPPED = "equal-experts", "swapped"
SAME_PAIR, SAME_FILE, SCALED = "same-pair", "same-file", "scaled"  # as another pair of the comparison
OTHER_PROJECT, STANDS_APART = "other-project", "stands-apart"  # of somebody else, or perhaps
WEAK_FILE, STRONG_FILE = "weak-file", "strong-file"  # against the others


@dataclass(frozen=True, kw_only=True)
class FileMeasures(Facts):
    """One LoRA file. expert: that its header or its names tell, "" for none; norm: of all that it adds to the weights;
    sketch: packed, what two files are compared by; base: the base model it was held against, unfit: why it can't be put into that, or "".
    """

    ALWAYS_WRITTEN = ("version", "expert", "norm", "layers", "rank")
    version: int
    expert: str = ""
    norm: float
    layers: int
    rank: int
    sketch: str
    base: str
    unfit: str = ""

    @property
    def is_empty(self) -> bool:
        return self.norm == 0

    def compare(self, other: Self) -> tuple[float, float] | None:
        """(cosine of the two updates, about; how many times as strong this one is); None where they are of other layers, or one is empty."""
        own, its = unpack_sketch(self.sketch), unpack_sketch(other.sketch)
        length = float(np.linalg.norm(own) * np.linalg.norm(its))
        if own.shape != its.shape or not length:
            return None
        return float(own @ its) / length, self.norm / other.norm


@dataclass(frozen=True, kw_only=True)
class FileFinding(Facts):
    """What is wrong with a pair by its files. expert: of the file, "" for both; other: the pair or project that it is about;
    is_error: whether nothing can be learned from drawing it, so that it is not drawn."""

    ALWAYS_WRITTEN = ("code", "pair", "words", "fix")
    code: str
    pair: str
    expert: str = ""
    other: str = ""
    words: str
    fix: str
    is_error: bool = False

    @property
    def sentence(self) -> str:
        return f"{self.words} {self.fix}".strip()


def pack_sketch(sketch: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(sketch.astype("<f4").tobytes(), 6)).decode()


def unpack_sketch(text: str) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), "<f4")
