"""The nouns of looking through a clip: what was measured of each moment, what speaks against a stretch of it, and the pieces worth training."""

from dataclasses import dataclass
from typing import ClassVar

from studio.data.looking.look import FaceLook
from studio.data.media.filters import Crop
from studio.facts import Facts

MOMENTS_A_SECOND = 16  # as often as training sees a clip, so that nothing shorter than one of its frames is missed

SHORTEST, LONGEST = 4.0, 8.0  # seconds of a piece

# What a second of a clip is. The first that holds is said.
TAKEN = "taken"
CUT, BLEND = "cut", "blend"  # one picture follows another at once; or fades into it
BLACK, TITLE, FROZEN, SUBTITLES = "black", "title", "frozen", "subtitles"
NOBODY, SOMEBODY_ELSE, OTHER_PEOPLE, SMALL_FACE, BLURRED = "nobody", "somebody-else", "other-people", "small-face", "blurred"
SHAKY, STILL = "shaky", "still"
SHORT, ENOUGH = "short", "more-of-the-same"  # good, but shorter than a piece; good, and left over


@dataclass(frozen=True, kw_only=True)
class FacesThen(Facts):
    """The faces of one moment, the largest first."""

    moment: int
    faces: tuple[FaceLook, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Stretch(Facts):
    """What was measured of moments that follow each other, a value each. Levels are 0 to 255, lengths shares of the picture's sides."""

    ALWAYS_WRITTEN: ClassVar[tuple[str, ...]] = ("first",)
    first: int  # number of its first moment
    luma: tuple[float, ...] = ()  # mean
    spread: tuple[float, ...] = ()  # standard deviation
    flat: tuple[float, ...] = ()  # share of the picture that has its commonest brightness
    change: tuple[float, ...] = ()  # mean difference to the moment before
    drift: tuple[float, ...] = ()  # mean difference to half a second before
    drifted: tuple[float, ...] = ()  # share of the picture that differs from half a second before
    shift_x: tuple[float, ...] = ()  # how far the whole picture went since then
    shift_y: tuple[float, ...] = ()
    blend: tuple[float, ...] = ()  # 0: it is the mean of what is before and after it; 1: it is not, or these are alike
    top: tuple[float, ...] = ()  # black bars
    bottom: tuple[float, ...] = ()
    left: tuple[float, ...] = ()
    right: tuple[float, ...] = ()
    text: tuple[float, ...] = ()  # width of a line of letters
    text_at: tuple[float, ...] = ()  # its height in the picture, from above
    cuts: tuple[int, ...] = ()  # numbers of moments with which another shot begins
    faces: tuple[FacesThen, ...] = ()

    @property
    def count(self) -> int:
        return len(self.luma)


@dataclass(frozen=True, kw_only=True)
class Span(Facts):
    """Seconds of a clip of which one thing is said; the spans of a clip leave nothing out."""

    ALWAYS_WRITTEN: ClassVar[tuple[str, ...]] = ("start", "end", "code")
    start: float
    end: float
    code: str

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass(frozen=True, kw_only=True)
class Piece(Facts):
    """A part of a clip that is worth training. crop: what is kept of its picture, where black bars are cropped away."""

    ALWAYS_WRITTEN: ClassVar[tuple[str, ...]] = ("start", "num_frames", "fps")
    start: float
    num_frames: int
    fps: float
    score: float = 0.0  # among the pieces of this clip
    crop: Crop | None = None

    @property
    def seconds(self) -> float:
        return self.num_frames / self.fps

    @property
    def end(self) -> float:
        return self.start + self.seconds
