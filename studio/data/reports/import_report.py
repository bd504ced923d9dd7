"""What an import came to."""

from dataclasses import dataclass, field
from typing import NamedTuple

from studio.facts import Facts


class Duplicate(NamedTuple):
    name: str
    item_id: str  # of the item with the same content


class FileNote(NamedTuple):
    name: str
    words: str


@dataclass(frozen=True, kw_only=True)
class ImportReport(Facts):
    """What became of each file, by the name it was shown with. The result of an import job."""

    ALWAYS_WRITTEN = ("added", "duplicates", "rejected", "notes", "stopped")
    added: list[str] = field(default_factory=list)  # ids
    duplicates: list[Duplicate] = field(default_factory=list)
    rejected: list[FileNote] = field(default_factory=list)  # why it can't be used
    notes: list[FileNote] = field(default_factory=list)  # what to know of one that is in
    stopped: bool = False

    def num_files(self) -> int:
        return len(self.added) + len(self.duplicates) + len(self.rejected)
