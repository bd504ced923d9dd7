"""curation.json: what the studio knows of each item beside its file and caption, and the history that undo walks back.

What an import adds lies in a journal beside it (studio.data.incoming.journal) until the file is written the next time. Callers hold `disk.locked(project.curation_file)` around load, change and save.
"""

import os
import re
import stat
import time
import unicodedata
from dataclasses import dataclass, field
from dataclasses import replace as changed
from pathlib import Path

from studio.data import limits
from studio.data.incoming import journal
from studio.data.incoming.journal import Line
from studio.data.item_record import NOT_MEASURED, Record
from studio.data.media.kinds import MediaFacts
from studio.data.media.probing import probe
from studio.data.remarks import UNREADABLE, Decision, Remark
from studio.data.undo_steps import Step, decide
from studio.disk import file_sha256
from studio.errors import NewerFormat, Problem
from studio.facts import Facts, read_facts, write_facts
from studio.workspace import Project, safe_join

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif")
CLIP_SUFFIXES = (".mp4", ".mov", ".webm", ".mkv")
Seen = tuple[int, int]  # size and mtime_ns of a file


@dataclass(frozen=True, kw_only=True)
class Curation(Facts):
    """What lies in curation.json. Its tables and its list are changed in place, what stands in them is replaced as a whole."""

    ALWAYS_WRITTEN = ("items", "originals", "next", "history")
    number: int = field(default=0, compare=False)  # counts the writings, for the lines of the journal to say which one they add to
    items: dict[str, Record] = field(default_factory=dict)
    originals: dict[str, str] = field(default_factory=dict)  # file name in originals/ -> sha256
    next: dict[str, int] = field(default_factory=dict)  # kind -> the number that no item ever had
    history: list[Step] = field(default_factory=list)

    def copy(self) -> "Curation":
        """As it is now, whatever is changed later."""
        tables = {"items": dict(self.items), "originals": dict(self.originals), "next": dict(self.next)}
        return changed(self, **tables, history=list(self.history))


def load(project: Project) -> Curation:
    """The project's curation data, empty where there is none yet. Problem if the file is damaged, or of a newer studio."""
    lines = _read_journal(project)  # first: what is put into curation.json meanwhile is then found there
    try:
        data = read_facts(Curation, project.curation_file)
    except FileNotFoundError:
        data = Curation()
    except Problem:
        raise
    except ValueError:
        raise _damaged(project, project.curation_file) from None
    for line in lines:
        if line.after == data.number:
            apply(data, line)
    return data


def apply(data: Curation, line: Line) -> None:
    """Change the data as a line of the journal says."""
    for item_id in line.gone:
        data.items.pop(item_id, None)
    data.items.update(line.items)
    data.originals.update(line.originals)
    data.next.update(line.next)


def _read_journal(project: Project) -> list[Line]:
    try:
        return journal.read(project)
    except Problem:
        raise
    except ValueError:
        raise _damaged(project, journal.journal_file(project)) from None


def _damaged(project: Project, file: Path) -> Problem:
    return Problem(
        f"{file.name} of {project.slug} is damaged.",
        cost="The photos and captions are all there.",
        fix="Restore that file from a backup, or delete it: then only the choice of photos and what could be undone are lost.",
    )


def save(project: Project, data: Curation) -> Curation:
    """Write everything, the journal's lines with it; the data as they are there now."""
    project.require_ours()
    data = changed(data, number=data.number + 1)
    write_facts(project.curation_file, data)
    journal.remove(project)
    return data


def add(project: Project, data: Curation, line: Line) -> None:
    """Change the data by a line, and write that one only."""
    project.require_ours()
    if data.is_newer:
        raise NewerFormat(project.curation_file.name)
    journal.append(project, line)
    apply(data, line)


def stamps(project: Project) -> tuple[int, ...]:
    """Changes whenever the project's curation data do."""
    return *stamp(project.curation_file), 0, *stamp(journal.journal_file(project))


def scan(project: Project) -> dict[str, Seen]:
    """{file name: (size, mtime_ns)} of dataset/, hidden files left out."""
    try:
        entries = list(os.scandir(project.dataset_dir))
    except FileNotFoundError:
        return {}
    found = {}
    for entry in entries:
        try:
            info = os.lstat(entry.path)  # not entry.stat(): on Windows that may be of the last time the file was closed
        except FileNotFoundError:  # removed while we looked
            continue
        if stat.S_ISREG(info.st_mode) and not entry.name.startswith("."):
            found[entry.name] = (info.st_size, info.st_mtime_ns)
    return found


def stamp(path: Path) -> tuple[int, ...]:
    """Changes whenever an atomically written file does; () while there is none."""
    try:
        info = path.stat()
    except FileNotFoundError:
        return ()
    return info.st_mtime_ns, info.st_size, info.st_ino


def stale(data: Curation, files: dict[str, Seen]) -> list[str]:
    """Media files of dataset/ that no record describes, or that changed since: they must be measured again."""
    known = {record.file: (record.file_size, record.file_mtime_ns) for record in data.items.values()}
    return sorted(n for n, seen in files.items() if n.casefold().endswith(PHOTO_SUFFIXES + CLIP_SUFFIXES) and known.get(n) != seen)


def describe(project: Project, data: Curation, name: str, seen: Seen) -> None:
    """Bring the record of dataset/<name> up to date with the file; a file put there by hand gets a new record."""
    path = project.dataset_dir / name
    try:
        sha256 = file_sha256(path)
    except OSError:  # removed, or still being copied by another program: the next look finds it
        return
    known = next(((item_id, record) for item_id, record in data.items.items() if record.file == name), None)
    item_id, record = known or (free_id(data, name), Record(kind=kind_by_name(path), file=name, added=time.time()))
    if sha256 == record.sha256 == record.original_sha256:
        record = changed(record, file_sha256=sha256)  # the original, in whose place a copy did not come: a kill came just then
    elif record.file_sha256 != sha256:
        if record.problem:  # it was damaged or half copied; it is another file now
            record = decide(record, Decision(decided_by=record.decided_by))
        facts, problem = probe_file(path)
        record = changed(
            record, file_sha256=sha256, sha256=sha256, measurements=NOT_MEASURED, said=None, problem=problem, **facts.media_fields()
        )
    if record.problem:
        record = unreadable(record)
    data.items[item_id] = changed(record, file_size=seen[0], file_mtime_ns=seen[1])


def unreadable(record: Record) -> Record:
    """The record of a file with a problem: it is left out for that."""
    reason = Remark(code=UNREADABLE, words=record.problem)
    return decide(record, Decision(keep=False, reasons=(reason,), decided_by=record.decided_by))


def kind_by_name(path: Path) -> str:
    return "clip" if path.suffix.casefold() in CLIP_SUFFIXES else "photo"


def probe_file(path: Path) -> tuple[MediaFacts, str]:
    """The facts of a media file, and what is wrong with it or ""."""
    try:
        return probe(path), ""
    except ValueError as e:
        return MediaFacts(kind=kind_by_name(path), num_frames=0), str(e)


def free_id(data: Curation, name: str) -> str:
    """The id of a file put into dataset/ by hand: its stem, or its whole name where that stem is taken."""
    stem = name.rsplit(".", 1)[0]
    return stem if stem not in data.items else name


def next_id(project: Project, data: Curation, kind: str) -> str:
    """An id that no item, file or step of the history has ever had: "0001" or "clip-01"."""
    number = next_number(project, data, kind)
    data.next[kind] = number + 1
    return id_of(kind, number)


def next_number(project: Project, data: Curation, kind: str) -> int:
    pattern = re.compile(r"clip-(\d+)$" if kind == "clip" else r"(\d+)$")
    names = [*data.items, *(name.rsplit(".", 1)[0] for name in scan(project))]
    used = [int(found[1]) for found in map(pattern.match, names) if found]
    return max([data.next.get(kind, 1), *(n + 1 for n in used)])


def id_of(kind: str, number: int) -> str:
    return f"clip-{number:02d}" if kind == "clip" else f"{number:04d}"


# -- names


def portable_name(name: str) -> tuple[str, str]:
    """(stem, suffix) of a file name that Windows, macOS and Linux all accept, from any text."""
    name = unicodedata.normalize("NFC", re.split(r"[/\\]", name)[-1])
    name = "".join("_" if c in '<>:"|?*' or unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in name).strip(" .")
    dot = name.rfind(".")
    stem, suffix = (name[:dot], name[dot:][:12]) if dot > 0 else (name, "")
    stem = stem.encode()[: limits.MAX_NAME_CHARACTERS].decode(errors="ignore").strip(" .")
    try:
        safe_join(".", stem or ".")
    except ValueError:  # nothing left, or a device's name
        stem = f"file-{stem}".rstrip("-")
    return stem, suffix


def sync_file(path: Path) -> None:
    """Have the system write a file to the disk before it is relied upon."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
