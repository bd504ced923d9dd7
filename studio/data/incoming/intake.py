"""The dataset while an import takes files in: looked through once, and again only where somebody else changed it, so that a file costs the
same whether ten are there or two thousand."""

import itertools
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from studio.data import dataset, records
from studio.data.captions.caption_files import caption_file, clean_caption, read_text, text_key, write_caption
from studio.data.incoming import journal
from studio.data.incoming.found import fold
from studio.data.incoming.journal import Line
from studio.data.item_record import Item, Record
from studio.data.media.kinds import MediaFacts
from studio.data.records import Curation
from studio.disk import file_sha256, locked, replace
from studio.workspace import Project


@dataclass(frozen=True, kw_only=True)
class NewMedia:
    """A finished media file on its way in, and the original it was made of."""

    media: Path
    facts: MediaFacts
    original: Path
    original_name: str
    original_sha256: str
    caption: str = ""
    caption_source: str = ""
    other_captions: tuple[str, ...] = ()  # that came with it and are not used


@contextmanager
def open_intake(project: Project) -> Iterator["Intake"]:
    """For one import; what it added lies in the journal meanwhile, and in curation.json at the end."""
    put_away_journal(project)
    yield Intake(project)
    put_away_journal(project)


def put_away_journal(project: Project) -> None:
    """Write the lines of the journal, one that a kill left included, into curation.json."""
    with locked(project.curation_file):
        if journal.journal_file(project).exists():
            records.save(project, records.load(project))


class Intake:
    """Finds what is there by its content, and adds to it."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._view = _View(Curation())
        self._seen: tuple[object, ...] = ()  # what the view was made of

    def find(self, sha256: str) -> str:
        """The id of the item that has this content, as its original or as its file; "" if none has."""
        if self._stamp() != self._seen:
            with locked(self._project.curation_file):
                self._look()
        return self._find(sha256)

    def item(self, item_id: str) -> Item:
        """An item that `find` found."""
        record = self._view.data.items[item_id]
        path = self._project.dataset_dir / record.file
        text = caption_file(path)
        return dataset.item_of(path, item_id, record, " ".join(read_text(text).split()) if text.is_file() else "")

    def add(self, new: NewMedia) -> tuple[str, str]:
        """Take a media file and its original into the project: (id, ""), or ("", id of the item that has the same content).

        Nothing is seen before it is whole: the original moves in first, the record and caption follow, the media file comes last and by
        one rename.
        """
        is_same = new.media.samefile(new.original)
        of_file = dataset.file_fields(new.media, new.original_sha256 if is_same else "")
        caption = clean_caption(new.caption)
        with locked(self._project.curation_file):
            if self._stamp() != self._seen:
                self._look()
            if known := self._find(new.original_sha256):
                return "", known
            name = self._place_original(new)
            item_id, number = self._free_id(new)
            path = self._project.dataset_dir / (item_id + new.media.suffix)
            record = Record(
                file=path.name, sha256=new.original_sha256, original=name, original_sha256=new.original_sha256, added=time.time(),
                caption_source=new.caption_source if caption else "", caption_key=text_key(caption),
                other_captions=new.other_captions, **new.facts.media_fields(), **of_file,
            )  # fmt: skip
            self._write(item_id, record, number)
            if caption:
                write_caption(path, caption)
            replace(new.media, path)
            self._seen = self._stamp()
        return item_id, ""

    def add_film(self, original: Path, name: str, sha256: str) -> str:
        """Take a film, of which pieces become items, into originals/; its name there."""
        facts = MediaFacts(kind="clip")
        new = NewMedia(media=original, facts=facts, original=original, original_name=name, original_sha256=sha256)
        with locked(self._project.curation_file):
            if self._stamp() != self._seen:
                self._look()
            placed = self._place_original(new)
            data = self._view.data
            if placed not in data.originals:
                records.add(self._project, data, Line(after=data.number, originals={placed: sha256}))
            self._seen = self._stamp()
        return placed

    def _write(self, item_id: str, record: Record, number: int) -> None:
        """One line of the journal."""
        view = self._view
        line = Line(
            after=view.data.number, items={item_id: record}, gone=tuple(self._without_file(record.original_sha256)),
            originals={record.original: record.original_sha256}, next={record.kind: number + 1},
        )  # fmt: skip
        records.add(self._project, view.data, line)
        view.index(item_id, record)
        self._project.dataset_dir.mkdir(exist_ok=True)

    def _stamp(self) -> tuple[object, ...]:
        folders = (self._project.dataset_dir, self._project.originals_dir)
        return records.stamps(self._project), *map(records.stamp, folders)

    def _look(self) -> None:
        """Look through everything that is there; the caller holds the lock."""
        data, _ = dataset.reconcile(self._project)
        self._view = _View(data)
        for item_id, record in data.items.items():
            self._view.index(item_id, record)
        for kind in ("photo", "clip"):
            self._view.next[kind] = records.next_number(self._project, data, kind)
        self._project.originals_dir.mkdir(exist_ok=True)
        for entry in os.scandir(self._project.originals_dir):
            if entry.is_file():
                self._view.note_original(entry.name, data.originals.get(entry.name, ""))
        self._seen = self._stamp()

    def _find(self, sha256: str) -> str:
        without = set(self._without_file(sha256))
        return next((item_id for item_id in self._having(sha256) if item_id not in without), "")

    def _having(self, sha256: str) -> list[str]:
        items = self._view.data.items
        return [item_id for item_id in self._view.by_content[sha256] if item_id in items] if sha256 in self._view.by_content else []

    def _without_file(self, sha256: str) -> list[str]:
        """Records of that content whose file somebody took out of dataset/."""
        items, folder = self._view.data.items, self._project.dataset_dir
        return [item_id for item_id in self._having(sha256) if not (folder / items[item_id].file).is_file()]

    def _free_id(self, new: NewMedia) -> tuple[str, int]:
        """(an id that no item, file or step of the history has ever had, its number)."""
        kind, folder = new.facts.kind, self._project.dataset_dir
        for number in itertools.count(self._view.next[kind]):
            path = folder / (records.id_of(kind, number) + new.media.suffix)
            if not path.exists() and not caption_file(path).exists():  # put there by hand since we looked
                break
        self._view.next[kind] = number + 1
        return records.id_of(kind, number), number

    def _place_original(self, new: NewMedia) -> str:
        """Move an original into originals/ under a free, portable name; its name there. The same content is kept once."""
        folder, view = self._project.originals_dir, self._view
        known = view.original_of.get(new.original_sha256) or self._left_by_a_crash(new)
        if known and (folder / known).is_file():
            return known
        stem, suffix = records.portable_name(new.original_name)
        for number in itertools.count(view.copies[fold(stem + suffix)] + 1):
            name = f"{stem}{f' ({number})' if number > 1 else ''}{suffix}"
            if fold(name) not in view.taken and not (folder / name).exists():
                break
        view.copies[fold(stem + suffix)] = number
        records.sync_file(new.original)
        replace(new.original, folder / name)
        view.note_original(name, new.original_sha256)
        return name

    def _left_by_a_crash(self, new: NewMedia) -> str:
        """The original of which nothing is written because a kill came just then."""
        size = new.original.stat().st_size
        for name in self._view.unwritten:
            path = self._project.originals_dir / name
            if path.is_file() and path.stat().st_size == size and file_sha256(path) == new.original_sha256:
                return name
        return ""


@dataclass
class _View:
    """What lies in the project, found by content and by name."""

    data: Curation
    by_content: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # hash -> ids
    next: dict[str, int] = field(default_factory=dict)  # kind -> the first number that is free
    original_of: dict[str, str] = field(default_factory=dict)  # hash -> name in originals/
    taken: set[str] = field(default_factory=set)  # names in originals/, as they are compared
    copies: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))  # name -> how many of it there are
    unwritten: list[str] = field(default_factory=list)  # names in originals/ of which nothing is written

    def index(self, item_id: str, record: Record) -> None:
        for content in record.hashes():
            self.by_content[content].append(item_id)

    def note_original(self, name: str, sha256: str) -> None:
        self.taken.add(fold(name))
        if sha256:
            self.original_of[sha256] = name
        else:
            self.unwritten.append(name)
