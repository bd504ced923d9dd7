"""The frames of a clip of any length as they are shown at even times, one after the other; only the one in hand is kept in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from studio.data.buckets import fit_side
from studio.data.media import clips
from studio.data.media.clips import ClipInfo

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


class Shown:
    """The frame that is shown at a moment, in whatever size it is wanted."""

    def __init__(self, frame: VideoFrame, info: ClipInfo) -> None:
        self._frame, self._info = frame, info

    def pixels(self, side: int) -> np.ndarray:
        """(H, W, 3) uint8 RGB, upright, of at most that long side."""
        width, height = fit_side(self._info.width, self._info.height, side)
        return np.ascontiguousarray(clips.to_pixels(self._frame, self._info, width, height))


def shown_frames(path: Path, info: ClipInfo, a_second: int, first: int = 0) -> Iterator[tuple[int, Shown]]:
    """(number, frame) at number / a_second seconds, from that number on, to the clip's end; of fewer frames a second some come again."""
    number, tolerance = first, min(0.5 / a_second, 0.5 / info.fps)
    with clips.open_clip(path) as (container, stream):
        stream.thread_type = "AUTO"
        shown = None
        for time, frame in clips.timed_frames(container, stream, first / a_second):
            while shown is not None and time > number / a_second + tolerance:
                yield number, Shown(shown, info)
                number += 1
            shown = frame
        while shown is not None and number / a_second < info.seconds - 1e-6:
            yield number, Shown(shown, info)
            number += 1
