"""What travels between rooms and lies in JSON files: frozen dataclasses, read and written by one mechanism that keeps fields it does not know.

The format of a file is read here and nowhere else. A file of an older format is brought up to date by the steps of its kind; one of a newer
format is read as far as it is understood, and never written.
"""

import contextlib
import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from studio.disk import FORMAT, read_json, write_json
from studio.errors import NewerFormat

Step = Callable[[dict[str, Any]], dict[str, Any]]

_IN_MEMORY = "in_memory"
IN_MEMORY = {_IN_MEMORY: True}  # metadata of a field that stands beside what the file holds, and is neither read nor written


@dataclasses.dataclass(frozen=True, kw_only=True)
class Facts:
    """Base of what is carried. A field without a default must be in the data; one whose value equals its default is not written,
    nor is one with the metadata IN_MEMORY.

    unknown: what else the data held, kept when it is written again: another version's fields, or a person's own.
    written_by: the format of the file that the facts are from, after the steps that bring an older one up to date.
    """

    STEPS: ClassVar[
        Mapping[int, Step]
    ] = {}  # format -> what makes the data of such a file those of the next format; none: they are the same

    ALWAYS_WRITTEN: ClassVar[
        tuple[str, ...]
    ] = ()  # fields that are written although they equal their default: other programs look for them
    unknown: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False, compare=False)
    written_by: int = dataclasses.field(default=FORMAT, repr=False, compare=False)

    @property
    def is_newer(self) -> bool:
        """Whether a newer version of the studio wrote them, so that they may only be looked at."""
        return self.written_by > FORMAT

    @classmethod
    def from_json(cls, data: Any, where: str) -> Self:
        """From plain JSON types. ValueError names what is missing or of a wrong kind, and where."""
        if not isinstance(data, Mapping):
            raise ValueError(f"{where} is damaged: expected a table of facts, got {str(data)[:60]!r}")
        readers = _readers(cls)
        missing = [name for name in _required(cls) if name not in data]
        if missing:
            raise ValueError(f"{where} is damaged: {missing[0]!r} is missing")
        known = {name: readers[name](data[name], f"{where}, {name}") for name in data if name in readers}
        return cls(**known, unknown={name: value for name, value in data.items() if name not in readers})

    def to_json(self) -> dict[str, Any]:
        """As plain JSON types, unknown fields among them."""
        written = dict(self.unknown)
        for field in _fields(type(self)):
            value = getattr(self, field.name)
            if field.name in self.ALWAYS_WRITTEN or not _is_default(field, value):
                written[field.name] = _to_json(value)
        return written


Kind = typing.TypeVar("Kind", bound=Facts)


def read_facts(kind: type[Kind], path: Path) -> Kind:
    """The facts in a JSON file. OSError if it is not there; ValueError if it is damaged; NewerFormat if a newer version of the studio wrote
    it in a way that is not understood here. What is understood of a newer file `is_newer`."""
    data = read_json(path)
    written_by = _take_format(data, path.name)
    for number in range(written_by, FORMAT):
        data = kind.STEPS[number](data) if number in kind.STEPS else data
    try:
        facts = kind.from_json(data, path.name)
    except ValueError:
        if written_by > FORMAT:
            raise NewerFormat(path.name) from None
        raise
    return dataclasses.replace(facts, written_by=max(written_by, FORMAT))


def write_facts(path: Path, facts: Facts) -> None:
    """NewerFormat if they are from a file of a newer format: what this version does not know of it would be lost."""
    if facts.is_newer:
        raise NewerFormat(path.name)
    write_json(path, facts.to_json())


def _take_format(data: dict[str, Any], where: str) -> int:
    """Take the format out of a file's data; 0 for a file of the time before formats were written, or made by hand."""
    written_by = data.pop("format", 0)
    if not isinstance(written_by, int) or isinstance(written_by, bool) or written_by < 0:
        raise ValueError(f"{where} is damaged: its format is {str(written_by)[:40]!r}")
    return written_by


# -- one field


@functools.cache
def _fields(kind: type[Facts]) -> tuple[dataclasses.Field[Any], ...]:
    return tuple(f for f in dataclasses.fields(kind) if f.name not in ("unknown", "written_by") and not f.metadata.get(_IN_MEMORY))


@functools.cache
def _required(kind: type[Facts]) -> tuple[str, ...]:
    nothing = dataclasses.MISSING
    return tuple(f.name for f in _fields(kind) if f.default is nothing and f.default_factory is nothing)


def _is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    if field.default is not dataclasses.MISSING:
        return bool(value == field.default) and not (isinstance(value, Facts) and value.to_json() != field.default.to_json())
    return field.default_factory is not dataclasses.MISSING and bool(value == field.default_factory())


def _to_json(value: Any) -> Any:
    if isinstance(value, Facts):
        return value.to_json()
    if isinstance(value, Mapping):
        return {key: _to_json(part) for key, part in value.items()}
    return [_to_json(part) for part in value] if isinstance(value, (tuple, list)) else value


Reader = Callable[[Any, str], Any]


@functools.cache
def _readers(kind: type[Facts]) -> dict[str, Reader]:
    hints = typing.get_type_hints(kind)
    return {field.name: _reader(hints[field.name]) for field in _fields(kind)}


def _reader(hint: Any) -> Reader:
    """What turns a JSON value into one of that type, or raises ValueError."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return lambda value, where: value
    if origin in (typing.Union, types.UnionType):
        return _one_of(tuple(part for part in parts if part is not type(None)), type(None) in parts)
    if origin in (tuple, list):
        return _list_of(_reader(parts[0]), origin)
    if origin in (dict, Mapping):
        return _table_of(_reader(parts[1]))
    if isinstance(hint, type) and issubclass(hint, Facts):
        return hint.from_json
    if isinstance(hint, type) and issubclass(hint, tuple):
        return _row_of(hint)
    return _plain(hint)


def _one_of(kinds: tuple[type, ...], or_none: bool) -> Reader:
    """A value of one of these types as it is; else what the first of them makes of it that can, and the last one says what is wrong."""
    readers = [_reader(kind) for kind in kinds]

    def read_one(value: Any, where: str) -> Any:
        if (value is None and or_none) or type(value) in kinds:
            return value
        for read in readers[:-1]:
            with contextlib.suppress(ValueError):
                return read(value, where)
        return readers[-1](value, where)

    return read_one


def _list_of(read: Reader, made: type) -> Reader:
    """made: list for what is edited in place, else tuple."""

    def read_list(value: Any, where: str) -> Any:
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{where} is damaged: expected a list, got {str(value)[:60]!r}")
        return made(read(part, f"{where}[{number}]") for number, part in enumerate(value))

    return read_list


def _row_of(kind: Any) -> Reader:
    """A NamedTuple, which lies in the file as a list of its fields."""
    readers = [_reader(hint) for hint in typing.get_type_hints(kind).values()]

    def read_row(value: Any, where: str) -> Any:
        if not isinstance(value, (list, tuple)) or len(value) != len(readers):
            raise ValueError(f"{where} is damaged: expected {len(readers)} values, got {str(value)[:60]!r}")
        return kind(*(read(part, f"{where}[{number}]") for number, (read, part) in enumerate(zip(readers, value))))

    return read_row


def _table_of(read: Reader) -> Reader:
    def read_table(value: Any, where: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise ValueError(f"{where} is damaged: expected a table, got {str(value)[:60]!r}")
        return {key: read(part, f"{where}, {key}") for key, part in value.items()}

    return read_table


def _plain(kind: type) -> Reader:
    accepted: tuple[type, ...] = (int, float) if kind is float else (kind,)

    def read_plain(value: Any, where: str) -> Any:
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
            raise ValueError(f"{where} is damaged: expected {kind.__name__}, got {str(value)[:60]!r}")
        return float(value) if kind is float else value

    return read_plain
