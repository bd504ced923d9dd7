"""The nouns of looking: a face, and everything that was measured of one picture. Numbers only; what they mean is decided when they are read."""

from dataclasses import dataclass
from typing import ClassVar

from studio.facts import Facts

PROFILE_LEFT, LEFT, FRONT, RIGHT, PROFILE_RIGHT = (
    "profile-left",
    "left",
    "front",
    "right",
    "profile-right",
)  # where the nose points in the picture
ANGLES = (PROFILE_LEFT, LEFT, FRONT, RIGHT, PROFILE_RIGHT)
TURNED_LEAST, PROFILE_LEAST = 26.0, 44.0  # degrees by the mesh: 87 % agree with the eye, the side always (FACTS.md, "Faces and curation")
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
class FaceLook(Facts):
    """One face. Places and sizes are px of the photo as it is seen (upright, at its original size). None: not measured, which is never bad."""

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
    blur: float | None = None  # 0 sharp to 1 blurred, of the face
    upscaled: float | None = None  # ratio of octaves on the native crop; high where detail was never there
    blown: float | None = None  # share of the face's px with any channel at 250 or more
    luma: float | None = None  # mean of the face, 0 to 255

    @property
    def angle(self) -> str:
        """Of ANGLES; "" where it can't be told."""
        if self.turn is None:
            return ""
        return ANGLES[sum(self.turn > least for least in (-PROFILE_LEAST, -TURNED_LEAST, TURNED_LEAST, PROFILE_LEAST))]

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
    jpeg_tables: int | None = None  # sum of the original file's quantisation tables; None where it is no JPEG
    blocks: float | None = None  # strength of JPEG's grid, 1 is none
    luma: float | None = None  # mean of the picture, 0 to 255
    saturation: float | None = None  # mean, 0 grey to 1
    light: str = ""  # about: "warm", "cool", "neutral", "dim", ...
    background: str = ""  # histogram of the place, under the mask, packed
    outfit: str = ""  # histogram of the clothes, under the mask, packed
    phash: str = ""  # perceptual hash, 64 bits as hexadecimal
    thumbnail: str = ""  # small grey picture for comparing twins, packed
    kinds: tuple[str, ...] = ()  # what it is beside a photo: "drawing", "screenshot", "collage", "monochrome", "text"

    @property
    def face(self) -> FaceLook | None:
        """The largest one: whom the picture is of, if nothing else is said."""
        return self.faces[0] if self.faces else None

    @property
    def framing(self) -> str:
        """Of FRAMINGS, by the height of the face; "" without a face."""
        if self.face is None or not self.height:
            return ""
        share = self.face.height / self.height
        return next(name for name in FRAMINGS if share >= FRAMING_LEAST[name])
