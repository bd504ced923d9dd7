"""What grows is a folder with one file a member; this finds the members of such a folder, so that adding one touches one file."""

import functools
import importlib
import pkgutil
from types import ModuleType


def members(package: ModuleType) -> tuple[ModuleType, ...]:
    """The modules of a package, one for each file in its folders, by name."""
    return _members(package.__name__, tuple(package.__path__))


@functools.cache
def _members(package: str, folders: tuple[str, ...]) -> tuple[ModuleType, ...]:
    found = sorted(module.name for module in pkgutil.iter_modules(folders) if not module.name.startswith("_"))
    return tuple(importlib.import_module(f"{package}.{name}") for name in found)
