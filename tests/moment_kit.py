"""Clips as they were looked through, made of numbers: for tests of what is said of a clip's moments. Nothing is decoded."""

import itertools

from studio.data.looking.look import FaceLook
from studio.data.pieces.looking_through import Through
from studio.data.pieces.piece_facts import MOMENTS_A_SECOND, FacesThen, Stretch
from studio.data.pieces.whose import FoundPeople, Track

GOOD = {"luma": 120.0, "spread": 50.0, "flat": 0.2, "change": 3.0, "drift": 9.0, "drifted": 0.5, "blend": 1.0}
NONE = dict.fromkeys(("shift_x", "shift_y", "top", "bottom", "left", "right", "text", "text_at"), 0.0)
EVERY = 8  # moments from one look for faces to the next


def clip(seconds, cuts=(), looked=True, **planted):
    """A good clip, with what is planted: {what is measured: {(first, end): value or values}} in moments."""
    count = round(seconds * MOMENTS_A_SECOND)
    values = {name: [value] * count for name, value in (GOOD | NONE).items()}
    for name, parts in planted.items():
        for (first, end), value in parts.items():
            values[name][first:end] = value if isinstance(value, list) else [value] * (end - first)
    faces = [FacesThen(moment=moment) for moment in range(0, count, EVERY)] if looked else []
    measured = {name: tuple(row) for name, row in values.items()}
    return Through((Stretch(first=0, cuts=tuple(cuts), faces=tuple(faces), **measured),), True)


def face(width=60.0, blur=0.5, left=100.0):
    return FaceLook(left=left, top=40.0, width=width, height=width * 1.25, score=0.9, blur=blur)


def people(*tracks):
    """Of (True, False or None: whether it is the person; {(first, end): face}) for each face that was followed."""
    followed = [
        Track(0, [(moment, one) for (first, end), one in looks.items() for moment in range(first, end, EVERY)]) for _, looks in tracks
    ]
    return FoundPeople(tuple(followed), tuple(is_person for is_person, _ in tracks), False)


def person(seconds, **more):
    """The person, seen at every look."""
    return people((True, {(0, round(seconds * MOMENTS_A_SECOND)): face(**more)}))


def runs_of(codes):
    """[(code, first, end)] of moments that follow each other, without the good ones."""
    edges = [n for n in range(len(codes) + 1) if n in (0, len(codes)) or codes[n] != codes[n - 1]]
    return [(codes[a], a, b) for a, b in itertools.pairwise(edges) if codes[a]]
