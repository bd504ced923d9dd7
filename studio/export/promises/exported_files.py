"""The media of an exported folder as another trainer finds them: sizes, lengths and rates, read from the files."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from studio.data.media.clips import probe_clip

PICTURES = (".jpg", ".jpeg", ".png", ".webp")  # those that exports write, and every trainer reads
CLIPS = (".mp4",)
FPS = 16.0  # at which WAN A14B draws, and all three read clips for it


@dataclass(frozen=True)
class Media:
    """One picture or clip with a caption."""

    name: str  # below dataset/
    width: int
    height: int
    num_frames: int = 1
    fps: float = 0.0  # 0 for a picture

    @property
    def is_clip(self) -> bool:
        return self.fps > 0


def read_toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def read_media(root: Path, folder: str) -> list[Media]:
    """The pictures and clips of a folder below `root` that have a caption file, by name."""
    found = (_read_one(path, root) for path in sorted((root / folder).iterdir()) if path.suffix in PICTURES + CLIPS)
    return [media for media in found if (root / media.name).with_suffix(".txt").is_file()]


def never_named(root: Path, seen: Iterable[str]) -> set[str]:
    """What lies below dataset/ and is in no folder that a config names, or has no caption."""
    lies = {path.relative_to(root).as_posix() for path in (root / "dataset").rglob("*") if path.suffix in PICTURES + CLIPS}
    return lies - set(seen)


def _read_one(path: Path, root: Path) -> Media:
    name = path.relative_to(root).as_posix()
    if path.suffix in CLIPS:
        info = probe_clip(path)
        return Media(name, info.width, info.height, info.num_frames, info.fps)
    with Image.open(path) as image:
        return Media(name, *image.size)
