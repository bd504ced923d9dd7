"""The nouns of looking: a face, and everything that was measured of one picture. Numbers only; what they mean is decided when they are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from studio.data.looking.packing import unpack_picture
from studio.facts import Facts

LOOK_SIDE = 1024  # px of the small copy of a photo that is looked at: faces from 48 px up are found in it (FACTS.md, "Faces and curation")
PROFILE_LEFT, LEFT, FRONT, RIGHT, PROFILE_RIGHT = (
    "profile-left",
    "left",
    "front",
    "right",
    "profile-right",
)  # where the nose points in the picture
ANGLES = (PROFILE_LEFT, LEFT, FRONT, RIGHT, PROFILE_RIGHT)
TURNED_LEAST, PROFILE_LEAST = 26.0, 44.0  # degrees by the mesh: 87 % agree with the eye, the side always (FACTS.md, "Faces and curation")
LARGE_FACE = 900  # px of width; finer detail than a lens gives is missing in larger faces of true photos (FACTS.md)
OTHER_LEAST = (
    0.4  # of the person's face in width: a face that wide is another person in the picture, a narrower one is background (the same)
)
MOUTH_OPEN = 0.06  # least share of the face's height (the same)
CLOSE, UPPER, WAIST, FULL = "close", "upper", "waist", "full"
FRAMINGS = (CLOSE, UPPER, WAIST, FULL)
FRAMING_LEAST = {
    CLOSE: 0.38,
    UPPER: 0.22,
    WAIST: 0.14,
    FULL: 0.0,
}  # least height of the face as a share of the picture's (FACTS.md, "Faces and curation")


@dataclass(frozen=True, kw_only=True)
class Area(Facts):
    """How good a part of a picture is to learn from. None: not measured, which is never bad."""

    blur: float | None = None  # 0 sharp to 1 blurred
    upscaled: float | None = (
        None  # of a face narrower than LARGE_FACE, on the native px: near 0 where there is detail, near 1 where it was never
    )
    blown: float | None = None  # share of its px with any channel at 250 or more
    luma: float | None = None  # mean, 0 to 255


@dataclass(frozen=True, kw_only=True)
class FaceLook(Area):
    """One face. Places and sizes are px of the photo as it is seen (upright, at its original size). What is drawn has no landmarks: its box
    is where the person was looked for."""

    left: float
    top: float
    width: float
    height: float
    score: float  # of the detector, 0 to 1
    landmarks: tuple[float, ...] = ()  # x, y of right eye, left eye, nose, right and left corner of the mouth (the person's right)
    turn: float | None = None  # where the nose points: degrees from the front, positive to the right in the picture; about, and never shown
    mouth: float | None = None  # the gap between the lips as a share of the face's height
    sure: float | None = None  # probability that the whole face is seen, 0 to 1; low where something hides it
    embedding: str = ""  # as persons.pack writes it; "" where the face is too small

    @property
    def angle(self) -> str:
        """Of ANGLES; "" where it can't be told."""
        if self.turn is None:
            return ""
        return ANGLES[sum(self.turn > least for least in (-PROFILE_LEAST, -TURNED_LEAST, TURNED_LEAST, PROFILE_LEAST))]

    @property
    def has_points(self) -> bool:
        """Whether it is a face that was found, and not the place where a drawn person was looked for."""
        return bool(self.landmarks)

    @property
    def mouth_open(self) -> bool | None:
        return None if self.mouth is None else self.mouth > MOUTH_OPEN


@dataclass(frozen=True, kw_only=True)
class Look(Facts):
    """What one photo, or one frame of a clip, shows. The largest face comes first."""

    ALWAYS_WRITTEN: ClassVar[tuple[str, ...]] = ("eye", "faces")
    eye: str  # key of the eye that looked: what two eyes saw can't be compared
    width: int  # px of the photo as it is seen
    height: int
    faces: tuple[FaceLook, ...] = ()
    middle: Area | None = None  # the middle of the picture, where there is no face to judge
    jpeg_tables: int | None = (
        None  # sum of the original's table of brightness: quality 92 has 592, 75 1,858, 50 3,688, 10 12,560; None: no JPEG
    )
    blocks: float | None = None  # strength of JPEG's grid, 1 is none
    luma: float | None = None  # mean of the picture, 0 to 255
    warmth: float | None = None  # mean of the place from blue to yellow (b of CIELAB), about -60 to 60
    colour: float | None = None  # how far colours lie from their mean (a, b of CIELAB); 0 in one colour, grey or sepia
    flat: float | None = None  # share of neighbouring native px that are equal: a drawing's are
    seam: float | None = None  # the longest straight edge inside, along rows or columns, as a share of the side: a collage's is 1
    background: str = ""  # histogram of the place, outside the mask, as palette.pack writes it
    outfit: str = ""  # histogram of the clothes, under the mask
    colours: str = ""  # of a grid of 4 x 4, as hexadecimal
    names: tuple[tuple[str, str], ...] = ()  # (attribute, name) of what is drawn, by an eye that gives names
    thumbnail: str = ""  # small grey picture for comparing twins, as packing.pack_picture writes it

    def thumbnail_pixels(self) -> np.ndarray:
        """(H, W) uint8, 64 px on the long side; empty where there is none."""
        return unpack_picture(self.thumbnail) if self.thumbnail else np.zeros((0, 0), np.uint8)

    @property
    def face(self) -> FaceLook | None:
        """The largest one: whom the picture is of, if nothing else is said."""
        return self.faces[0] if self.faces else None

    def framing_of(self, face: FaceLook | None) -> str:
        """Of FRAMINGS, by the height of one of its faces; "" without a face, and for a drawn person."""
        if face is None or not face.has_points:
            return ""
        return next(name for name in FRAMINGS if face.height / self.height >= FRAMING_LEAST[name])


def typical(seen: Sequence[Look]) -> Look:
    """The look that an item is judged by: a photo's own; of a clip the moment in which the face is largest, or the middle one."""
    if any(look.face for look in seen):
        return max(seen, key=lambda look: look.face.width if look.face else 0.0)
    return seen[len(seen) // 2]
