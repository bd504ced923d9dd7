"""Clips for the dataset: upright H.264 in MP4 without sound or metadata, every frame at its true time."""

from __future__ import annotations

import fractions
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from studio.data import limits
from studio.data.media import clips

if TYPE_CHECKING:
    from av.filter import Graph
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_HDR_TRANSFERS = (16, 18)  # PQ and HLG, as phones record them


def prepare_clip(source: Path, target: Path, should_stop: Callable[[], bool] = lambda: False) -> clips.ClipInfo:
    """Write `source` as training reads it; ClipInfo of the result. Copies the frames as they are where possible, else encodes them anew.

    ValueError says why a clip can't be used. InterruptedError if `should_stop` became true on the way.
    """
    info = clips.probe_clip(source)
    decoded = _copy_frames(source, target, should_stop) if _is_ready(info) else _encode(source, target, info, should_stop)
    if decoded < 0.9 * info.num_frames:
        raise ValueError(f"only {decoded} of its {info.num_frames} frames can be read: the file is damaged; copy it again")
    return clips.probe_clip(target)


def _is_ready(info: clips.ClipInfo) -> bool:
    """Whether the frames can go into the dataset's MP4 exactly as they are."""
    small = max(info.width, info.height) <= limits.MAX_CLIP_SIDE and not info.width % 2 and not info.height % 2
    plain = (
        info.codec == "h264"
        and info.pixel_format == "yuv420p"
        and not info.rotation
        and info.square_pixels
        and not info.trimmed
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
                    decoded += len(packet.decode())
                except InvalidDataError:
                    continue  # a frame that no player shows either
                if packet.dts is None or packet.pts is None:
                    continue
                packet.pts, packet.dts, packet.stream = packet.pts - first, packet.dts - first, copy
                output.mux(packet)
    return decoded


def _encode(source: Path, target: Path, info: clips.ClipInfo, should_stop: Callable[[], bool]) -> int:
    """Every frame turned upright, scaled to bounds and encoded with its own timestamp. Number of frames."""
    import av

    width, height = _fit(info.width, info.height)
    written = 0
    with clips.open_clip(source) as (container, stream), av.open(str(target), "w", format="mp4", options={"fflags": "+bitexact"}) as output:
        encoder = output.add_stream("libx264", rate=fractions.Fraction(info.fps).limit_denominator(1001))
        encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
        encoder.options = {"crf": clips.CRF, "preset": "veryfast", "bf": "0"}
        encoder.time_base = encoder.codec_context.time_base = base = fractions.Fraction(1, 90_000)
        graph = None
        for time, frame in clips.timed_frames(container, stream):
            _check_stop(should_stop)
            graph = graph or _make_graph(stream, frame, info, width, height)
            graph.vpush(frame)
            upright = graph.vpull()
            if not written:
                encoder.codec_context.colorspace, encoder.codec_context.color_range = upright.colorspace, upright.color_range
            upright.pts, upright.time_base = round(time / base), base
            upright.pict_type = 0  # the encoder decides, not what the frame was before
            output.mux(encoder.encode(upright))
            written += 1
        output.mux(encoder.encode(None))
    return written


def _make_graph(stream: VideoStream, frame: VideoFrame, info: clips.ClipInfo, width: int, height: int) -> Graph:
    """turn -> scale -> 8-bit limited-range YUV, without a detour through RGB."""
    import av.filter

    turns = {90: [("transpose", "cclock")], 180: [("transpose", "clock"), ("transpose", "clock")], 270: [("transpose", "clock")]}
    steps = list(turns.get(info.rotation, []))
    steps.append(("scale", f"{width}:{height}:flags=area:out_range=tv"))
    if frame.color_trc in _HDR_TRANSFERS:
        steps += [("format", "yuv420p10le"), ("colorspace", "iall=bt2020:all=bt709:format=yuv420p")]
    steps += [("format", "yuv420p"), ("setsar", "1")]
    graph = av.filter.Graph()
    nodes = [graph.add_buffer(template=stream, width=frame.width, height=frame.height, format=frame.format)]
    nodes += [graph.add(name, arguments) for name, arguments in steps] + [graph.add("buffersink")]
    graph.link_nodes(*nodes).configure()
    return graph


def _fit(width: int, height: int) -> tuple[int, int]:
    """Even numbers within MAX_CLIP_SIDE, at least 2."""
    scale = min(1.0, limits.MAX_CLIP_SIDE / max(width, height))
    even_width, even_height = (max(2, round(side * scale / 2) * 2) for side in (width, height))
    return even_width, even_height


def _check_stop(should_stop: Callable[[], bool]) -> None:
    if should_stop():
        raise InterruptedError
