"""The history of a dataset: what each change found in its place, so that undo puts it back."""

import json
import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self, cast

from studio.data import limits
from studio.data.captions.as_found import PLAIN, AsFound, find_bytes, put_back
from studio.data.captions.authorship import Authorship
from studio.data.captions.caption_files import caption_file, text_key
from studio.data.item_record import Item, Record, Said
from studio.data.remarks import Decision
from studio.disk import replace as move
from studio.facts import Facts
from studio.workspace import Project, safe_join

GROUP_SECONDS = 600  # automatic captions written within this time of each other are one step


@dataclass(frozen=True, kw_only=True)
class Change(Facts):
    """One item's part of a step. Files call its kind "op"."""

    ALWAYS_WRITTEN = ("op",)
    KINDS: ClassVar[dict[str, type["Change"]]] = {}
    op: str = ""
    id: str
    trash: str = ""  # the folder of trash/ that keeps the item's former files

    def __init_subclass__(cls) -> None:
        cls.KINDS[cls.__dict__["op"]] = cls

    @classmethod
    def from_json(cls, data: Any, where: str) -> Self:
        """A Change is read as the kind that it names."""
        if cls is not Change:
            return super().from_json(data, where)
        op = data["op"] if isinstance(data, Mapping) and "op" in data else ""
        if op not in cls.KINDS:
            raise ValueError(f"{where} is damaged: no change of the kind {str(op)[:40]!r} is known")
        return cast(Self, cls.KINDS[op].from_json(data, where))

    def undo(self, project: Project, records: dict[str, Record], items: dict[str, Item]) -> bool:
        """Put back what was there; False if the item changed so much meanwhile that it stays as it is."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class CaptionChange(Change):
    op: str = "caption"
    before: str
    source: str  # of the caption before
    after: str  # text_key of the caption that was written
    by: Authorship | None = None  # of the caption before
    found: AsFound = PLAIN  # what the file held beside the caption

    def undo(self, project: Project, records: dict[str, Record], items: dict[str, Item]) -> bool:
        item = items.get(self.id)
        if item is None or text_key(item.caption) != self.after:
            return False
        note_caption(records, item, self.before, self.source, self.by)
        put_back(item.path, self.before, self.found)
        return True


def change_caption(records: dict[str, Record], item: Item, text: str, source: str, by: Authorship | None = None) -> CaptionChange:
    """Note in an item's record that a caption is about to be written; the change that takes it back. by: who wrote it, if a captioner did."""
    found = find_bytes(item.path, item.caption)
    note_caption(records, item, text, source, by)
    return CaptionChange(id=item.id, before=item.caption, source=item.caption_source, by=item.caption_by, after=text_key(text), found=found)


def note_caption(records: dict[str, Record], item: Item, text: str, source: str, by: Authorship | None = None) -> None:
    """Note in an item's record who wrote the caption that is about to stand in its file."""
    record = replace(records[item.id], caption_key=text_key(text), caption_source="", caption_by=None)
    records[item.id] = replace(record, caption_source=source, caption_by=by) if text else record


@dataclass(frozen=True, kw_only=True)
class KeepChange(Change):
    op: str = "keep"
    before: Decision

    def undo(self, project: Project, records: dict[str, Record], items: dict[str, Item]) -> bool:
        record = records.get(self.id)
        if record is None:
            return False
        records[self.id] = decide(record, self.before)
        return True


def decide(record: Record, decision: Decision) -> Record:
    return replace(record, keep=decision.keep, reasons=decision.reasons, decided_by=decision.decided_by, held_out=decision.held_out)


@dataclass(frozen=True, kw_only=True)
class SaidChange(Change):
    """Somebody said who a photo shows."""

    op: str = "said"
    before: Said | None = None

    def undo(self, project: Project, records: dict[str, Record], items: dict[str, Item]) -> bool:
        record = records.get(self.id)
        if record is None:
            return False
        records[self.id] = replace(record, said=self.before)
        return True


@dataclass(frozen=True, kw_only=True)
class RemoveChange(Change):
    op: str = "remove"
    record: Record

    def undo(self, project: Project, records: dict[str, Record], items: dict[str, Item]) -> bool:
        folder, path = trash_dir(project, self.trash), project.dataset_dir / self.record.file
        for target in (caption_file(path), path):
            if (folder / target.name).exists() and not target.exists():
                move(folder / target.name, target)
        records[self.id] = self.record
        return path.exists()


@dataclass(frozen=True, kw_only=True)
class AddChange(Change):
    op: str = "add"

    def undo(self, project: Project, records: dict[str, Record], items: dict[str, Item]) -> bool:
        record = records.pop(self.id, None)
        if record:
            path = project.dataset_dir / record.file
            path.unlink(missing_ok=True)
            caption_file(path).unlink(missing_ok=True)
        return record is not None


@dataclass(frozen=True, kw_only=True)
class SwapChange(Change):
    op: str = "swap"
    record: Record

    def undo(self, project: Project, records: dict[str, Record], items: dict[str, Item]) -> bool:
        """Put the former media file back; caption and decision stay as they are now."""
        old = trash_dir(project, self.trash) / self.record.file
        now = records.get(self.id)
        if now is None or not old.exists():
            return False
        move(old, project.dataset_dir / self.record.file)
        former = replace(self.record, caption_source=now.caption_source, caption_key=now.caption_key, caption_by=now.caption_by)
        records[self.id] = decide(former, now.decision())
        return True


@dataclass(frozen=True, kw_only=True)
class Step(Facts):
    """What one press of Undo takes back."""

    ALWAYS_WRITTEN = ("text", "time", "group", "changes")
    text: str
    time: float
    group: str = ""  # steps of one group within GROUP_SECONDS become one
    changes: tuple[Change, ...] = ()


def remember(project: Project, history: list[Step], text: str, changes: Sequence[Change], group: str = "") -> None:
    """Append a step to the history; old steps fall off, and with them what they kept in trash/. With a group, text says {count}."""
    now = time.time()
    last = history[-1] if history else None
    if group and last and last.group == group and now - last.time < GROUP_SECONDS:
        changes = (*last.changes, *changes)
        history.pop()
    count = len({change.id for change in changes})
    words = text.format(count=count) if group else text
    history.append(Step(text=words, time=now, group=group, changes=tuple(changes)))
    sizes = [len(json.dumps(step.to_json())) for step in history]
    while len(history) > limits.HISTORY_STEPS or (len(history) > 1 and sum(sizes) > limits.HISTORY_BYTES):
        sizes.pop(0)
        for change in history.pop(0).changes:
            if change.trash:
                shutil.rmtree(trash_dir(project, change.trash), ignore_errors=True)


def new_trash(project: Project) -> str:
    """Make a new folder in trash/ and return its name; `trash_dir` makes a path of it."""
    token = f"{time.time_ns()}-{secrets.token_hex(2)}"  # Windows' clock stands still for 15 ms
    trash_dir(project, token).mkdir(parents=True)
    return token


def trash_dir(project: Project, token: str) -> Path:
    return safe_join(project.root / "trash", token)
