"""The pictures that a captioner is shown of an item: a photo's one, or frames spread over a clip, bounded in size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from studio.data.item_record import Item

if TYPE_CHECKING:
    from PIL import Image

PHOTO_PIXELS = 768 * 768  # about 600 tokens of Qwen3-VL
FRAME_PIXELS = 384 * 384
NUM_FRAMES = 8  # of a clip, spread over its length
PHOTO_SIDE = 2048  # decoded no larger than this
MAX_ASPECT_RATIO = 20


@dataclass(frozen=True)
class ShownPictures:
    """fps: frames a second, so that frame i of a clip is the one at i / fps seconds; 0 for a photo."""

    pictures: Sequence[Image.Image]
    fps: float


def read_pictures(item: Item) -> ShownPictures:
    """ValueError or OSError if the file can't be read."""
    if item.problem:
        raise ValueError(item.problem)
    return _read_photo(item) if item.kind == "photo" else _read_frames(item)


def _read_photo(item: Item) -> ShownPictures:
    from studio.data.media.photos import load_photo  # the readers of photos and of clips are large, and each job needs its own

    picture = load_photo(item.path, max_side=PHOTO_SIDE)
    return ShownPictures([picture.resize(_bounded_size(*picture.size, PHOTO_PIXELS))], 0.0)


def _read_frames(item: Item) -> ShownPictures:
    from PIL import Image

    from studio.data.media.clips import read_frames

    fps = NUM_FRAMES / item.seconds
    frames = read_frames(item.path, NUM_FRAMES, fps, size=_bounded_size(item.width, item.height, FRAME_PIXELS))
    return ShownPictures([Image.fromarray(frame) for frame in frames], fps)


def _bounded_size(width: int, height: int, max_pixels: int) -> tuple[int, int]:
    """(width, height) of the same shape with at most about max_pixels; never larger."""
    if max(width, height) > MAX_ASPECT_RATIO * min(width, height):
        raise ValueError(f"{width} x {height} px is too narrow to describe; crop it")
    scale = min(1.0, (max_pixels / (width * height)) ** 0.5)
    return max(1, round(width * scale)), max(1, round(height * scale))
