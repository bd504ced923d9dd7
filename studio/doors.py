"""Doors: folders in which each file is a member, found because it lies there; a new member is one new file. Standard library only."""

import importlib
from pathlib import Path
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
