"""curation.journal: what an import adds to curation.json, a line a file, so that a file costs the same whatever is there already.

A line says what records are from then on. It belongs to the curation.json of one number: whoever writes that file anew puts the lines into
it and counts on, so that lines that a kill left behind are never taken for news. A torn last line is ignored.
"""

import functools
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.data.item_record import Record
from studio.disk import FORMAT, append_jsonl, patiently, read_jsonl
from studio.errors import NewerFormat
from studio.facts import Facts
from studio.workspace import Project

RETRY_SECONDS = 2.0
_BLOCK_BYTES = 65_536
_HEAD_BYTES = 1024


@dataclass(frozen=True, kw_only=True)
class Line(Facts):
    """What one file changed. after: the number of the curation.json that it adds to."""

    ALWAYS_WRITTEN = ("format", "after")
    format: int = FORMAT
    after: int = 0
    items: Mapping[str, Record] = field(default_factory=dict)
    gone: tuple[str, ...] = ()  # ids of records that went
    originals: Mapping[str, str] = field(default_factory=dict)
    next: Mapping[str, int] = field(default_factory=dict)


def journal_file(project: Project) -> Path:
    return project.root / "curation.journal"


def append(project: Project, line: Line) -> None:
    """Write a line; it is on the disk when this returns."""
    append_jsonl(journal_file(project), line.to_json(), sync=True)


def read(project: Project) -> list[Line]:
    """All whole lines, in order. ValueError if one is no line of a journal; NewerFormat if a newer studio wrote one."""
    path = journal_file(project)
    head, size = _look(path)
    lines, offset = list[Line](), 0
    while offset + _BLOCK_BYTES <= size:
        block, end = _read_block(path, head, offset)
        if end == offset:
            break  # a line that is torn, however long it is
        lines, offset = [*lines, *block], end
    lines += _lines_of(path, read_jsonl(path, offset)[0])
    if any(line.format > FORMAT for line in lines):
        raise NewerFormat(path.name)
    return lines


def _look(path: Path) -> tuple[bytes, int]:
    """(how it begins, its size): the first line names contents and times, which no other journal has."""
    try:
        with patiently(lambda: open(path, "rb"), RETRY_SECONDS) as file:
            return file.read(_HEAD_BYTES), file.seek(0, os.SEEK_END)
    except FileNotFoundError:
        return b"", 0


@functools.lru_cache(maxsize=256)
def _read_block(path: Path, head: bytes, offset: int) -> tuple[tuple[Line, ...], int]:
    """(lines, where the next block begins) of a part that is whole: a page that is open reads the journal after every file that comes in."""
    records, end = read_jsonl(path, offset, _BLOCK_BYTES)
    return _lines_of(path, records), end


def _lines_of(path: Path, records: Iterable[dict[str, Any]]) -> tuple[Line, ...]:
    return tuple(Line.from_json(data, path.name) for data in records)


def remove(project: Project) -> None:
    """Delete the journal once its lines are in curation.json. Where another program holds it, it stays, and its lines are known as old."""
    try:
        patiently(lambda: journal_file(project).unlink(missing_ok=True), RETRY_SECONDS)
    except PermissionError:
        return
