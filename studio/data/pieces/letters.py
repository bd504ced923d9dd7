"""Lines of letters in a picture, as subtitles are burnt in: thin bright strokes on something dark, side by side. No reading."""

from dataclasses import dataclass

import cv2
import numpy as np

SIDE = 640  # px of the picture's long side
_BRIGHT, _DARK, _STROKE = 170, 90, 70  # levels
_DENSE = 0.24  # turns from stroke to ground a pixel, over a tenth of the width: lines on 31 photos .32 to .42, the photos alone up to .27
_LEAST_WIDE, _MOST_HIGH = 0.1, 0.14  # of a line, as shares of the picture's sides
_SEARCHED = ((0.0, 0.2), (0.7, 1.0))  # of the picture's height: where subtitles are


@dataclass(frozen=True)
class Letters:
    """The widest line: its width, and the height of its middle, as shares of the picture's sides. Nothing: 0, 0."""

    width: float = 0.0
    at: float = 0.0


def find_letters(picture: np.ndarray) -> Letters:
    """Of an (H, W, 3) uint8 RGB picture with a long side of SIDE."""
    height, width = picture.shape[:2]
    strokes = _strokes(picture)
    keep = np.zeros(height, bool)
    for low, high in _SEARCHED:
        keep[int(low * height) : int(high * height)] = True
    strokes[~keep] = 0
    turns = np.abs(np.diff(strokes.astype(np.int8), axis=1)).astype(np.float32)
    dense = cv2.blur(turns, (max(9, width // 10), max(5, min(width, height) // 36)), borderType=cv2.BORDER_CONSTANT) > _DENSE
    count, _, boxes, _ = cv2.connectedComponentsWithStats(dense.astype(np.uint8), connectivity=8)
    lines = [box for box in boxes[1:count] if box[2] >= _LEAST_WIDE * width and box[3] <= _MOST_HIGH * height]
    if not lines:
        return Letters()
    _, top, wide, high = max(lines, key=lambda box: box[2])[:4]
    return Letters(float(wide / width), float((top + high / 2) / height))


def _strokes(picture: np.ndarray) -> np.ndarray:
    """uint8 mask of thin bright or yellow strokes beside something dark."""
    bright = np.minimum(picture[..., 0], picture[..., 1])  # yellow is bright too
    thin = cv2.morphologyEx(bright, cv2.MORPH_TOPHAT, np.ones((11, 11), np.uint8))
    darkest = cv2.erode(bright, np.ones((7, 7), np.uint8))
    return ((bright >= _BRIGHT) & (thin >= _STROKE) & (darkest <= _DARK)).astype(np.uint8)
