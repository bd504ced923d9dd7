"""What is measured of each moment of a clip by its pixels alone, on a small copy of it; cheap enough for every moment of a film."""

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np

SIDE = 320  # px of the copy's long side
_MOTION_SIDE = 160
HALF_SECOND = 8  # moments
_DIFFERS = 4  # levels: less is the grain of the picture
_WORTH_FOLLOWING = 0.02  # share of the picture that differs from half a second before: where less does, nothing goes to and fro
_DARK, _EVEN = 24, 4.0  # a line of a black bar: its brightest pixels, and how much they differ
_FLAT_LEVELS = 12
_REACHES = (4, 8)  # moments before and after, for pictures that fade into each other
_LEAST_FADE = 18.0  # levels between what is before and after


@dataclass(frozen=True)
class Measure:
    """The values of one moment, as `piece_facts.Stretch` names them."""

    luma: float
    spread: float
    flat: float
    change: float
    moved: float
    drift: float
    drifted: float
    shift_x: float
    shift_y: float
    bars: tuple[float, float, float, float]  # top, bottom, left, right


class Measuring:
    """Measures moments in their order."""

    def __init__(self) -> None:
        self._recent: deque[np.ndarray] = deque(maxlen=HALF_SECOND)
        self._window: np.ndarray | None = None

    def measure(self, grey: np.ndarray) -> Measure:
        """Of the (H, W) uint8 copy of the next moment."""
        smooth = cv2.GaussianBlur(grey, (3, 3), 0)
        before, long_before = (self._recent[-1], self._recent[0]) if self._recent else (smooth, smooth)
        change, moved = _differ(smooth, before)
        drift, drifted = _differ(smooth, long_before)
        shift_x, shift_y = self._shift(before, smooth) if drifted > _WORTH_FOLLOWING else (0.0, 0.0)
        self._recent.append(smooth)
        mean, deviation = cv2.meanStdDev(grey)
        return Measure(
            luma=float(mean[0, 0]), spread=float(deviation[0, 0]), flat=_flat(grey), change=change, moved=moved,
            drift=drift, drifted=drifted, shift_x=shift_x, shift_y=shift_y, bars=find_bars(grey),
        )  # fmt: skip

    def _shift(self, earlier: np.ndarray, smooth: np.ndarray) -> tuple[float, float]:
        """(x, y) that the whole picture went since the moment before, as shares of its width."""
        scale = _MOTION_SIDE / max(smooth.shape)
        size = max(16, round(smooth.shape[1] * scale)), max(16, round(smooth.shape[0] * scale))
        before, now = (cv2.resize(p, size, interpolation=cv2.INTER_AREA).astype(np.float32) for p in (earlier, smooth))
        if self._window is None or self._window.shape != now.shape:
            self._window = cv2.createHanningWindow(size, cv2.CV_32F)
        (x, y), response = cv2.phaseCorrelate(before, now, self._window)
        return (x / size[0], y / size[0]) if response > 0.05 else (0.0, 0.0)


def _differ(now: np.ndarray, before: np.ndarray) -> tuple[float, float]:
    """(mean difference in levels, share of the pixels that differ by more than grain)."""
    difference = cv2.absdiff(now, before)
    return float(difference.mean()), float((difference > _DIFFERS).mean())


def _flat(grey: np.ndarray) -> float:
    """Share of the picture within a narrow range of brightness, the commonest one."""
    counts = np.bincount(grey.ravel(), minlength=256)
    return float(np.convolve(counts, np.ones(_FLAT_LEVELS), "valid").max() / grey.size)


def find_bars(grey: np.ndarray) -> tuple[float, float, float, float]:
    """(top, bottom, left, right): how far black lines reach in from each side, as shares of the picture; a black picture has none."""
    rows, columns = _bar_lines(grey), _bar_lines(grey.T)
    if rows.all() or columns.all():
        return 0.0, 0.0, 0.0, 0.0
    ends = [int(np.argmin(lines)) / len(lines) for lines in (rows, rows[::-1], columns, columns[::-1])]
    return ends[0], ends[1], ends[2], ends[3]


def _bar_lines(grey: np.ndarray) -> np.ndarray:
    """(H,) bool: lines that are black and even, whatever the few pixels of a logo on them."""
    bright = np.partition(grey, int(grey.shape[1] * 0.97), axis=1)[:, int(grey.shape[1] * 0.97)]
    return (bright <= _DARK) & (grey.std(axis=1) <= np.maximum(_EVEN, grey.max(axis=1) * 0.1))


class Fading:
    """Finds pictures that fade into each other: in between, a moment is the mean of what was before and what comes."""

    def __init__(self) -> None:
        self._recent: deque[np.ndarray] = deque(maxlen=2 * _REACHES[-1] + 1)

    def add(self, grey: np.ndarray) -> float:
        """How far the moment that lies _REACHES[-1] moments back is from such a mean: 0 it is one, 1 it is none."""
        small = cv2.resize(grey, (96, 54), interpolation=cv2.INTER_AREA).astype(np.float32)
        self._recent.append(small)
        return self._judge(len(self._recent) - 1 - _REACHES[-1])

    def rest(self) -> list[float]:
        """Of the last moments, behind which too little comes."""
        return [1.0] * min(_REACHES[-1], len(self._recent))

    def _judge(self, at: int) -> float:
        if at < 0:
            return 1.0
        found = [1.0]
        for reach in _REACHES:
            if at < reach:
                continue
            before, now, after = (self._recent[at + step] for step in (-reach, 0, reach))
            apart = float(np.abs(before - after).mean())
            if apart > _LEAST_FADE:
                found.append(float(np.abs(now - (before + after) / 2).mean()) / apart)
        return min(found)


FADE_DELAY = _REACHES[-1]
