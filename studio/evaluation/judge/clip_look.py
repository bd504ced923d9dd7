"""One clip as scores see it; what several of them read is made once, when the first one asks. Numpy alone."""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

import numpy as np

from studio.evaluation.judge.likeness import Copies, Likeness
from studio.evaluation.sweep_facts import Prompt
from studio.models.eyes import FaceSight, NamingSight, Sight

FACE_ROOM = 1.7  # a face is shown with so much around it: of its longer side
WEIGHTS = (0.2126, 0.7152, 0.0722)  # of red, green and blue in what the eye takes for brightness


class Watching(Protocol):
    """Whose eye looks at a clip, and what it knows of the person; None where it can't."""

    @property
    def sight(self) -> Sight | None: ...

    @property
    def namer(self) -> NamingSight | None: ...

    @property
    def finder(self) -> FaceSight | None: ...

    @property
    def likeness(self) -> Likeness | None: ...

    @property
    def copies(self) -> Copies | None: ...


class Look:
    """frames: (F, H, W, 3) uint8; base: the base's clip of the same prompt and seed, None for that clip itself; watcher: whose eye there is."""

    def __init__(self, frames: np.ndarray, prompt: Prompt, watcher: Watching | None = None, base: Look | None = None) -> None:
        self.frames, self.prompt, self.watcher, self.base = frames, prompt, watcher, base

    @cached_property
    def luma(self) -> np.ndarray:
        """Brightness (F, H, W), 0..1."""
        return self.frames.astype(np.float32) @ np.array(WEIGHTS, np.float32) / 255

    @cached_property
    def likeness(self) -> tuple[float, float] | None:
        """(how like the person it is, the fall of that from its first to its last third); None where that can't be measured."""
        if self._rows is None or self.watcher is None or self.watcher.likeness is None:
            return None
        seen = self._rows[self._rows.any(axis=1)]  # frames in which nobody is seen say nothing of likeness
        return self.watcher.likeness.identity(seen) if len(seen) else None

    @cached_property
    def seen_share(self) -> float | None:
        """In how many of its frames somebody is seen; None where no eye looks."""
        return float(self._rows.any(axis=1).mean()) if self._rows is not None else None

    @cached_property
    def face(self) -> np.ndarray | None:
        """(S, S, 3) uint8: the face in the frame whose likeness is the clip's own, the median; None where none is seen or no eye finds faces."""
        finder = self.watcher.finder if self.watcher else None
        if finder is None or self.watcher is None or self._rows is None or not self._rows.any():
            return None
        seen = np.flatnonzero(self._rows.any(axis=1))
        frame = self.frames[seen[len(seen) // 2]]
        if self.watcher.likeness is not None:
            shares = self.watcher.likeness.shares(self._rows[seen])
            frame = self.frames[seen[np.argmin(abs(shares - np.median(shares)))]]
        largest = finder.find(frame)[0]
        return cut_square(
            frame, largest.left + largest.width / 2, largest.top + largest.height / 2, FACE_ROOM * max(largest.width, largest.height)
        )

    @cached_property
    def _rows(self) -> np.ndarray | None:
        """(F, D) of the eye, zeros where it sees nobody."""
        return self.watcher.sight.embed(self.frames) if self.watcher and self.watcher.sight else None


def cut_square(frame: np.ndarray, x: float, y: float, side: float) -> np.ndarray:
    """A square of `side` px around a place of a frame (H, W, 3), moved and made smaller where the frame ends."""
    height, width = frame.shape[:2]
    size = max(1, min(round(side), height, width))
    left, top = (min(max(round(middle - size / 2), 0), whole - size) for middle, whole in ((x, width), (y, height)))
    return frame[top : top + size, left : left + size]


def ratio(value: float, base: float, floor: float) -> float | None:
    """A measure of a clip through the base's; None where the base gives no scale."""
    return round(value / base, 4) if base > floor else None
