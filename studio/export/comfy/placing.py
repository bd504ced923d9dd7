"""Puts files into folders of another program: never over another file, noted before it begins, and taken back out when that is asked for."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from studio.disk import RETRY_SECONDS, file_sha256, patiently
from studio.errors import Problem
from studio.facts import Facts, read_facts, write_facts
from studio.workspace import Project

NOTES = "comfyui.json"  # of a project: what was put where
UNFINISHED = ".unfinished"  # after the name of a file that is being copied
CHUNK = 8 * 2**20


@dataclass(frozen=True, kw_only=True)
class PlacedFile(Facts):
    """A file that the studio put into another program's folder, and what was in it."""

    path: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Placed(Facts):
    """comfyui.json. pair: the id of the one that was put there last; comfyui: where, as it is called to people; said: what was told of it."""

    ALWAYS_WRITTEN = ("files",)
    pair: str = ""
    comfyui: str = ""
    files: tuple[PlacedFile, ...] = ()
    workflows: tuple[str, ...] = ()
    said: tuple[str, ...] = ()


@dataclass(frozen=True)
class TakenBack:
    """File names. changed: since they were put there, so they stay; held: they can't be deleted now, and it can be tried again."""

    removed: tuple[str, ...]
    changed: tuple[str, ...]
    held: tuple[str, ...]
    gone: tuple[str, ...]


def read_notes(project: Project) -> Placed:
    """What was put where; nothing before anything was."""
    try:
        return read_facts(Placed, project.root / NOTES)
    except FileNotFoundError:
        return Placed()


def write_notes(project: Project, notes: Placed) -> None:
    write_facts(project.root / NOTES, notes)


@dataclass(frozen=True)
class Put:
    """Where a file is now. was_there: it lay there before, with the same content."""

    path: Path
    was_there: bool


def put_file(project: Project, source: Path, folder: Path, name: str, elsewhere: Sequence[Path] = ()) -> Put:
    """A file's content in `folder`, under `name` or, where another file has it, under a new one. It is noted, so that it can be taken back.

    elsewhere: further folders in which a file of that name would be found instead. Problem if it can't be written; nothing is left of it then.
    """
    sha256 = file_sha256(source)
    for candidate in _names(name):
        others = [place / candidate for place in (folder, *elsewhere) if _exists(place / candidate)]
        if not others:
            return Put(_copy(project, source, folder / candidate, sha256), was_there=False)
        if all(_holds(path, sha256) for path in others):
            return Put(others[0], was_there=True)
    raise AssertionError("there is always another name")


def take_back(project: Project) -> TakenBack:
    """Delete what was put anywhere for this project, as far as it is as it was put. What can't be deleted now stays noted."""
    notes = read_notes(project)
    gone = [file for file in notes.files if not _exists(Path(file.path))]
    ours = [file for file in notes.files if file not in gone and _holds(Path(file.path), file.sha256)]
    removed = [file for file in ours if _delete(Path(file.path))]
    held = tuple(file for file in ours if file not in removed)
    changed = [file for file in notes.files if file not in (*gone, *ours)]
    if held:
        write_notes(project, replace(notes, pair="", files=held, workflows=(), said=()))
    else:
        (project.root / NOTES).unlink(missing_ok=True)
    return TakenBack(*(tuple(Path(file.path).name for file in files) for files in (removed, changed, held, gone)))


def _names(name: str) -> list[str]:
    path = Path(name)
    return [name, *(f"{path.stem}-{number}{path.suffix}" for number in range(2, 1000))]


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _holds(path: Path, sha256: str) -> bool:
    return path.is_file() and file_sha256(path) == sha256


def _copy(project: Project, source: Path, target: Path, sha256: str) -> Path:
    """Note it, then copy under another name and rename: a reader never sees half a file."""
    notes = read_notes(project)
    entry = PlacedFile(path=str(target), sha256=sha256)
    write_notes(project, replace(notes, files=(*(file for file in notes.files if file.path != entry.path), entry)))
    unfinished = target.with_name(f".{target.name}{UNFINISHED}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(source, "rb") as read, open(unfinished, "wb") as written:
            while chunk := read.read(CHUNK):
                written.write(chunk)
            written.flush()
            os.fsync(written.fileno())
        patiently(lambda: unfinished.rename(target), RETRY_SECONDS)
    except OSError as e:
        raise Problem(
            f"{target.name} can't be put into {target.parent} ({e.strerror or e}).",
            cost="Nothing there was changed.",
            fix="Check free space and permissions there, or name another folder.",
        ) from None
    finally:
        if unfinished.exists():
            patiently(unfinished.unlink, RETRY_SECONDS)
    return target


def _delete(path: Path) -> bool:
    try:
        patiently(path.unlink, RETRY_SECONDS)
    except OSError:  # open in the other program, or not ours to delete: it is named as kept
        return False
    return True
