"""What is known of one photo or clip: as curation.json holds it (a record), and with its file and caption (an item)."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

from studio.data.captions.authorship import Authorship
from studio.data.media.kinds import MediaFacts
from studio.data.remarks import OF_ALL_TOGETHER, Decision, Remark, Warned
from studio.facts import Facts


@dataclass(frozen=True, kw_only=True)
class Sighting(Facts):
    """Who a picture shows, as an eye (studio.models.eyes) saw it."""

    observer: str  # the eye's key: what two eyes saw can't be compared
    embedding: str  # as persons.pack writes it; "" where the eye does not know pictures of that kind


THEM, OTHER = "them", "other"  # what a human says of a photo: it shows the person, or somebody else


@dataclass(frozen=True, kw_only=True)
class Said(Facts):
    """What a human says about who is in a photo. point: the face that they mean, as shares of width and height; () for the photo as a whole."""

    ALWAYS_WRITTEN = ("who",)
    who: str  # THEM or OTHER
    point: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Measurements(Warned):
    """Numbers about a picture, and what the check had to say of it. None where a number means nothing."""

    version: int = 0  # 0 before any check; numbers are of the versions before looks (studio.data.looking) held them
    blur: float | None = None  # 0 sharp to 1 blurred
    luma: float | None = None  # mean of the middle, 0 to 255
    blown: float | None = None  # share of the middle that is white
    blocks: float | None = None  # strength of JPEG's grid, 1 is none
    phash: str = ""  # perceptual hash, 64 bits as hexadecimal
    colours: str = ""  # of a grid of 4 x 4, as hexadecimal
    person: Sighting | None = None

    @property
    def are_there(self) -> bool:
        return self.version > 0


NOT_MEASURED = Measurements()


@dataclass(frozen=True, kw_only=True)
class Record(MediaFacts, Decision):
    """One file of dataset/ in curation.json; trusted as long as the file has the size and time it was written down with."""

    ALWAYS_WRITTEN = (
        *MediaFacts.ALWAYS_WRITTEN, *Decision.ALWAYS_WRITTEN, "original", "original_sha256", "caption_source", "caption_key", "problem",
        "measurements", "added", "file", "file_sha256", "sha256", "file_size", "file_mtime_ns",
    )  # fmt: skip
    file: str  # name in dataset/
    file_sha256: str = ""
    file_size: int = 0
    file_mtime_ns: int = 0
    sha256: str = ""  # of the content, as Item has it
    original: str = ""  # file name in originals/; "" for a file put into dataset/ by hand
    original_sha256: str = ""
    caption_source: str = ""
    caption_by: Authorship | None = None  # of a caption that a captioner wrote
    other_captions: tuple[str, ...] = ()  # that came with it and are not used
    caption_key: str = ""  # of the caption that the studio wrote: another one was written by hand
    problem: str = ""  # why the file can't be read, or ""
    measurements: Measurements = NOT_MEASURED
    said: Said | None = None  # by a human, about who is shown
    part: tuple[float, ...] = ()  # of a piece: its first and last second in the original
    added: float = 0.0  # time

    @classmethod
    def from_json(cls, data: Any, where: str) -> Self:
        """One that this process read before, word for word, is not made anew: a large dataset is read at every change of one item."""
        known = _read_before().get(where)
        if known is not None and known[0] == data:
            return cast(Self, known[1])
        record = super().from_json(data, where)
        _read_before()[where] = data, record
        return record

    def to_json(self) -> dict[str, Any]:
        return dict(self._written)

    @functools.cached_property
    def _written(self) -> dict[str, Any]:
        return super().to_json()

    @property
    def is_uncopied(self) -> bool:
        """Whether the file in dataset/ is a photo's original itself, of which no training copy was made yet."""
        return self.kind == "photo" and bool(self.original) and self.file_sha256 == self.original_sha256

    def hashes(self) -> set[str]:
        """The contents it is known by: of its original, and of its file."""
        return {self.original_sha256, self.sha256, self.file_sha256} - {""}


@functools.cache
def _read_before() -> dict[str, tuple[Any, Record]]:
    """{where: what lay there, the record made of it}; the records of one dataset take the place of another's."""
    return {}


@dataclass(frozen=True, kw_only=True)
class Item(MediaFacts, Decision):
    """One photo or clip of dataset/. sha256 is that of the original's bytes until the dataset's file is changed, then the file's own:
    equal hashes always mean equal content, so caches can be keyed by it."""

    id: str  # "0001" or "clip-01"
    path: Path
    caption: str
    caption_source: str  # "hand", "auto", "imported" or ""
    original: str  # file name in originals/; "" for a file put into dataset/ by hand
    sha256: str
    is_uncopied: bool = (
        False  # whether the file is the original itself: its training copy is made when it is kept, and has the size told here
    )
    is_original: bool = False  # whether sha256 is that of the original: the dataset's file was not changed since it was made
    measurements: Measurements = NOT_MEASURED
    said: Said | None = None  # by a human, about who is shown
    problem: str = ""  # why the file can't be read, or ""
    other_captions: tuple[str, ...] = ()  # that came with it and are not used
    part: tuple[float, ...] = ()  # of a piece: its first and last second in the original
    caption_by: Authorship | None = None  # of a caption that a captioner wrote, and nobody changed since

    @property
    def doubts(self) -> list[Remark]:
        """What the check saw in this picture that is no reason to leave it out; what it says of all of them together is none."""
        return [warning for warning in self.measurements.warnings if warning.code not in OF_ALL_TOGETHER]
