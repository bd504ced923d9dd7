"""Where a pair can be exported to: one file each, found because it lies here. Naming them imports none."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from studio.doors import load_member, member_names

if TYPE_CHECKING:
    from studio.export.target import Target


def target_names() -> tuple[str, ...]:
    """As `--to` takes them."""
    return tuple(name.replace("_", "-") for name in member_names(Path(__file__).parent, first="comfyui"))


@functools.cache
def find_target(name: str) -> Target:
    """ValueError names the targets there are."""
    if name not in target_names():
        raise ValueError(f"there is no export to {name!r}; choose one of {', '.join(target_names())}")
    target: Target = load_member(__name__, name.replace("-", "_"), "TARGET")
    if target.name != name:
        raise ValueError(f"the target in the file of {name!r} is named {target.name!r}; the two must be the same")
    return target


def all_targets() -> tuple[Target, ...]:
    return tuple(find_target(name) for name in target_names())
