"""A config file of another program as plain values, each taken once: its size is bounded, nothing in it is run, and what is no use is named. Torch-free."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from studio.errors import Problem
from studio.project_facts import clean_line

MAX_BYTES, MAX_VALUES, MAX_SHOWN = 256_000, 4000, 80
Setting = str | int | float | bool


class Kind(StrEnum):
    """What a value must be, in words."""

    WHOLE = "a whole number"
    NUMBER = "a number"
    YES_NO = "true or false"
    TEXT = "a text"


WHOLE, NUMBER, YES_NO, TEXT = Kind
_PLAIN: dict[Kind, type] = {YES_NO: bool, TEXT: str}
BY_ITSELF = "the studio does that by itself"


def _show(value: object) -> str:
    try:
        text = clean_line(str(value).lower() if isinstance(value, bool) else str(value))
        return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
    except ValueError:  # Python writes no number of thousands of digits
        return "a very large number"


@dataclass
class Found:
    """What was read: settings {dotted name: value} that TrainConfig takes, and (their name, their value, why not) of the rest."""

    program: str
    settings: dict[str, Setting] = field(default_factory=dict)
    without: list[tuple[str, str, str]] = field(default_factory=list)

    def leave(self, name: str, value: object, why: str) -> None:
        self.without.append((clean_line(name)[:MAX_SHOWN], _show(value), why))

    def to_dict(self) -> dict[str, Any]:
        return {"program": self.program, "settings": self.settings, "without": [list(entry) for entry in self.without]}


# -- files


class _PlainLoader(yaml.SafeLoader):
    """Plain data without references: a few lines of them can stand for more values than fit in memory."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it refers to another place in itself")
        return super().compose_node(parent, index)


def load_file(path: Path) -> dict[str, Any]:
    """The mapping in a file. Problem in words."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise Problem(f"{path.name} is too large for a config ({MAX_BYTES // 1000} kB at most).")
        text = data.decode("utf-8-sig")
        found = tomllib.loads(text.replace("\r\n", "\n")) if path.suffix.lower() == ".toml" else yaml.load(text, _PlainLoader)
    except FileNotFoundError:
        raise Problem(f"There is no file {path}.", fix="Check the spelling.") from None
    except UnicodeDecodeError:
        raise Problem(f"{path.name} is no text in UTF-8.") from None
    except RecursionError:
        raise Problem(f"{path.name} is nested too deeply to be a config.") from None
    except Problem:
        raise
    except (ValueError, yaml.YAMLError) as error:
        raise Problem(
            f"{path.name} can't be read: {one_line(error)}.", fix="Open it in the program that wrote it and save it again."
        ) from None
    if not isinstance(found, dict):
        raise Problem(f"{path.name} holds no settings.")
    return found


def one_line(error: Exception) -> str:
    return clean_line(str(error))[:200].rstrip(".")


# -- values


class Values:
    """The values of a config by dotted name; each is taken once, and what nobody took has no counterpart."""

    def __init__(self, data: object, found: Found, prefix: str = "") -> None:
        self.left: dict[str, Any] = {}
        self.found, self.prefix = found, prefix
        self._flatten(data, "")

    def _flatten(self, node: object, name: str) -> None:
        if isinstance(node, dict) and node:
            for key, value in node.items():
                self._flatten(value, f"{name}.{key}" if name else str(key))
        elif isinstance(node, list) and node and all(isinstance(value, dict) for value in node):
            for number, value in enumerate(node):
                self._flatten(value, f"{name}.{number}")
        else:
            if len(self.left) >= MAX_VALUES:
                raise Problem("There are too many values in it for a config.")
            self.left[name] = node

    def take(self, name: str, kind: Kind, default: Any = None) -> Any:
        """The value of that name if it is of that kind, else the default; a wrong one is named."""
        if name not in self.left:
            return default
        value = self.left.pop(name)
        taken = as_kind(value, kind)
        if taken is None:
            self.leave(name, value, f"it must be {kind}")
        return default if taken is None else taken

    def leave(self, name: str, value: object, why: str) -> None:
        self.found.leave(self.prefix + name, value, why)

    def take_into(self, table: Mapping[str, tuple[str, Kind]]) -> dict[str, Setting]:
        """{their name: (our setting, kind)}: what means the same."""
        taken = {ours: self.take(theirs, kind) for theirs, (ours, kind) in table.items()}
        return {ours: value for ours, value in taken.items() if value is not None}

    def take_largest(self, names: Iterable[str]) -> int | None:
        """The largest of numbers and lists of numbers (of pairs: the side of a square of that area), or None."""
        sizes: list[int] = []
        for name in names:
            value = self.left.pop(name)
            several = value if isinstance(value, list) else [value]
            usable = [side for size in several if (side := _side(size))]
            sizes += usable
            if len(usable) < len(several):
                self.leave(name, value, "it must be numbers")
            elif len(usable) > 1:
                self.leave(name, value, f"one size is used: {max(usable)}")
        return max(sizes, default=None)

    def take_choice(self, name: str, table: Mapping[str, str]) -> str | None:
        """Ours for one of the words of a table, or None."""
        chosen = self.take(name, TEXT)
        if chosen is not None and chosen.casefold() not in table:
            self.leave(name, chosen, f"there are {', '.join(dict.fromkeys(table.values()))} here")
        return table.get((chosen or "").casefold())

    def take_choices(self, tables: Mapping[str, tuple[str, Mapping[str, str]]]) -> dict[str, Setting]:
        """{their name: (our setting, {their word: ours})}: what was chosen."""
        taken = {ours: self.take_choice(theirs, table) for theirs, (ours, table) in tables.items()}
        return {ours: choice for ours, choice in taken.items() if choice is not None}

    def take_kind_of_network(self, name: str) -> None:
        kind = self.take(name, TEXT)
        if kind is not None and kind.casefold() != "lora":
            self.leave(name, kind, "only LoRAs are trained here; its size may mean something else")

    def named(self, ending: str, within: str = "") -> list[str]:
        return [name for name in self.left if name.startswith(within) and name.rpartition(".")[2] == ending]

    def leave_rest(self, reasons: Mapping[str, str]) -> None:
        """Name what is left, with the reason of the longest beginning that fits."""
        for name, value in self.left.items():
            plain = ".".join(part for part in name.split(".") if not part.isdigit())  # datasets.0.folder_path: of the first of several
            fits = [start for start in reasons if plain == start or plain.startswith(f"{start}.")]
            self.leave(name, value, reasons[max(fits, key=len)] if fits else "there is nothing like it here")
        self.left = {}


def as_kind(value: object, kind: Kind) -> Any:
    """The value as that kind, or None."""
    if kind == WHOLE:
        return as_whole(value)
    if kind == NUMBER:
        return as_number(value)
    return value if isinstance(value, _PLAIN[kind]) else None


def as_number(value: object) -> float | None:
    try:  # YAML reads 1e-4 as a text
        number = float(value) if not isinstance(value, bool) and isinstance(value, (int, float, str)) else math.nan
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def as_whole(value: object) -> int | None:
    number = as_number(value)
    return int(number) if number is not None and number == int(number) else None


def _side(size: object) -> int | None:
    """The side of a square of that area, for a pair of numbers."""
    if isinstance(size, list) and len(size) == 2:
        width, height = (as_number(side) or 0 for side in size)
        return round(math.sqrt(max(0, width * height)))
    return as_whole(size)


def enlarge(found: Found, name: str, value: int) -> None:
    found.settings[name] = max(value, found.settings.get(name, 0))
