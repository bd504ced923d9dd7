"""Doors: folders in which each file is a member, found because it lies there; a new member is one new file. Standard library only."""

import functools
import importlib
from pathlib import Path
from types import ModuleType
from typing import Any


def member_names(folder: Path, first: str = "") -> tuple[str, ...]:
    """The names of a door's members, `first` before the others; nothing is imported. A file whose name begins with _ is none."""
    found = (path.stem for path in folder.glob("*.py"))
    names = sorted(name for name in found if name.isidentifier() and not name.startswith("_"))
    return tuple(sorted(names, key=lambda name: name != first))


def load_member(package: str, name: str, gives: str) -> Any:
    """What the file `name` of a package gives under the attribute `gives`. ValueError if it gives no such thing."""
    module = importlib.import_module(f"{package}.{name}")
    if not hasattr(module, gives):
        raise ValueError(f"{module.__name__} gives no {gives}; every file in its folder must")
    return getattr(module, gives)


def members(package: ModuleType) -> tuple[ModuleType, ...]:
    """The modules of a package, one for each file in its folders, by name: a door whose members are the files themselves."""
    return _members(package.__name__, tuple(package.__path__))


@functools.cache
def _members(package: str, folders: tuple[str, ...]) -> tuple[ModuleType, ...]:
    names = sorted({name for folder in folders for name in member_names(Path(folder))})
    return tuple(importlib.import_module(f"{package}.{name}") for name in names)
