"""The limits of what is measured, as one table: what each leaves out or warns of, in which words, and how often it errs.

They act when a photo is judged, so that moving one needs no measuring. A value that was not measured is within every limit.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from studio.data import remarks as said
from studio.data.looking.look import LARGE_FACE, OTHER_LEAST, FaceLook, Look
from studio.data.people.sightings import LEAST_LUMA, LEAST_WIDTH, MOST_BLOWN, MOST_BLUR

LEAVE_OUT, WARN = "leave-out", "warn"  # what a limit does: a fault, or a doubt
FACTS = "FACTS.md, Faces and curation"
TOGETHER = (
    "with the other limits 97.7 % of 306 planted faults and 1.7 % of clean photos, in sample; 88-100 % and 5.7 % on people not fitted to"
)
RAW = "measured on the 181 raw web photos of two people (../shared/faces) in December 2026"
MIDDLE = "the limits of the studio before it knew faces: looser than those of faces, since the middle may hold soft background"
MIDDLE_ERROR = "of drawn people 100 % of the planted faults and 0 % of the good (the Demo); of real people it was not measured"
# Faces under 128 px are enlarged before their sharpness is measured. Of 34 sharp faces scaled down the most blurred had .57 at 128 px, .62 at 96, .68
# at 72 and .71 at 64; planted blur has .82 or more at every width. So up to .10 is taken off.
SMALL_BLUR, SHARP_WIDTH = 0.10, 128
GREY_MOST = 2.5  # spread of colours: of 180 photos in colour the lowest has 5.7, the one in black and white .1


@dataclass(frozen=True)
class Sight:
    """What a limit is held against: a photo, the face of it that counts, and how wide the largest other face is beside that one."""

    look: Look
    face: FaceLook | None
    share_of_others: float = 0.0

    @property
    def has_face(self) -> bool:
        return self.face is not None and self.face.has_points


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """One limit. name: what a moved one is stored by."""

    name: str
    title: str  # what is measured, for a slider
    code: str  # of the remark
    words: str
    figure: str  # the value in words: {value} and {limit}
    limit: float
    grade: str  # LEAVE_OUT or WARN
    measure: Callable[[Sight], float | None]  # None: not measured
    is_least: bool = False  # smaller values are beyond it
    lowest: float = 0.0  # of the slider
    highest: float = 1.0
    source: str
    error: str  # as measured there

    def is_beyond(self, value: float | None, limit: float | None = None) -> bool:
        """Whether a value is beyond the limit, or another one in its place."""
        bound = self.limit if limit is None else limit
        if value is None:
            return False
        return value < bound if self.is_least else value > bound

    def say(self, value: float, limit: float | None = None) -> str:
        """The figure behind the sentence, for those who ask."""
        return self.figure.format(value=value, limit=self.limit if limit is None else limit)


def _of_face(name: str) -> Callable[[Sight], float | None]:
    """A number of the face that counts. What is drawn has no face in this sense: it is judged as pictures without one are."""
    return lambda sight: getattr(sight.face, name) if sight.has_face else None


def _of_middle(name: str) -> Callable[[Sight], float | None]:
    """A number of what is judged where there is no face: the middle of the picture, or the place of a drawn person."""
    return lambda sight: None if sight.has_face else getattr(sight.face or sight.look.middle, name, None)


def _of_look(name: str) -> Callable[[Sight], float | None]:
    """A number of the picture as a whole."""
    return lambda sight: getattr(sight.look, name)


def _blur(sight: Sight) -> float | None:
    """Blur of the face, less what a small face has by being enlarged before its sharpness is measured."""
    blur = _of_face("blur")(sight)
    if blur is None or sight.face is None:
        return None
    return blur - SMALL_BLUR * max(0.0, 1 - (sight.face.width - LEAST_WIDTH) / (SHARP_WIDTH - LEAST_WIDTH))


def _upscaled(sight: Sight) -> float | None:
    return sight.face.upscaled if sight.face and sight.has_face and sight.face.width < LARGE_FACE else None


def _flat(sight: Sight) -> float | None:
    """Not of the small world's people, who are drawn and known as such: their place has no points of a face."""
    return None if sight.face and not sight.has_face else sight.look.flat


def _jpeg_tables(sight: Sight) -> float | None:
    return None if sight.look.jpeg_tables is None else float(sight.look.jpeg_tables)


def _others(sight: Sight) -> float | None:
    return sight.share_of_others if sight.has_face else None


def _middle(
    name: str, title: str, code: str, words: str, measure: str, limit: float, grade: str, highest: float = 1.0, is_least: bool = False
) -> Threshold:
    """A limit for pictures without a face, in which nothing better can be judged than their middle."""
    return Threshold(
        name=name, title=f"{title} without a face", code=code, words=words, figure="{value:.2f}; the limit is {limit:.2f}", limit=limit,
        grade=grade, measure=_of_middle(measure), is_least=is_least, highest=highest, source=MIDDLE, error=MIDDLE_ERROR,
    )  # fmt: skip


THRESHOLDS: tuple[Threshold, ...] = (
    Threshold(
        name="face-width", title="Width of the face", code=said.FACE_SIZE, words="the face is too small to learn from",
        figure="the face is {value:.0f} px wide; at least {limit:.0f} are needed", limit=LEAST_WIDTH, grade=LEAVE_OUT, measure=_of_face("width"),
        is_least=True, lowest=20, highest=300, source=FACTS, error=TOGETHER,
    ),
    Threshold(
        name="blur", title="Blur of the face", code=said.BLUR, words="the face is blurred",
        figure="blur {value:.2f} of 1; up to {limit:.2f} is sharp enough", limit=MOST_BLUR, grade=LEAVE_OUT, measure=_blur,
        lowest=0.3, highest=1, source=FACTS, error=TOGETHER,
    ),
    Threshold(
        name="upscaled", title="Missing detail of an enlarged face", code=said.UPSCALED, words="the photo was enlarged: the face has no fine detail",
        figure="missing detail {value:.2f}; up to {limit:.2f} is a true photo", limit=0.49, grade=LEAVE_OUT, measure=_upscaled,
        lowest=0.2, highest=1, source=RAW, error="of faces from 64 px up, 20 of 20 planted enlargements (100 %, least .51) and none of 133 unspoilt (most .473)",
    ),
    Threshold(
        name="blown", title="Share of the face that is blown out", code=said.BLOWN, words="the face is blown out to white",
        figure="{value:.0%} of the face is blown out; up to {limit:.0%} is fine", limit=MOST_BLOWN, grade=LEAVE_OUT, measure=_of_face("blown"),
        lowest=0.05, highest=1, source=FACTS, error=TOGETHER,
    ),
    Threshold(
        name="dark", title="Brightness of the face", code=said.DARK, words="the face is too dark",
        figure="brightness {value:.0f} of 255; at least {limit:.0f} is needed", limit=LEAST_LUMA, grade=LEAVE_OUT, measure=_of_face("luma"),
        is_least=True, lowest=0, highest=120, source=FACTS, error=TOGETHER,
    ),
    Threshold(
        name="jpeg", title="JPEG compression of the file", code=said.BLOCKS, words="damaged by strong JPEG compression",
        figure="coarseness {value:.0f} of the file's tables; up to {limit:.0f} is fine", limit=4000, grade=LEAVE_OUT, measure=_jpeg_tables,
        lowest=200, highest=13000, source=RAW, error="all of quality 10 (12,560); of 177 raw photos 99 % have 2,583 or less, one 10,714",
    ),
    Threshold(
        name="blocks", title="Visible JPEG blocks", code=said.BLOCKS, words="JPEG blocks are visible",
        figure="steps at the blocks' edges are {value:.2f} times those inside; up to {limit:.2f} is fine", limit=2.2, grade=LEAVE_OUT,
        measure=lambda sight: sight.look.blocks, lowest=1, highest=5, source=FACTS, error=TOGETHER,
    ),
    Threshold(
        name="other-people", title="Size of other people's faces", code=said.OTHER_PEOPLE, words="other people are in the picture",
        figure="another face is {value:.0%} as wide; up to {limit:.0%} is background", limit=OTHER_LEAST, grade=LEAVE_OUT, measure=_others,
        lowest=0.1, highest=1, source=FACTS, error="given there as a rule, without an error of its own; detector: all faces of 48 px or more",
    ),
    Threshold(
        name="collage", title="Straight edge through the picture", code=said.COLLAGE, words="several pictures in one",
        figure="a straight edge over {value:.0%} of the picture; up to {limit:.0%} is common", limit=0.95, grade=LEAVE_OUT,
        measure=_of_look("seam"), lowest=0.5, highest=1, source=RAW,
        error="4 of 9 collages, whose other faces mostly give them away; of 171 other photos 1 (0.6 %), a cut-out on a painted grid; the next had .88",
    ),
    Threshold(
        name="drawn", title="Flat colour", code=said.DRAWING, words="drawn or a screenshot, not photographed",
        figure="{value:.0%} of the picture has not the least shading; up to {limit:.0%} is a photo", limit=0.9, grade=LEAVE_OUT,
        measure=_flat, lowest=0.5, highest=1, source=RAW,
        error="0 % of 180 photos (highest .77, on white); a drawing saved as a JPEG has .31 and is not found",
    ),
    Threshold(
        name="monochrome", title="Colour", code=said.MONOCHROME,
        words="black and white: the colours of skin and hair can't be learned from it", figure="colours reach {value:.1f}; from {limit:.1f} on they are seen",
        limit=GREY_MOST, grade=WARN, measure=_of_look("colour"), is_least=True, highest=10, source=RAW,
        error="the 1 black-and-white photo (.1) and 0 % of 180 in colour (lowest 5.7)",
    ),
    _middle("middle-blur", "Blur", said.BLUR, "blurred in the middle of the picture", "blur", 0.72, LEAVE_OUT),
    _middle("middle-soft", "Softness", said.BLUR, "a little soft in the middle", "blur", 0.60, WARN),
    _middle("middle-blown", "White", said.BLOWN, "the middle is blown out to white", "blown", 0.40, LEAVE_OUT),
    _middle("middle-glare", "Some white", said.BLOWN, "some parts are blown out to white", "blown", 0.15, WARN),
    _middle("middle-dark", "Darkness", said.DARK, "too dark to see the person", "luma", 40, LEAVE_OUT, 255, is_least=True),
    _middle("middle-dim", "Dimness", said.DARK, "rather dark", "luma", 60, WARN, 255, is_least=True),
    _middle("middle-bright", "Brightness", said.BRIGHT, "too bright to see the person", "luma", 215, LEAVE_OUT, 255),
    _middle("middle-light", "Lightness", said.BRIGHT, "rather bright", "luma", 185, WARN, 255),
)  # fmt: skip
BY_NAME = {threshold.name: threshold for threshold in THRESHOLDS}


def checked_limits(limits: Mapping[str, float]) -> dict[str, float]:
    """The moved limits alone, by name. ValueError for one that there isn't, or beyond its slider."""
    for name, value in limits.items():
        if name not in BY_NAME:
            raise ValueError(f"there is no limit {name!r}; there are {', '.join(BY_NAME)}")
        found = BY_NAME[name]
        if not found.lowest <= value <= found.highest:
            raise ValueError(f"{found.title.lower()} can be limited from {found.lowest:g} to {found.highest:g}, not at {value:g}")
    return {name: float(value) for name, value in limits.items() if value != BY_NAME[name].limit}
