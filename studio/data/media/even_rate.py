"""Clips of an even frame rate: a part of another clip, or frames that are at hand, as H.264 that training and browsers read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from studio.data.media import clips
from studio.data.media.clips import ClipInfo
from studio.data.media.filters import Crop, filter_frames
from studio.errors import Problem, is_disk_full

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_OPTIONS = {"crf": clips.CRF, "preset": "veryfast", "bf": "0"}


@dataclass(frozen=True)
class Part:
    """Frames of a clip: so many, from that second on, at that rate. crop: what of each is kept; size: px, even, upright."""

    start: float
    num_frames: int
    fps: float
    size: tuple[int, int]
    crop: Crop | None = None


def write_part(source: Path, target: Path, part: Part, info: ClipInfo, should_stop: Callable[[], bool] = lambda: False) -> int:
    """Write a part of a clip at its true speed, each frame the one that is shown at its time; how many frames it has.

    info: of the source. Fewer frames come where the clip ends before. InterruptedError if `should_stop` became true on the way.
    """
    with clips.open_clip(source) as (container, stream):
        raw = _near(clips.timed_frames(container, stream, part.start), part, info)
        ready = filter_frames(raw, info, part.size, target.with_suffix(""), part.crop)
        return _encode(_at_ticks(ready, part, info), target, part.fps, part.size, should_stop)


def write_pixels(target: Path, frames: np.ndarray, fps: float) -> None:
    """Write (F, H, W, 3) uint8 as a clip; odd sides lose a line."""
    import av

    height, width = (side // 2 * 2 for side in frames.shape[1:3])
    pictures = (av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels[:height, :width]), format="rgb24") for pixels in frames)
    _encode(pictures, target, fps, (width, height), lambda: False)


def _near(frames: Iterable[tuple[float, VideoFrame]], part: Part, info: ClipInfo) -> Iterator[tuple[float, VideoFrame]]:
    """The frames that are shown from shortly before the part to shortly after it: a deinterlacer looks at the neighbours."""
    end = part.start + part.num_frames / part.fps + 3 / info.fps
    before: list[tuple[float, VideoFrame]] = []
    for time, frame in frames:
        if time > end:
            break
        if time <= part.start:
            before = [*before[-2:], (time, frame)]
            continue
        yield from before
        before = []
        yield time, frame
    yield from before


def _at_ticks(frames: Iterable[VideoFrame], part: Part, info: ClipInfo) -> Iterator[VideoFrame]:
    """The frame that is shown at each time of the part, to half a frame: as `clips.read_frames` chooses."""
    tolerance = min(0.5 / part.fps, 0.5 / info.fps)
    shown, wanted = None, 0
    for frame in frames:
        assert frame.pts is not None and frame.time_base is not None, "every frame was given a time"
        time = float(frame.pts * frame.time_base)
        while wanted < part.num_frames and shown is not None and time > part.start + wanted / part.fps + tolerance:
            yield shown
            wanted += 1
        shown = frame
    end = info.seconds + tolerance
    while shown is not None and wanted < part.num_frames and part.start + wanted / part.fps < end:
        yield shown
        wanted += 1


def _encode(frames: Iterable[VideoFrame], target: Path, fps: float, size: tuple[int, int], should_stop: Callable[[], bool]) -> int:
    import av
    from av.error import FFmpegError

    rate, written = Fraction(fps).limit_denominator(1001), 0
    try:
        with av.open(str(target), "w", format="mp4", options={"fflags": "+bitexact"}) as output:
            encoder = _add_encoder(output.add_stream("libx264", rate=rate), size, rate)
            for frame in frames:
                if should_stop():
                    raise InterruptedError
                if not written:
                    _tell_colours(encoder, frame)
                frame.pts, frame.time_base, frame.pict_type = written, 1 / rate, 0
                output.mux(encoder.encode(frame))
                written += 1
            output.mux(encoder.encode(None))
    except FFmpegError as e:
        if is_disk_full(e):
            raise Problem("The disk is full.", cost="Nothing was lost.", fix="Free some space and try again.") from e
        raise
    return written


def _add_encoder(encoder: VideoStream, size: tuple[int, int], rate: Fraction) -> VideoStream:
    encoder.width, encoder.height, encoder.pix_fmt = *size, "yuv420p"
    encoder.options = dict(_OPTIONS)
    encoder.time_base = encoder.codec_context.time_base = 1 / rate
    return encoder


def _tell_colours(encoder: VideoStream, frame: VideoFrame) -> None:
    context = encoder.codec_context
    context.colorspace, context.color_range = frame.colorspace, frame.color_range
    context.color_primaries, context.color_trc = frame.color_primaries, frame.color_trc
