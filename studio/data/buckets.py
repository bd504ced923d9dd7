"""Aspect-ratio buckets: the size at which a picture is trained, close to its own shape and never larger than it is, and what is cut off; and sizes for looking at it."""

import math


def choose_bucket(width: int, height: int, target_size: int, size_multiple: int) -> tuple[int, int]:
    """(width, height) to train a picture at: multiples of `size_multiple`, about target_size x target_size pixels in all.

    A picture larger than that is scaled down, a smaller one keeps its size; both are then rounded to multiples, whichever keep the
    shape best. What is over after scaling to cover the bucket is cut off (`choose_corner`): at most a multiple less one pixel.
    ValueError if a side is shorter than one multiple.
    """
    if min(width, height) < size_multiple:
        raise ValueError(f"a picture of {width} x {height} px is too small to train on; each side needs {size_multiple} px or more")
    scale = min(1.0, target_size / math.sqrt(width * height))
    candidates = [(w, h) for w in _multiples(width, scale, size_multiple) for h in _multiples(height, scale, size_multiple)]
    return min(candidates, key=lambda size: _misfit(size, width, height, scale))


def fit_side(width: int, height: int, side: int) -> tuple[int, int]:
    """(width, height) with a long side of at most that; never enlarged."""
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def cover_size(width: int, height: int, bucket: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of the picture scaled so that it just covers the bucket; the rest is cropped."""
    scale = max(bucket[0] / width, bucket[1] / height)
    return max(bucket[0], round(width * scale)), max(bucket[1], round(height * scale))


def choose_corner(
    width: int, height: int, bucket: tuple[int, int], keep: tuple[float, float, float, float] | None = None
) -> tuple[int, int]:
    """(left, top) of the bucket in the scaled picture of `cover_size`: in the middle, or moved as little as holds what is to be kept.

    keep: (left, top, right, bottom) in px of the picture. Where the bucket can't hold all of it, it lies in the middle of it.
    """
    scaled = cover_size(width, height, bucket)
    if keep is None:
        return (scaled[0] - bucket[0]) // 2, (scaled[1] - bucket[1]) // 2
    parts = ((keep[axis] * scaled[axis] / side, keep[axis + 2] * scaled[axis] / side) for axis, side in ((0, width), (1, height)))
    left, top = (_corner(have, want, *part) for have, want, part in zip(scaled, bucket, parts))
    return left, top


def _corner(have: int, want: int, low: float, high: float) -> int:
    """Where a window of `want` px begins in `have` px, so that it holds low to high."""
    low, high = max(0.0, low), min(float(have), high)
    start = (have - want) // 2
    if high - low > want:
        start = round((low + high - want) / 2)
    else:
        start = min(max(start, math.ceil(high) - want), math.floor(low))
    return min(max(start, 0), have - want)


def choose_num_frames(seconds: float, fps: float, wanted: int, temporal_factor: int) -> int:
    """Frames to train a clip at: the largest n * temporal_factor + 1 that it has at `fps`, at most the wanted number; at least 1."""
    there = math.floor(seconds * fps + 1e-3)
    return max(0, min(wanted, there) - 1) // temporal_factor * temporal_factor + 1


def _multiples(side: int, scale: float, multiple: int) -> list[int]:
    """The multiples just below and above the scaled side that the picture itself can fill."""
    below = max(multiple, math.floor(side * scale / multiple) * multiple)
    return [n for n in (below, below + multiple) if n <= side] or [below]


def _misfit(size: tuple[int, int], width: int, height: int, scale: float) -> tuple[float, tuple[int, int]]:
    """How much of shape and of area is lost; shape counts most."""
    shape = abs(math.log(size[0] / size[1] * height / width))
    area = abs(math.log(size[0] * size[1] / (width * height * scale * scale)))
    return shape + 0.5 * area, size
