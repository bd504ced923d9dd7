"""Whose face is seen when, in a clip: faces are followed through a shot, so that one look away or one bad moment says nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from studio.data import persons
from studio.data.looking.look import FaceLook
from studio.data.people.groups import ROUNDS, SAME_LEAST, best_likeness, linked
from studio.data.people.who import LEAST_TO_COMPARE, LOOK_LEAST
from studio.data.pieces.piece_facts import FacesThen

_FOLLOWED_SECONDS = 1.6  # a face that is not seen for longer is looked at anew


@dataclass
class Track:
    """One face through a shot."""

    shot: int
    looks: list[tuple[int, FaceLook]] = field(default_factory=list)  # moment, face

    @property
    def last(self) -> tuple[int, FaceLook]:
        return self.looks[-1]

    def row(self) -> np.ndarray | None:
        """Its mean embedding, (D,) of length 1; None where it was always too small to tell."""
        rows = [persons.unpack(face.embedding) for _, face in self.looks if face.embedding]
        mean = np.sum(rows, axis=0) if rows else None
        return None if mean is None else mean / max(float(np.linalg.norm(mean)), 1e-12)


@dataclass(frozen=True)
class FoundPeople:
    """tracks: every face that was followed; is_person: of each track True, False, or None where it can't be told. guessed: nobody said who is
    meant, so that whoever is seen longest was taken."""

    tracks: tuple[Track, ...]
    is_person: tuple[bool | None, ...]
    guessed: bool


def find_people(faces: Sequence[FacesThen], cuts: Sequence[int], references: np.ndarray, moments_a_second: int) -> FoundPeople:
    """Who is who in a clip. references: (N, D) embeddings of the person's photos; none: whoever is seen longest is taken for the person."""
    guessed = not len(references)
    tracks = _follow(faces, cuts, int(_FOLLOWED_SECONDS * moments_a_second))
    rows = [track.row() for track in tracks]
    known = [row for row in rows if row is not None]
    looks = [len(track.looks) for track, row in zip(tracks, rows, strict=True) if row is not None]
    if len(references) < LEAST_TO_COMPARE:
        references = _grow(known, looks, references)
    judged = tuple(None if row is None else _compare(row, references) for row in rows)
    return FoundPeople(tuple(tracks), judged, guessed)


def _follow(faces: Sequence[FacesThen], cuts: Sequence[int], longest: int) -> list[Track]:
    """The faces of each shot, joined where one lies where another was."""
    ordered, tracks, open_tracks, shot = sorted(cuts), [], [], 0
    for then in faces:
        now = int(np.searchsorted(ordered, then.moment, side="right"))
        if now != shot:
            open_tracks, shot = [], now
        open_tracks = [track for track in open_tracks if then.moment - track.last[0] <= longest]
        free = list(open_tracks)
        for face in then.faces:
            near = min(free, key=lambda track, face=face: _apart(track.last[1], face), default=None)
            if near is None or _apart(near.last[1], face) > 1.0:
                near = Track(now)
                tracks.append(near)
                open_tracks.append(near)
            else:
                free.remove(near)
            near.looks.append((then.moment, face))
    return tracks


def _apart(a: FaceLook, b: FaceLook) -> float:
    """How far apart two faces are, in widths of them; far where their sizes differ much."""
    size = max(a.width, b.width)
    if min(a.width, b.width) < 0.5 * size:
        return 9.0
    x = a.left + a.width / 2 - b.left - b.width / 2
    y = a.top + a.height / 2 - b.top - b.height / 2
    return float(np.hypot(x, y) / size)


def _compare(row: np.ndarray, references: np.ndarray) -> bool | None:
    if not len(references):
        return False
    likeness = _best_likeness(row, references)
    if likeness >= SAME_LEAST:
        return True
    return False if likeness < LOOK_LEAST else None


def _best_likeness(row: np.ndarray, references: np.ndarray) -> float:
    """As photos are judged (studio.data.people): the mean of the five best."""
    return float(best_likeness((references @ row)[None], np.arange(len(references)))[0])


def _grow(rows: Sequence[np.ndarray], looks: Sequence[int], references: np.ndarray) -> np.ndarray:
    """References where there are few: of the clip's own faces those that are like the few, or like whoever is seen longest."""
    if not rows:
        return references
    faces = np.stack(rows)
    mine = (faces @ references.T).max(axis=1) >= SAME_LEAST if len(references) else _seen_longest(faces, looks)
    for _ in range(ROUNDS):
        inside = np.concatenate([references, faces[mine]]) if len(references) else faces[mine]
        if not len(inside):
            break
        mine = np.array([_best_likeness(face, inside) >= SAME_LEAST for face in faces]) | mine
    return np.concatenate([references, faces[mine]]) if len(references) else faces[mine]


def _seen_longest(faces: np.ndarray, looks: Sequence[int]) -> np.ndarray:
    """(N,) bool: the faces that are linked to each other, and are seen longest together."""
    longest = max(linked(faces @ faces.T), key=lambda part: sum(looks[n] for n in part))
    return np.isin(np.arange(len(faces)), longest)
