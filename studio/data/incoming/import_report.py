"""What became of every file of an import: the result of the command and of the job."""

from dataclasses import dataclass, field
from typing import NamedTuple

from studio.data.pieces.piece_report import VideoReport
from studio.facts import Facts
from studio.words import count


class Duplicate(NamedTuple):
    name: str
    item_id: str  # of the item with the same content


class FileNote(NamedTuple):
    name: str
    words: str


@dataclass(frozen=True, kw_only=True)
class FileGroup(Facts):
    """Files of which one thing is said."""

    ALWAYS_WRITTEN = ("name", "words", "code", "files")
    name: str  # of the folder or file, as it is shown: what an answer names
    words: str  # what it holds, why it is left out, or what is asked
    code: str
    files: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class LeftOut(FileGroup):
    """Files that are no photos of the person. can_come: they are pictures, and come in when the person says so."""

    can_come: bool = False


@dataclass(frozen=True, kw_only=True)
class ReadAs(Facts):
    """One way to read texts whose encoding can't be told, and how the first of them begins then."""

    encoding: str
    sample: str


@dataclass(frozen=True, kw_only=True)
class Question(FileGroup):
    """Files of which only the person knows what they are. readings: where the question is how they are to be read."""

    readings: tuple[ReadAs, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ImportReport(Facts):
    """What became of each file, by the name it was shown with. Every file that was given is in one of added, duplicates, rejected, left_out,
    asked and texts, or was not reached when the import was stopped."""

    ALWAYS_WRITTEN = ("added", "duplicates", "rejected", "notes", "stopped", "left_out", "asked", "texts", "num_given")
    num_given: int = 0
    added: list[str] = field(default_factory=list)  # ids
    duplicates: list[Duplicate] = field(default_factory=list)
    rejected: list[FileNote] = field(default_factory=list)  # why it can't be used
    left_out: list[LeftOut] = field(default_factory=list)
    asked: list[Question] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)  # files that captions were read from
    notes: list[FileNote] = field(default_factory=list)  # what to know of one that is in
    films: list[FileNote] = field(default_factory=list)  # too long to be items; with their names in originals/
    videos: list[VideoReport] = field(default_factory=list)  # what became of the seconds of those, and of long clips
    stopped: bool = False

    def num_files(self) -> int:
        """Photos and clips that were looked at."""
        return len(self.added) + len(self.duplicates) + len(self.rejected) + len(self.films)

    def can_be_answered(self) -> bool:
        """Whether there are files that come in when the person says so."""
        return bool(self.asked) or any(group.can_come for group in self.left_out)


def describe_group(group: FileGroup) -> str:
    """A folder with the number of its files; a file by its name alone."""
    return group.name if group.files == (group.name,) else f"{group.name} ({count(len(group.files), 'file')})"
