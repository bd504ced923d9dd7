"""The faces of all photos as rows that can be compared, and which of them can be judged at all."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from studio.data.looking.look import PROFILE_LEFT, PROFILE_RIGHT, FaceLook, Look
from studio.data.persons import unpack

LEAST_PX = 20  # narrower faces are spectators (FACTS.md)
LEAST_WIDTH = 64  # px of a face that can be told apart and learned from; below it nobody is accused (FACTS.md, "Faces and curation")
MOST_BLUR, MOST_BLOWN, LEAST_LUMA = 0.66, 0.26, 42.0  # beyond them it is a fault, and nobody is judged by what can't be seen (the same)
LEAST_SCORE = 0.7  # of the detector (FACTS.md)
LEAST_SURE = 0.5  # probability that the whole face is seen, as the mesh gives it: what is half hidden is not judged
MOST_TILT = 45.0  # degrees of a line through the eyes: the detector's points, by which faces are compared, are made for upright heads


@dataclass(frozen=True, kw_only=True)
class Sighted:
    """One face of one photo. index: its place in the photo's Look."""

    item: str
    index: int
    face: FaceLook

    @property
    def is_clear(self) -> bool:
        """Whether it may be judged: large, sharp, well lit, whole, upright, no profile. What was not measured speaks against nothing."""
        face = self.face
        return bool(face.embedding) and face.width >= LEAST_WIDTH and not (_is_profile(face) or _is_spoilt(face) or _is_odd(face))


def _is_spoilt(face: FaceLook) -> bool:
    too_much = ((face.blur, MOST_BLUR), (face.blown, MOST_BLOWN))
    return any(value is not None and value > most for value, most in too_much) or (face.luma is not None and face.luma < LEAST_LUMA)


def _is_profile(face: FaceLook) -> bool:
    return face.angle in (PROFILE_LEFT, PROFILE_RIGHT)


def _is_odd(face: FaceLook) -> bool:
    """Half hidden, or lying on its side."""
    if face.sure is not None and face.sure < LEAST_SURE:
        return True
    if len(face.landmarks) < 4:
        return False
    right_x, right_y, left_x, left_y = face.landmarks[:4]
    return abs(math.degrees(math.atan2(left_y - right_y, left_x - right_x))) > MOST_TILT


def counted_faces(look: Look) -> list[tuple[int, FaceLook]]:
    """(index, face) of those that count: no spectators far away, nothing that is hardly a face."""
    return [(index, face) for index, face in enumerate(look.faces) if face.width >= LEAST_PX and face.score >= LEAST_SCORE]


def all_faces(looks: Mapping[str, Look]) -> list[Sighted]:
    """Every face that counts, of photos that one eye looked at, in order."""
    return [Sighted(item=item, index=index, face=face) for item, look in looks.items() for index, face in counted_faces(look)]


def rows_of(faces: Sequence[Sighted]) -> np.ndarray:
    """(N, D) rows of length 1. Each face must have an embedding."""
    return np.stack([unpack(sighted.face.embedding) for sighted in faces]) if faces else np.zeros((0, 1), np.float32)


def likenesses(faces: Sequence[Sighted], others: Sequence[Sighted]) -> np.ndarray:
    """(N, M) likeness of each face to each other one; -1 within one photo, in which two faces are two people."""
    found = rows_of(faces) @ rows_of(others).T if faces and others else np.zeros((len(faces), len(others)), np.float32)
    photos, others_photos = (np.array([sighted.item for sighted in side], dtype=object) for side in (faces, others))
    found[photos[:, None] == others_photos[None, :]] = -1.0
    return found
