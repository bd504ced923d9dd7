"""What became of every second of the clips that were looked through, as facts and as sentences."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from studio.data.item_record import Item
from studio.data.pieces import piece_facts as said
from studio.data.pieces.piece_facts import Piece, Span
from studio.facts import Facts, read_facts
from studio.words import count, duration
from studio.workspace import Project

log = logging.getLogger(__name__)
WORDS = {
    said.CUT: "the picture changes",
    said.BLEND: "one picture fades into another",
    said.BLACK: "black",
    said.TITLE: "a title or a slate",
    said.FROZEN: "the picture stands still",
    said.SUBTITLES: "subtitles are burnt in",
    said.NOBODY: "nobody is seen",
    said.SOMEBODY_ELSE: "somebody else is seen",
    said.OTHER_PEOPLE: "other people are beside the person",
    said.SMALL_FACE: "the face is too small",
    said.BLURRED: "the face is blurred",
    said.SHAKY: "the camera shakes",
    said.STILL: "next to nothing moves",
    said.SHORT: "good, but too short for a piece",
    said.ENOUGH: "good, and more of the same",
    said.TAKEN: "a piece",
}


@dataclass(frozen=True, kw_only=True)
class VideoReport(Facts):
    """One clip or film that was looked through. Its spans are all of it: what is in no piece is left out for their reasons."""

    ALWAYS_WRITTEN: ClassVar[tuple[str, ...]] = ("name", "seconds", "added")
    name: str  # of its item, or of the file in originals/
    seconds: float
    item: str = ""  # the whole as an item; "" for a film that is cut only
    pieces: tuple[Piece, ...] = ()
    spans: tuple[Span, ...] = ()
    added: tuple[str, ...] = ()  # items that were made of the pieces
    known: tuple[str, ...] = ()  # items that were made of it before
    is_guessed: bool = False  # nobody said who is meant: whoever is seen longest was taken
    problem: str = ""  # why it could not be looked through

    @property
    def seconds_taken(self) -> float:
        return sum(span.seconds for span in self.spans if span.code == said.TAKEN)

    def left_out(self) -> list[tuple[str, float]]:
        """(code, seconds) of what is in no piece, the longest first. With the pieces it is all of the clip."""
        sums: dict[str, float] = {}
        for span in self.spans:
            if span.code != said.TAKEN:
                sums[span.code] = sums.get(span.code, 0.0) + span.seconds
        return sorted(sums.items(), key=lambda entry: -entry[1])

    def sentences(self) -> list[str]:
        """What happened to it, and to each second of it."""
        if self.problem:
            return [f"It could not be looked through: {self.problem}."]
        said_of_it = [self._of_pieces()]
        left = self.left_out()
        if left:
            reasons = ", ".join(f"{WORDS[code]} ({duration(seconds, exact=True)})" for code, seconds in left)
            said_of_it.append(f"{duration(sum(s for _, s in left), exact=True)} are left out: {reasons}.")
        if any(piece.crop for piece in self.pieces):
            said_of_it.append("Black bars are cropped away.")
        if self.is_guessed and self.pieces:
            said_of_it.append("Nobody said who is meant, so whoever is seen longest was taken for the person: please look.")
        return said_of_it

    def _of_pieces(self) -> str:
        took = duration(self.seconds_taken, exact=True)
        if self.added:
            return f"Cut into {count(len(self.added), 'piece')} ({took}): {', '.join(self.added)}."
        if self.known:
            return f"It was cut into {count(len(self.known), 'piece')} before: {', '.join(self.known)}."
        if self.pieces:
            return f"{count(len(self.pieces), 'piece')} of it ({took}) could be trained."
        return "No piece of it could be found."


@dataclass(frozen=True, kw_only=True)
class PiecesReport(Facts):
    """What a look for pieces came to."""

    ALWAYS_WRITTEN: ClassVar[tuple[str, ...]] = ("videos", "stopped")
    videos: tuple[VideoReport, ...] = ()
    stopped: bool = False


@dataclass(frozen=True, kw_only=True)
class StillsReport(Facts):
    """Which photos were taken out of a clip."""

    ALWAYS_WRITTEN: ClassVar[tuple[str, ...]] = ("clip", "added", "stopped")
    clip: str
    added: tuple[str, ...] = ()
    stopped: bool = False


def in_short(videos: Sequence[VideoReport]) -> str:
    """One sentence about several: "cut into 6 pieces (31 s); 38 min are left out: nobody is seen (31 min), ..."."""
    pieces = sum(len(video.added) for video in videos)
    took = sum(video.seconds_taken for video in videos if video.added)
    left = _sum_up(video.left_out() for video in videos if not video.problem)
    words = f"cut into {count(pieces, 'piece')} ({duration(took, exact=True)})" if pieces else "no piece was cut"
    if left:
        reasons = ", ".join(f"{WORDS[code]} ({duration(seconds, exact=True)})" for code, seconds in left)
        words += f"; {duration(sum(s for _, s in left), exact=True)} are left out: {reasons}"
    return words


def _sum_up(parts: Iterable[Iterable[tuple[str, float]]]) -> list[tuple[str, float]]:
    sums: dict[str, float] = {}
    for part in parts:
        for code, seconds in part:
            sums[code] = sums.get(code, 0.0) + seconds
    return sorted(sums.items(), key=lambda entry: -entry[1])


def report_file(project: Project, content: str) -> Path:
    """Where the report about a clip of that content lies."""
    return project.cache_dir / "pieces" / f"{content[:32]}.json"


def read_report(project: Project, item: Item) -> VideoReport | None:
    """What the last look through an item found; None where nobody looked since it was changed, or its file is damaged: then the log says so."""
    file = report_file(project, item.sha256)
    if not file.is_file():
        return None
    try:
        return read_facts(VideoReport, file)
    except (OSError, ValueError):
        log.warning("the report about %s can't be read; a new look through it writes it anew", item.id, exc_info=True)
        return None
