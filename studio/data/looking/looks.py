"""The looks of a project: measured once for a content and an eye, kept in one file that only grows, read by whoever judges."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.data.item_record import Item
from studio.data.looking.look import Look, typical
from studio.data.records import stamp
from studio.disk import append_jsonl, read_jsonl
from studio.errors import Problem
from studio.facts import Facts
from studio.models import eyes
from studio.models.catalogue import BaseModel, find_model
from studio.models.preset import ModelPreset, list_models, model_preset
from studio.workspace import Project, Workspace

VERSION = 3  # of the measuring: raise it when the same picture would give other numbers


@dataclass(frozen=True, kw_only=True)
class Seen(Facts):
    """A line of the file: what was seen of one content."""

    sha256: str
    looks: tuple[Look, ...]


@dataclass(frozen=True)
class Eyes:
    """Who looks at a project's pictures: the eye for real faces, and another one (the base model's own) for what that knows."""

    face: eyes.Eye
    drawn: eyes.Eye | None = None
    base: BaseModel | None = None
    trouble: str = ""  # why the other one can't look, in words

    @property
    def face_key(self) -> str:
        return _key_of(self.face, None)

    @property
    def drawn_key(self) -> str:
        return _key_of(self.drawn, self.base) if self.drawn else ""


def looks_of(project: Project) -> Mapping[str, tuple[Look, ...]]:
    """{sha256: its looks}: one of a photo, three or more of a clip. What was not measured is not in it."""
    return _read(looks_file(project))


def seen(project: Project, item: Item) -> tuple[Look, ...]:
    """The looks of one item; none where it was not measured."""
    return looks_of(project).get(item.sha256, ())


def seen_in(project: Project, items: Iterable[Item]) -> dict[str, Look]:
    """{id: its look} of the items that were looked at; of a clip the moment that says most."""
    known = looks_of(project)
    return {item.id: typical(known[item.sha256]) for item in items if known.get(item.sha256)}


def version(project: Project) -> tuple[int, ...]:
    """What the looks of a project follow from, cheap to look at."""
    return stamp(looks_file(project))


def looks_file(project: Project) -> Path:
    """One for each set of eyes and version of the measuring: what others saw is looked at anew."""
    who = find_eyes(project)
    return project.cache_dir / "looks" / f"{who.face_key}{who.drawn_key and '-' + who.drawn_key}-{VERSION}.jsonl"


def add(file: Path, sha256: str, looks: Sequence[Look]) -> None:
    """Append what was seen of one content."""
    file.parent.mkdir(parents=True, exist_ok=True)
    append_jsonl(file, Seen(sha256=sha256, looks=tuple(looks)).to_json())


def find_eyes(project: Project) -> Eyes:
    """Whose eyes are for a project's pictures."""
    return _find_eyes(project, project.facts().base_model)


def _find_eyes(project: Project, base_model: str) -> Eyes:
    face = eyes.find_face_eye()
    preset = preset_of(base_model)
    own = eyes.find_eye(preset) if preset else None
    if own is None or eyes.FACES in own.gives:
        return Eyes(face)
    try:
        return Eyes(face, own, _find_base(base_model, project.workspace) if own.needs_base else None)
    except Problem as e:
        return Eyes(face, trouble=f"{e} {e.fix}".strip())


@functools.lru_cache(maxsize=4)
def _find_base(base_model: str, workspace: Workspace) -> BaseModel:
    """Every file of a built-in model is read to check it: once is enough while a page asks every second."""
    return find_model(base_model, workspace)


def _key_of(eye: eyes.Eye, base: BaseModel | None) -> str:
    stamps = tuple((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in eye.files(base))
    known = _known_keys()
    if (eye.name, eye.version, stamps) not in known:
        known[eye.name, eye.version, stamps] = eyes.key_of(eye, base)
    return known[eye.name, eye.version, stamps]


@functools.cache
def _known_keys() -> dict[tuple[str, int, tuple[tuple[str, int, int], ...]], str]:
    """{(an eye, its version, sizes and times of its files): its key}; making one reads all of its files."""
    return {}


def preset_of(base_model: str) -> ModelPreset | None:
    """None where this studio does not know the base model."""
    return model_preset(base_model) if base_model in list_models() else None


def _read(file: Path) -> Mapping[str, tuple[Look, ...]]:
    """Reads on from where it stopped the last time."""
    book = _book(file)
    records, end = read_jsonl(file, book.end)
    if end < book.end:  # another file took its place
        book.looks.clear()
    for record in records:
        try:
            line = Seen.from_json(record, file.name)
        except ValueError:
            continue  # damaged: that content is looked at again
        book.looks[line.sha256] = line.looks
    book.end = end
    return book.looks


@dataclass
class _Book:
    """What was read of a file up to a byte."""

    looks: dict[str, tuple[Look, ...]]
    end: int = 0


@functools.lru_cache(maxsize=4)
def _book(file: Path) -> _Book:
    return _Book({})
