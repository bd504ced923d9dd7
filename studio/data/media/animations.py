"""Animations (GIF, APNG, WebP, AVIF) as clips: their frames as they are shown, each at its time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from studio.data import limits
from studio.data.media import photos
from studio.data.media.clips import ClipInfo, check_frame_size
from studio.data.media.colours import Colours
from studio.data.media.kinds import SNIFF_BYTES

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_FORMATS = ("GIF", "PNG", "WEBP", "AVIF")
_SHORTEST_MS, _USUAL_MS = 11, 100  # browsers show a frame that asks for less as long as is usual
_BROKEN = "the animation is damaged and can't be read; save it again, as MP4 if you can"


def is_animation(path: Path) -> bool:
    """Whether a file that looks like a photo holds frames to be shown one after the other."""
    with open(path, "rb") as file:
        head = file.read(SNIFF_BYTES)
    if not (head.startswith(b"GIF8") or b"acTL" in head or head[12:21].startswith(b"VP8X") or b"avis" in head[8:64]):
        return False  # the many; nothing is opened for them
    try:
        with _opened(path) as image:
            return int(getattr(image, "n_frames", 1)) > 1
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError):
        return False  # the reader of photos says what is wrong


def probe_animation(path: Path) -> ClipInfo:
    """What it is as a clip. ValueError says why it can't be used."""
    if path.stat().st_size > limits.MAX_PHOTO_BYTES:
        raise ValueError(f"the animation is larger than {limits.MAX_PHOTO_BYTES // 1024**2} MB; save it as MP4 and import that")
    count, seconds, size = 0, 0.0, (0, 0)
    for _, shown, image in _pictures(path):
        size, count, seconds = image.size, count + 1, seconds + shown
    return ClipInfo(
        width=size[0], height=size[1], num_frames=count, fps=round(count / seconds, 4), seconds=round(seconds, 4), codec="",
        pixel_format="rgb24", rotation=0, square_pixels=True, trimmed=False, interlaced=False, colours=Colours(), ordered=True,
    )  # fmt: skip


def animation_frames(path: Path) -> Iterator[tuple[float, VideoFrame]]:
    """(seconds since the first frame, frame)."""
    import av

    for time, _, image in _pictures(path):
        yield time, av.VideoFrame.from_image(photos.to_rgb(image))


def _pictures(path: Path) -> Iterator[tuple[float, float, Image.Image]]:
    """(when it is shown, for how many seconds, the picture). ValueError where the file is damaged or too long."""
    time = 0.0
    with _opened(path) as image:
        check_frame_size(*image.size)
        num_frames = int(getattr(image, "n_frames", 1))
        if num_frames > limits.MAX_CLIP_FRAMES:
            raise ValueError(f"the animation has more than {limits.MAX_CLIP_FRAMES:,} frames; cut it and import the parts")
        for number in range(num_frames):
            _show(image, number)
            asked = float(image.info.get("duration") or 0)
            seconds = (asked if asked >= _SHORTEST_MS else _USUAL_MS) / 1000
            yield time, seconds, image
            time += seconds
            if time > limits.MAX_CLIP_SECONDS:
                raise ValueError(f"the animation lasts more than {limits.MAX_CLIP_SECONDS // 60} minutes; cut out what shows the person")


def _show(image: Image.Image, number: int) -> None:
    try:
        image.seek(number)
        image.load()
    except Exception as e:  # decoders fed with broken files raise anything
        raise ValueError(_BROKEN) from e


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(path, formats=_FORMATS) as image:
            yield image
