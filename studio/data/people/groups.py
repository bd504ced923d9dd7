"""Groups of faces, made without any reference: each group is probably one person.

Measured on 379 faces of 33 people (FACTS.md, "Faces and curation"): single likenesses of two people reach .47 (99 of 100 lie below .30), those of
one person average .555; the mean of the five best to a person's photos, leave-one-out, errs in .8 % of the cases both ways.
"""

from collections.abc import Collection, Sequence

import numpy as np

from studio.data.people.sightings import Sighted, likenesses

LINK = 0.50  # two faces this alike are one person: above the highest likeness of two people, .47
SAME_LEAST = 0.40  # mean of the five best likenesses from which a face is the person
NUM_BEST = 5
ROUNDS = 3
MOST_COMPARED = 100  # faces of a person: the limits were measured with 57 to 104 photos, and five of thousands are like anybody
LEAST_GROWING = 3  # faces of a group to which others are compared: one or two say too little


def best_likeness(found: np.ndarray, among: np.ndarray) -> np.ndarray:
    """(N,) mean of the five best of (N, M) likenesses among the chosen columns; a face's own photo is -1 and counts for nothing."""
    columns = np.sort(found[:, among], axis=1)[:, ::-1][:, :NUM_BEST]
    known = columns > -1
    sums = np.where(known, columns, 0).sum(axis=1)
    return np.where(known.any(axis=1), sums / np.maximum(known.sum(axis=1), 1), -1.0)


def compared(members: Sequence[int], always: Collection[int] = ()) -> np.ndarray:
    """The members that others are compared with: those that a human named, and of the rest so many, evenly spread."""
    rest = [index for index in members if index not in always]
    spread = np.linspace(0, len(rest) - 1, min(len(rest), MOST_COMPARED)).round().astype(int)
    return np.array(sorted({*(index for index in members if index in always), *(rest[place] for place in spread)}), int)


def group(faces: Sequence[Sighted], given: Collection[int] = (), barred: Collection[int] = ()) -> list[list[int]]:
    """Indexes of clear faces by person, those in most photos first.

    given: faces that a human said are the person; they, and the groups that they would be in without that word, are the first group. barred:
    faces that are said to be somebody else: they, and what is more like them, are never in that group.
    """
    found = likenesses(faces, faces)
    parts = _sorted(faces, linked(found))
    groups = _grow_all(found, parts, np.ones(len(faces), bool))
    if not given:
        return _sorted(faces, groups)
    free = np.ones(len(faces), bool)
    seed = {index for part in groups if set(part) & set(given) for index in part}
    first = _grow(found, sorted(seed), free, fixed=given, barred=barred)
    return [first, *_sorted(faces, _grow_all(found, parts, free))]


def _grow_all(found: np.ndarray, parts: Sequence[list[int]], free: np.ndarray) -> list[list[int]]:
    groups = []
    for part in parts:
        left = [index for index in part if free[index]]
        if left:
            groups.append(_grow(found, left, free))
    return groups


def _sorted(faces: Sequence[Sighted], parts: Sequence[list[int]]) -> list[list[int]]:
    return sorted(parts, key=lambda part: (-_num_photos(faces, part), part[0]))


def _num_photos(faces: Sequence[Sighted], part: Collection[int]) -> int:
    return len({faces[index].item for index in part})


def linked(found: np.ndarray) -> list[list[int]]:
    """Faces joined by likenesses above LINK, also over others: each part in order."""
    waiting, parts = set(range(len(found))), []
    while waiting:
        part, edge = set(), {min(waiting)}
        while edge:
            part |= edge
            near = np.flatnonzero((found[sorted(edge)] > LINK).any(axis=0))
            edge = set(near.tolist()) - part
        waiting -= part
        parts.append(sorted(part))
    return parts


def _grow(found: np.ndarray, seed: list[int], free: np.ndarray, fixed: Collection[int] = (), barred: Collection[int] = ()) -> list[int]:
    """The group around a seed after three rounds, in which whoever is like its five best comes in and whoever is not goes; no longer free."""
    stays = np.zeros(len(found), bool)
    stays[list(fixed)] = True
    members = without_barred(found, seed, fixed, barred)
    for _ in range(ROUNDS if len(members) >= LEAST_GROWING or fixed else 0):
        likeness = best_likeness(found, compared(members, fixed))
        members = np.flatnonzero(free & ((likeness >= SAME_LEAST) | stays)).tolist()
        members = without_barred(found, members, fixed, barred)
        if not members:
            members = without_barred(found, seed, fixed, barred)
            break
    free[members] = False
    return members


def without_barred(found: np.ndarray, members: Sequence[int], fixed: Collection[int], barred: Collection[int]) -> list[int]:
    """Those of the members that are not more like somebody else of whom a human said so than like the others."""
    if not barred:
        return list(members)
    to_barred = found[:, list(barred)].max(axis=1)
    likeness = best_likeness(found, compared(sorted(set(members) - set(barred)) or list(members), fixed))
    leaves = (to_barred > LINK) & (to_barred > likeness)
    return [index for index in members if index in fixed or (index not in barred and not leaves[index])]
