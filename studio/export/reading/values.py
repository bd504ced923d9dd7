"""The values of another program's config, each taken once: what became a setting here, what is the same here, and what is no use, with why."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from studio.errors import Problem
from studio.project_facts import clean_line

MAX_VALUES, MAX_SHOWN = 4000, 80
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
SAME_HERE = "the same here"


def _show(value: object) -> str:
    try:
        text = clean_line(str(value).lower() if isinstance(value, bool) else str(value))
        return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
    except ValueError:  # Python writes no number of thousands of digits
        return "a very large number"


@dataclass(frozen=True)
class Counts:
    """How many photos and clips are kept here: trainers that count epochs need it."""

    photos: int = 0
    clips: int = 0

    @property
    def items(self) -> int:
        return self.photos + self.clips


@dataclass
class Found:
    """What was read: settings {dotted name: value} that TrainConfig takes; (their name, their value, ours) of what became one, or is the same
    here; and (their name, their value, why not) of the rest."""

    program: str
    settings: dict[str, Setting] = field(default_factory=dict)
    became: list[tuple[str, str, str]] = field(default_factory=list)
    without: list[tuple[str, str, str]] = field(default_factory=list)

    def become(self, name: str, value: object, ours: str) -> None:
        self.became.append((clean_line(name)[:MAX_SHOWN], _show(value), ours))

    def leave(self, name: str, value: object, why: str) -> None:
        self.without.append((clean_line(name)[:MAX_SHOWN], _show(value), why))

    def to_dict(self) -> dict[str, Any]:
        became, without = ([list(entry) for entry in entries] for entries in (self.became, self.without))
        return {"program": self.program, "settings": self.settings, "became": became, "without": without}


class Values:
    """The values of a config by dotted name; each is taken once, and what nobody took has no counterpart."""

    def __init__(self, data: object, found: Found, prefix: str = "") -> None:
        self.left: dict[str, Any] = {}
        self.found, self.prefix = found, prefix
        if data:  # an empty config holds nothing that could be left out
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

    def take(self, name: str, kind: Kind, default: Any = None, ours: str = SAME_HERE) -> Any:
        """The value of that name if it is of that kind, else the default; a wrong one is named. ours: what it becomes here."""
        if name not in self.left:
            return default
        value = self.left.pop(name)
        taken = as_kind(value, kind)
        if taken is None:
            self.leave(name, value, f"it must be {kind}")
            return default
        self.become(name, value, ours)
        return taken

    def drop(self, name: str, why: str) -> None:
        """Name a value that is there as one that is no use."""
        if name in self.left:
            self.leave(name, self.left.pop(name), why)

    def become(self, name: str, value: object, ours: str) -> None:
        self.found.become(self.prefix + name, value, ours)

    def leave(self, name: str, value: object, why: str) -> None:
        self.found.leave(self.prefix + name, value, why)

    def take_into(self, table: Mapping[str, tuple[str, Kind]]) -> dict[str, Setting]:
        """{their name: (our setting, kind)}: what means the same."""
        taken = {ours: self.take(theirs, kind, ours=ours) for theirs, (ours, kind) in table.items()}
        return {ours: value for ours, value in taken.items() if value is not None}

    def take_size(self, name: str, ours: str) -> int | None:
        """The largest of a number, a pair, or a list of these (of a pair: the side of a square of that area), or None."""
        if name not in self.left:
            return None
        value = self.left.pop(name)
        several = _sizes(value)
        usable = [side for size in several if (side := _side(size))]
        if len(usable) < len(several) or not usable:
            self.leave(name, value, "it must be numbers")
        elif len(set(usable)) > 1:
            each = ", ".join(str(side) for side in usable)
            self.leave(name, value, f"there everything is learned at each of {each} px, here at one size: {max(usable)}")
        if usable:
            self.become(name, max(usable), ours)
        return max(usable, default=None)

    def take_size_pair(self, name: str, ours: str) -> int | None:
        """One size: a number, or width and height, of which it is the side of a square of that area; or None."""
        if name not in self.left:
            return None
        value = self.left.pop(name)
        side = _side(value)
        if side:
            self.become(name, value, ours)
        else:
            self.leave(name, value, "it must be a number, or width and height")
        return side or None

    def take_choice(self, name: str, table: Mapping[str, str], ours: str = SAME_HERE) -> str | None:
        """Ours for one of the words of a table, or None."""
        if name not in self.left:
            return None
        value = self.left.pop(name)
        word = value.casefold() if isinstance(value, str) else ""
        if word not in table:
            known = f"there are {', '.join(dict.fromkeys(table.values()))} here"
            self.leave(name, value, known if isinstance(value, str) else f"it must be {TEXT}")
            return None
        self.become(name, value, ours)
        return table[word]

    def take_choices(self, tables: Mapping[str, tuple[str, Mapping[str, str]]]) -> dict[str, Setting]:
        """{their name: (our setting, {their word: ours})}: what was chosen."""
        taken = {ours: self.take_choice(theirs, table, ours) for theirs, (ours, table) in tables.items()}
        return {ours: choice for ours, choice in taken.items() if choice is not None}

    def take_kind_of_network(self, name: str) -> None:
        if str(self.left.get(name, "lora")).casefold() == "lora":
            self.take(name, TEXT)
        else:
            self.drop(name, "only LoRAs are trained here; its size may mean something else")

    def take_alpha(self, name: str, rank: object, usual: float | None = None) -> None:
        """Alpha, which is always the rank here. usual: what it is there where nothing is said."""
        alpha, said = self.take(name, NUMBER, usual), name in {entry.removeprefix(self.prefix) for entry, _, _ in self.found.became}
        if alpha is None or alpha == rank:
            return
        if said:
            self.found.became.pop()
        strength = f": the same learning speed acts {_times(as_number(rank), alpha)}" if as_number(rank) else ""
        self.leave(name, alpha if said else f"{alpha:g} (as nothing is said)", f"alpha is always the rank here{strength}")

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


def _sizes(value: object) -> list[object]:
    """A number, a text with commas, or a list."""
    if isinstance(value, str):
        return list(value.split(","))
    return value if isinstance(value, list) else [value]


def _side(size: object) -> int | None:
    """The side of a square of that area, for a pair of numbers."""
    if isinstance(size, list) and len(size) == 2:
        width, height = (as_number(side) or 0 for side in size)
        return round(math.sqrt(max(0, width * height)))
    return as_whole(size)


def _times(rank: float | None, alpha: float) -> str:
    """How much stronger a learning speed acts where alpha is the rank."""
    factor = (rank or 0) / alpha if alpha else math.inf
    return f"{factor:g} times as strongly"


def enlarge(values: Values, name: str, value: int, theirs: str) -> None:
    """Take a number unless one that is larger was found for that setting; the one that is not used is named."""
    found = values.found
    before = found.settings.get(name, 0)
    if before and before != value:
        values.leave(theirs, min(value, int(before)), f"there is one {name} here: the largest, {max(value, int(before))}")
    found.settings[name] = max(value, int(before))
