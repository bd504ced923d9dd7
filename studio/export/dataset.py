"""The kept part of a dataset as folders of media and captions that any trainer reads."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from studio.data.item_record import Item


@dataclass(frozen=True)
class Group:
    """Items that share a folder: all photos, or clips of one frame rate."""

    name: str  # folder below dataset/
    kind: str  # "photo" or "clip"
    fps: float
    items: tuple[Item, ...] = ()


def group_items(items: Iterable[Item]) -> tuple[Group, ...]:
    """Groups of the items: photos, then clips by frame rate, because other trainers take one rate for a folder."""
    groups: dict[tuple[str, str, float], list[Item]] = {}
    for item in items:
        fps = round(item.fps, 2) if item.kind == "clip" else 0.0
        name = f"clips-{fps:g}fps".replace(".", "_") if item.kind == "clip" else "photos"
        groups.setdefault((name, item.kind, fps), []).append(item)
    photos_first = sorted(groups.items(), key=lambda group: (group[0][1] != "photo", group[0]))
    return tuple(Group(name, kind, fps, tuple(members)) for (name, kind, fps), members in photos_first)


def copy_groups(groups: Iterable[Group], folder: Path) -> None:
    """Copy media and write captions below folder/dataset; originals keep their dates out of it."""
    for group in groups:
        target = folder / "dataset" / group.name
        target.mkdir(parents=True)
        for item in group.items:
            shutil.copyfile(item.path, target / item.path.name)
            (target / f"{item.path.stem}.txt").write_text(item.caption, encoding="utf-8", newline="\n")
