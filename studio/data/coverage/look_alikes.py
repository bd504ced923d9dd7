"""Which photos were about taken in one place, and in which one outfit is worn: groups of histograms that lie near each other."""

import numpy as np

# Hellinger distance of two photos that look alike (FACTS.md, "Faces and curation": 9.5 and 7.1 % of pairs are judged wrongly, so one says "about")
PLACE_MOST, OUTFIT_MOST = 0.41, 0.40


def groups_of(roots: np.ndarray, most: float) -> list[int]:
    """The group of each of (N, D) histograms, given as their square roots of length 1, 0 for the largest group. Two groups are one while their mean Hellinger distance is at most `most`.

    The mean, because a single wrong pair would join two places; nearest neighbours in a chain (Murtagh 1983), which takes N * N steps.
    """
    distances = hellinger(roots)
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
    return _numbered(members, len(distances))


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


def _numbered(members: dict[int, list[int]], count: int) -> list[int]:
    numbers = [0] * count
    for number, part in enumerate(sorted(members.values(), key=lambda part: (-len(part), min(part)))):
        for place in part:
            numbers[place] = number
    return numbers
