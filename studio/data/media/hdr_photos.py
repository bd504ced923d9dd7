"""Photos in HDR or in video's wide gamuts: what their files say of their colours, and their pixels at full depth.

Pillow knows neither: it gives their numbers in 8 bits, as if they were sRGB.
"""

import struct
from pathlib import Path
from typing import Any

import numpy as np

from studio.data.media.colours import Colours

_PNG = b"\x89PNG\r\n\x1a\n"
_LOOK_BYTES = 1 << 18  # where files say what they are
_NCLX = b"colrnclx"


def find_colours(path: Path) -> Colours:
    """What a PNG's cICP chunk (PNG 3, 11.3.2.6) or the nclx of an AVIF or HEIF (ISO/IEC 23008-12) says; sRGB where nothing does."""
    with open(path, "rb") as file:
        head = file.read(12)
        if head.startswith(_PNG) or head[4:8] == b"ftyp":
            head += file.read(_LOOK_BYTES)
    if head.startswith(_PNG):
        return _in_png(head)
    if head[4:8] == b"ftyp":
        return _in_heif(head)
    return Colours()


def _in_png(head: bytes) -> Colours:
    position = len(_PNG)
    while position + 8 <= len(head):
        (length,), kind = struct.unpack_from(">I", head, position), head[position + 4 : position + 8]
        if kind == b"IDAT":
            break
        if kind == b"cICP" and length == 4 and position + 12 <= len(head):
            return Colours(head[position + 8], head[position + 9])
        position += 12 + length
    return Colours()


def _in_heif(head: bytes) -> Colours:
    """The first that says anything; a picture's own comes before those of its helpers."""
    place = head.find(_NCLX)
    while place >= 0 and place + 12 <= len(head):
        primaries, transfer = struct.unpack_from(">HH", head, place + len(_NCLX))
        if primaries not in (0, 2) or transfer not in (0, 2):
            return Colours(primaries, transfer)
        place = head.find(_NCLX, place + 1)
    return Colours()


def read_deep(path: Path, form: str, size: tuple[int, int]) -> np.ndarray | None:
    """(height, width, 3) uint16 of full range, not turned. None where the libraries can't read it at its depth, or at that size."""
    pixels = _read_heif(path) if form == "HEIF" else _read_by_ffmpeg(path, form)
    return pixels if pixels is not None and pixels.shape[1::-1] == size else None


def _read_heif(path: Path) -> np.ndarray:
    import pillow_heif

    image: Any = pillow_heif.open_heif(path, convert_hdr_to_8bit=False)
    pixels = np.asarray(image)[..., :3]
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint16) * 257
    return pixels


def _read_by_ffmpeg(path: Path, form: str) -> np.ndarray | None:
    import av
    from av.error import FFmpegError

    if form not in _DEMUXERS:
        return None
    try:
        with av.open(str(path), format=_DEMUXERS[form]) as container:
            frame = next(container.decode(video=0))
            return frame.to_ndarray(format="rgb48le")
    except (FFmpegError, StopIteration, IndexError):  # an AVIF in tiles, for one
        return None


_DEMUXERS = {"PNG": "png_pipe", "AVIF": "mov"}
