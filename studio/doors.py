"""Doors: folders in which each file is a member, found because it lies there; a new member is one new file. Standard library only."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any


def member_names(folder: Path, first: str = "", patterns: Sequence[str] = ("*.py",)) -> tuple[str, ...]:
    """The names of a door's members, `first` before the others; nothing is imported. A file whose name begins with _ is none.

    A member in a folder of its own (as the pattern says) has a dotted name.
    """
    found = (path.relative_to(folder).with_suffix("").parts for pattern in patterns for path in folder.glob(pattern))
    names = sorted(".".join(parts) for parts in found if all(part.isidentifier() and not part.startswith("_") for part in parts))
    return tuple(sorted(names, key=lambda name: name != first))


def load_member(package: str, name: str, gives: str) -> Any:
    """What the file `name` of a package gives under the attribute `gives`. ValueError if it gives no such thing."""
    return getattr(_load(f"{package}.{name}", (gives,)), gives)


def members(package: str, gives: Sequence[str], patterns: Sequence[str] = ("*.py",)) -> tuple[ModuleType, ...]:
    """The modules of a package, one for each file in its folders, by name. ValueError names a file that lacks one of the attributes `gives`."""
    folders = importlib.import_module(package).__path__
    names = sorted({name for folder in folders for name in member_names(Path(folder), patterns=patterns)})
    return tuple(_load(f"{package}.{name}", gives) for name in names)


def _load(name: str, gives: Sequence[str]) -> ModuleType:
    module = importlib.import_module(name)
    if missing := [part for part in gives if not hasattr(module, part)]:
        raise ValueError(f"{name} gives no {missing[0]}; every file of its kind gives {', '.join(gives)}")
    return module
