"""Clips for the dataset: upright H.264 in MP4 without sound or metadata, every frame at its true time."""

from __future__ import annotations

import fractions
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from studio.data import limits
from studio.data.media import clips
from studio.data.media.animations import animation_frames, is_animation, probe_animation
from studio.data.media.filters import BASE, filter_frames

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame


def prepare_clip(source: Path, target: Path, should_stop: Callable[[], bool] = lambda: False) -> clips.ClipInfo:
    """Write `source` as training reads it; ClipInfo of the result. Copies the frames as they are where possible, else encodes them anew.

    ValueError says why a clip can't be used. InterruptedError if `should_stop` became true on the way.
    """
    if is_animation(source):
        info = probe_animation(source)
        decoded = _write(animation_frames(source), target, info, should_stop)
    else:
        info = clips.probe_clip(source)
        decoded = _copy_or_encode(source, target, info, should_stop)
    if decoded < 0.9 * info.num_frames:
        raise ValueError(f"only {decoded} of its {info.num_frames} frames can be read: the file is damaged; copy it again")
    return clips.probe_clip(target)


def _copy_or_encode(source: Path, target: Path, info: clips.ClipInfo, should_stop: Callable[[], bool]) -> int:
    """Number of frames that came through."""
    if _is_ready(info):
        try:
            return _copy_frames(source, target, should_stop)
        except _Interlaced:
            info = replace(info, interlaced=True)
    return _encode(source, target, info, should_stop)


class _Interlaced(Exception):
    """A frame holds two moments, though the first ones did not."""


def _is_ready(info: clips.ClipInfo) -> bool:
    """Whether the frames can go into the dataset's MP4 exactly as they are."""
    small = max(info.width, info.height) <= limits.MAX_CLIP_SIDE and not info.width % 2 and not info.height % 2
    plain = (
        info.codec == "h264"
        and info.pixel_format == "yuv420p"
        and not info.rotation
        and info.square_pixels
        and not info.trimmed
        and not info.interlaced
        and not info.colours.need_mapping
        and info.ordered
    )
    return small and plain


def _copy_frames(source: Path, target: Path, should_stop: Callable[[], bool]) -> int:
    """Packets copied, sound and metadata left behind; every frame is decoded once to see that it can be. Number of readable frames."""
    import av
    from av.error import InvalidDataError

    decoded = 0
    with clips.open_clip(source) as (container, stream):
        first = clips.first_pts(container, stream)
        with av.open(str(target), "w", format="mp4", options={"fflags": "+bitexact"}) as output:
            copy = output.add_stream_from_template(stream)
            copy.metadata.clear()
            for packet in container.demux(stream):
                _check_stop(should_stop)
                try:
                    frames = packet.decode()
                except InvalidDataError:
                    continue  # a frame that no player shows either
                if any(frame.interlaced_frame for frame in frames):
                    raise _Interlaced
                decoded += len(frames)
                if packet.dts is None or packet.pts is None:
                    continue
                packet.pts, packet.dts, packet.stream = packet.pts - first, packet.dts - first, copy
                output.mux(packet)
    return decoded


def _encode(source: Path, target: Path, info: clips.ClipInfo, should_stop: Callable[[], bool]) -> int:
    """Every frame turned upright, scaled to bounds and encoded with its own timestamp. Number of frames."""
    with clips.open_clip(source) as (container, stream):
        return _write(clips.timed_frames(container, stream), target, info, should_stop)


def _write(frames: Iterable[tuple[float, VideoFrame]], target: Path, info: clips.ClipInfo, should_stop: Callable[[], bool]) -> int:
    import av

    written, (width, height) = 0, _fit(info.width, info.height)
    with av.open(str(target), "w", format="mp4", options={"fflags": "+bitexact"}) as output:
        encoder = output.add_stream("libx264", rate=fractions.Fraction(info.fps).limit_denominator(1001))
        encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
        encoder.options = {"crf": clips.CRF, "preset": "veryfast", "bf": "0"}
        encoder.time_base = encoder.codec_context.time_base = BASE
        for frame in filter_frames(frames, info, (width, height), target.with_suffix("")):
            _check_stop(should_stop)
            if not written:
                _tell_colours(encoder.codec_context, frame)
            output.mux(encoder.encode(frame))
            written += 1
        output.mux(encoder.encode(None))
    return written


def _tell_colours(encoder: VideoCodecContext, frame: VideoFrame) -> None:
    encoder.colorspace, encoder.color_range = frame.colorspace, frame.color_range
    encoder.color_primaries, encoder.color_trc = frame.color_primaries, frame.color_trc


def _fit(width: int, height: int) -> tuple[int, int]:
    """Even numbers within MAX_CLIP_SIDE, at least 2."""
    scale = min(1.0, limits.MAX_CLIP_SIDE / max(width, height))
    even_width, even_height = (max(2, round(side * scale / 2) * 2) for side in (width, height))
    return even_width, even_height


def _check_stop(should_stop: Callable[[], bool]) -> None:
    if should_stop():
        raise InterruptedError
