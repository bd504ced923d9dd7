"""Which photos look as if taken in about one place, or in about one outfit: by histograms of their colours."""

import functools
from collections.abc import Mapping

import numpy as np

from studio.data.looking.look import Look
from studio.data.looking.packing import unpack_roots

# Hellinger distance of soft Lab histograms. For pairs .41 and .40 have equal errors (FACTS.md); for the largest group of a set that is too much: of
# 71 varied web photos of one person, 75 % lie within .40 of one of them (outfit) and 61 % within .41 (place), within .30 43 and 38 %; of 104 of
# another, who was not looked at before, 24 and 37 %. Of ten
# pictures made of one photo by cropping, light and tint (three photos), 80 to 100 % lie within .25 already.
ALIKE = 0.30


def group_places(looks: Mapping[str, Look]) -> dict[str, int]:
    """{id: number of its group}; a photo whose place was not measured is in none."""
    return _group(tuple((item_id, look.background) for item_id, look in looks.items() if look.background))


def group_outfits(looks: Mapping[str, Look]) -> dict[str, int]:
    """The same for clothes."""
    return _group(tuple((item_id, look.outfit) for item_id, look in looks.items() if look.outfit))


@functools.lru_cache(maxsize=8)
def _group(packed: tuple[tuple[str, str], ...]) -> dict[str, int]:
    """Again and again the photo that most others are like, with those: each group lies around one that is there."""
    if not packed:
        return {}
    roots = np.stack([unpack_roots(text) for _, text in packed])
    near = np.sqrt(np.clip(1.0 - roots @ roots.T, 0.0, None)) < ALIKE
    found: dict[str, int] = {}
    counts, left, number = near.sum(axis=1), np.ones(len(packed), bool), 0
    while left.any():
        members = near[int(np.where(left, counts, -1).argmax())] & left
        found |= {packed[place][0]: number for place in np.flatnonzero(members)}
        counts -= near[:, members].sum(axis=1)
        left &= ~members
        number += 1
    return found
