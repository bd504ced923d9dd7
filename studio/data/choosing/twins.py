"""Photos that are one picture twice: bursts, crops of one another, turned and mirrored copies."""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

HASH_BITS = 22  # of 64 by which two pictures' hashes may differ before they are compared closely (FACTS.md)
TURNED_BITS = 12  # the same for copies that were turned or mirrored: seven more comparisons for each pair, and nobody moved between them
SAME_LEAST = 0.90  # best correlation of the middle within the other (FACTS.md: all bursts and 5 % crops, 1 false pair in 2,947)
MIDDLE = 0.84  # of a picture's sides, looked for in the other
SCALES = (0.90, 0.95, 1.0, 1.05, 1.11)  # of the other
HASH_SIDE, HASH_LOW = 32, 8  # a perceptual hash: the lowest 8 x 8 of a cosine transform of 32 x 32
MOST_REMEMBERED = 200_000  # pairs, of about 300 bytes each
FLAT = 2.0  # grey levels of spread below which a picture shows nothing to compare
STRAIGHT, MIRRORED, TURNED = "", "mirrored", "turned"


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways to lay a picture: transposed first, then its rows and columns reversed."""

    transposed: bool
    rows: bool
    columns: bool

    @property
    def how(self) -> str:
        changes = self.transposed + self.rows + self.columns
        if changes % 2:
            return MIRRORED
        return TURNED if changes else STRAIGHT

    def lay(self, picture: np.ndarray) -> np.ndarray:
        laid = picture.T if self.transposed else picture
        return laid[:: -1 if self.rows else 1, :: -1 if self.columns else 1]

    def lay_waves(self, waves: np.ndarray) -> np.ndarray:
        """The same for (N, 8, 8) cosine transforms: reversing changes the sign of every second wave."""
        laid = waves.transpose(0, 2, 1) if self.transposed else waves
        signs = np.where(np.arange(HASH_LOW) % 2, -1.0, 1.0)
        return laid * (signs[:, None] if self.rows else 1.0) * (signs if self.columns else 1.0)


_ORIENTATIONS = tuple(Orientation(bool(n & 4), bool(n & 2), bool(n & 1)) for n in range(8))


@dataclass(frozen=True)
class Twin:
    """Two photos that are one picture. how: STRAIGHT, MIRRORED or TURNED."""

    one: str
    other: str
    how: str
    likeness: float  # correlation


class _Joined:
    """Names that are one, also over others: each group is known by its first name."""

    def __init__(self, names: Iterable[str]) -> None:
        self._rank = {name: number for number, name in enumerate(names)}
        self._leader = {name: name for name in self._rank}

    def first(self, name: str) -> str:
        while self._leader[name] != name:
            self._leader[name] = self._leader[self._leader[name]]
            name = self._leader[name]
        return name

    def join(self, one: str, other: str) -> None:
        low, high = sorted((self.first(one), self.first(other)), key=self._rank.__getitem__)
        self._leader[high] = low


def find_twins(thumbnails: Mapping[str, np.ndarray], may_be: Callable[[str, str], bool] = lambda one, other: True) -> list[Twin]:
    """Pairs among grey thumbnails (H, W) uint8, made at one size, as many as it takes to know who is one with whom: two that are so over others
    are not compared, so that a burst of hundreds is not hundreds of hundreds of comparisons. may_be: whether two names can be one at all."""
    names = [name for name, picture in thumbnails.items() if picture.std() >= FLAT]
    waves = np.stack([_low_waves(thumbnails[name]) for name in names]) if names else np.zeros((0, HASH_LOW, HASH_LOW))
    marks = {name: (thumbnails[name].shape, hash(thumbnails[name].tobytes())) for name in names}
    found: dict[tuple[int, int], Twin] = {}
    joined = _Joined(names)
    for orientation in _ORIENTATIONS:
        for a, b in _near(waves, orientation):
            if joined.first(names[a]) != joined.first(names[b]) and may_be(names[a], names[b]):
                pair = (marks[names[a]], marks[names[b]], orientation)
                if len(_compared()) > MOST_REMEMBERED:
                    _compared().clear()
                if pair not in _compared():
                    _compared()[pair] = likeness(thumbnails[names[a]], orientation.lay(thumbnails[names[b]]))
                value = _compared()[pair]
                if value >= SAME_LEAST:
                    found[a, b] = Twin(names[a], names[b], orientation.how, round(value, 3))
                    joined.join(names[a], names[b])
    return [found[pair] for pair in sorted(found)]


@functools.cache
def _compared() -> dict[tuple[object, ...], float]:
    """{(two pictures by shape and hash, how the second is laid): their likeness}: each decision by hand asks for twins again, and of 2,000 photos
    30,000 pairs are near enough to be compared."""
    return {}


def _near(waves: np.ndarray, orientation: Orientation) -> Iterator[tuple[int, int]]:
    """The pairs a < b whose hashes are near each other if b is laid so."""
    hashes, laid = _hashes(waves), _hashes(orientation.lay_waves(waves))
    most = HASH_BITS if orientation.how == STRAIGHT else TURNED_BITS
    for a in range(len(hashes) - 1):
        bits = np.bitwise_count(hashes[a] ^ laid[a + 1 :])
        for b in np.flatnonzero(bits <= most):
            yield a, a + 1 + int(b)


def _low_waves(picture: np.ndarray) -> np.ndarray:
    """(8, 8) lowest waves of a cosine transform."""
    small = np.asarray(Image.fromarray(picture).resize((HASH_SIDE, HASH_SIDE), Image.Resampling.BOX), np.float64)
    return _COSINES @ small @ _COSINES.T


_COSINES = np.cos(np.pi * np.arange(HASH_LOW)[:, None] * (2 * np.arange(HASH_SIDE)[None, :] + 1) / (2 * HASH_SIDE))


def _hashes(waves: np.ndarray) -> np.ndarray:
    """(N,) uint64: which waves are stronger than the median one."""
    flat = waves.reshape(len(waves), HASH_LOW * HASH_LOW)
    bits = flat > np.median(flat[:, 1:], axis=1, keepdims=True) if len(flat) else np.zeros((0, 64), bool)
    return (bits.astype(np.uint64) << np.arange(64, dtype=np.uint64)).sum(axis=1, dtype=np.uint64)


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Best correlation of the middle of one within the other, -1 to 1, over a few scales: bursts and crops are above .90."""
    import cv2  # the window reads choices in this file, and takes nothing into memory that it never calls

    height, width = one.shape
    top, left = round(height * (1 - MIDDLE) / 2), round(width * (1 - MIDDLE) / 2)
    middle = np.ascontiguousarray(one[top : height - top, left : width - left])
    best = -1.0
    for scale in SCALES:
        size = round(other.shape[1] * scale), round(other.shape[0] * scale)
        scaled = cv2.resize(np.ascontiguousarray(other), size, interpolation=cv2.INTER_AREA)
        if scaled.shape[0] >= middle.shape[0] and scaled.shape[1] >= middle.shape[1]:
            best = max(best, float(cv2.matchTemplate(scaled, middle, cv2.TM_CCOEFF_NORMED).max()))
    return best


def gather(names: Sequence[str], twins: Sequence[Twin]) -> list[list[str]]:
    """Names that are twins of each other, also over others; those without any are left out."""
    known, joined = set(names), _Joined(names)
    for twin in twins:
        if twin.one in known and twin.other in known:
            joined.join(twin.one, twin.other)
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(joined.first(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]
