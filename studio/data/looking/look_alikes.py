"""Which photos were about taken in one place, and in which one outfit is worn: groups of histograms that lie near each other.

Whoever speaks of places and outfits (the choice, the board, the audit of captions) asks here.
"""

import functools
from collections.abc import Mapping

import numpy as np

from studio.data.looking.look import Look
from studio.data.looking.packing import unpack_roots

# Hellinger distance of two photos that look alike (FACTS.md, "Faces and curation": 9.5 and 7.1 % of pairs are judged wrongly, so one says "about").
# As the mean distance of two groups: of 77 and 104 varied web photos of two people the largest group has 38 and 45 % (place), 29 and 22 %
# (outfit); of ten pictures made of one photo by cropping, light and tint all ten in 13 of 14 cases (seven photos), and 60 % in the other.
PLACE_MOST, OUTFIT_MOST = 0.41, 0.40
MOST_COMPARED = 1000  # photos of which all pairs are compared, in a twentieth of a second; the others join the group that is nearest


def group_places(looks: Mapping[str, Look]) -> dict[str, int]:
    """{id: number of its group, 0 for the largest}; a photo whose place was not measured is in none."""
    return _group({item_id: look.background for item_id, look in looks.items()}, PLACE_MOST)


def group_outfits(looks: Mapping[str, Look]) -> dict[str, int]:
    """The same for clothes."""
    return _group({item_id: look.outfit for item_id, look in looks.items()}, OUTFIT_MOST)


def _group(packed: Mapping[str, str], most: float) -> dict[str, int]:
    known = {item_id: text for item_id, text in packed.items() if text}
    return dict(zip(known, _group_again(tuple(known.values()), most), strict=True))


@functools.lru_cache(maxsize=8)
def _group_again(packed: tuple[str, ...], most: float) -> list[int]:
    return groups_of(np.stack([unpack_roots(text) for text in packed]), most) if packed else []


def groups_of(roots: np.ndarray, most: float, most_compared: int = MOST_COMPARED) -> list[int]:
    """The group of each of (N, D) histograms, given as their square roots of length 1, 0 for the largest group. Two groups are one while their
    mean Hellinger distance is at most `most`. Of more than `most_compared` the others join the group that is nearest."""
    if len(roots) <= most_compared:
        return _numbered(_link(hellinger(roots), most))
    compared = np.linspace(0, len(roots) - 1, most_compared).round().astype(int)
    members = {n: compared[part].tolist() for n, part in _link(hellinger(roots[compared]), most).items()}
    others, groups = np.setdiff1d(np.arange(len(roots)), compared), list(members)
    alike = roots[others] @ np.stack([roots[members[n]].mean(axis=0) for n in groups]).T  # 1 - the squared distance, on average
    for place, row in zip(others.tolist(), alike, strict=True):
        is_near = 1 - row.max() <= most**2
        members.setdefault(groups[int(row.argmax())] if is_near else len(roots) + place, []).append(place)
    return _numbered(members)


def _link(distances: np.ndarray, most: float) -> dict[int, list[int]]:
    """{a number: places of its members} by average linkage: a single wrong pair would join two groups otherwise. Nearest neighbours in a chain
    (Murtagh 1983), which takes N * N steps; distances: (N, N), used up."""
    sizes = np.ones(len(distances))
    members: dict[int, list[int]] = {n: [n] for n in range(len(distances))}
    waiting, chain = set(members), []
    while waiting:
        chain = chain or [min(waiting)]
        here = chain[-1]
        nearest = int(distances[here].argmin())
        if len(chain) > 1 and distances[here, chain[-2]] <= distances[here, nearest]:
            nearest = chain[-2]
        if distances[here, nearest] > most:  # and so is every other one, now and later
            _take_out(distances, here)
            waiting.discard(here)
            chain.pop()
        elif len(chain) > 1 and nearest == chain[-2]:
            del chain[-2:]
            _join(distances, sizes, nearest, here)
            members[nearest] += members.pop(here)
            waiting.discard(here)
        else:
            chain.append(nearest)
    return members


def hellinger(roots: np.ndarray) -> np.ndarray:
    """(N, N) distances of histograms by their square roots, 0 to 1; infinite to itself, so that the nearest is another one."""
    distances = np.sqrt(np.clip(1 - roots @ roots.T, 0, 1))
    np.fill_diagonal(distances, np.inf)
    return distances


def _join(distances: np.ndarray, sizes: np.ndarray, kept: int, gone: int) -> None:
    """The mean distance of both to every other group becomes that of the one; the other one is nowhere any more."""
    total = sizes[kept] + sizes[gone]
    joined = (sizes[kept] * distances[kept] + sizes[gone] * distances[gone]) / total
    joined[kept] = np.inf
    distances[kept], distances[:, kept], sizes[kept] = joined, joined, total
    _take_out(distances, gone)


def _take_out(distances: np.ndarray, gone: int) -> None:
    distances[gone], distances[:, gone] = np.inf, np.inf


def _numbered(members: Mapping[int, list[int]]) -> list[int]:
    numbers = [0] * sum(map(len, members.values()))
    for number, part in enumerate(sorted(members.values(), key=lambda part: (-len(part), min(part)))):
        for place in part:
            numbers[place] = number
    return numbers
