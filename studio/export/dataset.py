"""The kept part of a dataset as folders of media and captions that any trainer reads."""

import shutil
from dataclasses import dataclass


@dataclass(frozen=True)
class Group:
    """Items that share a folder: all photos, or clips of one frame rate."""

    name: str  # folder below dataset/
    kind: str  # "photo" or "clip"
    fps: float
    items: tuple


def group_items(items):
    """Groups of the items: photos, then clips by frame rate, because other trainers take one rate for a folder."""
    groups = {}
    for item in items:
        fps = round(item.fps, 2) if item.kind == "clip" else 0.0
        name = f"clips-{fps:g}fps".replace(".", "_") if item.kind == "clip" else "photos"
        groups.setdefault((name, item.kind, fps), []).append(item)
    return [
        Group(name, kind, fps, tuple(items))
        for (name, kind, fps), items in sorted(groups.items(), key=lambda g: (g[0][1] != "photo", g[0]))
    ]


def copy_groups(groups, folder):
    """Copy media and write captions below folder/dataset; originals keep their dates out of it."""
    for group in groups:
        target = folder / "dataset" / group.name
        target.mkdir(parents=True)
        for item in group.items:
            shutil.copyfile(item.path, target / item.path.name)
            (target / f"{item.path.stem}.txt").write_text(item.caption, encoding="utf-8", newline="\n")
