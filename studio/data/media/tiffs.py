"""TIFFs that Pillow does not read: colours in floating point or in 32 bits, and luma with colour differences (YCbCr)."""

from pathlib import Path
from typing import Any

import numpy as np

_YCBCR = 6  # photometric interpretation


def open_tiff(path: Path) -> tuple[tuple[int, int], int, int]:
    """((width, height), orientation, bytes of its pixels) of its first picture, nothing decoded."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        page: Any = file.pages[0]
        orientation = page.tags.valueof(274, 1)
        return (page.imagewidth, page.imagelength), int(orientation), int(page.nbytes)


def read_tiff(path: Path) -> np.ndarray:
    """(height, width, 3 or 4) uint8, as it lies in the file. Whatever is wrong with the file raises anything."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        page: Any = file.pages[0]
        if page.photometric == _YCBCR:
            return _decode_ycbcr(path)
        pixels = np.asarray(page.asarray())
        if page.planarconfig == 2 and pixels.ndim == 3:  # a plane a colour
            pixels = np.moveaxis(pixels, 0, -1)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels[..., :4]
    levels = to_8_bit(pixels)
    return np.repeat(levels[..., :1], 3, axis=-1) if levels.shape[-1] < 3 else levels


def to_8_bit(pixels: np.ndarray) -> np.ndarray:
    """uint8 of any numbers: integers by their depth, floating point from 0 to 1; what goes beyond that, by its own range."""
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype.kind == "u":
        return (pixels >> (8 * pixels.dtype.itemsize - 8)).astype(np.uint8)
    pixels = np.nan_to_num(pixels.astype(np.float64), posinf=0, neginf=0)
    low, high = (0.0, 1.0) if pixels.min() >= 0 and pixels.max() <= 1 else (pixels.min(), pixels.max())
    return ((pixels - low) / max(high - low, 1e-9) * 255).round().astype(np.uint8)


def _decode_ycbcr(path: Path) -> np.ndarray:
    """By ffmpeg, which knows colour differences of half the size; they are JPEG's: BT.601, from 0 to 255."""
    import av
    from av.video.reformatter import ColorRange, Colorspace

    with av.open(str(path), format="tiff_pipe") as container:
        frame = next(container.decode(video=0))
        return frame.to_ndarray(format="rgb24", src_colorspace=Colorspace.ITU601, src_color_range=ColorRange.JPEG)
