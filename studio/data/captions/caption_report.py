"""What the writing of captions came to, item by item and as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from studio.disk import append_jsonl, read_jsonl
from studio.facts import Facts

WRITTEN, REFUSED, KEPT, FAILED, REMARK = "written", "refused", "kept", "failed", "remark"  # codes of notes; REMARK is about all items
COUNTED = (WRITTEN, REFUSED, KEPT, FAILED)


@dataclass(frozen=True, kw_only=True)
class CaptionNote(Facts):
    """What became of one item. id, file: of the item; text: what a person should know, "" where nothing; answer: what the captioner said."""

    id: str
    file: str
    text: str
    code: str = ""
    answer: str = ""


@dataclass(frozen=True, kw_only=True)
class CaptionReport(Facts):
    """How many captions were written, stayed as they were, or could not be written. The result of a caption job.

    refused: the captioner's answer was no use, and the caption that stood there before, or none, stands there still.
    """

    ALWAYS_WRITTEN = ("written", "refused", "kept", "failed", "stopped", "notes")
    written: int = 0
    refused: int = 0
    kept: int = 0
    failed: int = 0
    stopped: bool = False
    notes: tuple[CaptionNote, ...] = ()

    def adding(self, note: CaptionNote) -> Self:
        """With one item more."""
        counted = {note.code: getattr(self, note.code) + 1} if note.code in COUNTED else {}
        return replace(self, notes=(*self.notes, note) if note.text else self.notes, **counted)


def note_down(journal: Path | None, note: CaptionNote) -> None:
    """Keep what became of an item, so that a job that goes on does not ask about it again."""
    if journal is not None:
        append_jsonl(journal, note.to_json())


def read_journal(journal: Path | None) -> Sequence[CaptionNote]:
    """What was noted down before; nothing where the job begins. The last word on an item counts."""
    if journal is None:
        return ()
    notes = [CaptionNote.from_json(line, journal.name) for line in read_jsonl(journal)[0]]
    return tuple({note.id: note for note in notes}.values())
