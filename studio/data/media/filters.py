"""What is done to each frame of a clip on its way into the dataset: whole frames of interlaced ones, upright, scaled, SDR, plain YUV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from studio.data.media.clips import ClipInfo
from studio.data.media.colours import Tables, write_tables

if TYPE_CHECKING:
    from av.filter import Graph
    from av.video.frame import VideoFrame

BASE = Fraction(1, 90_000)  # seconds of a unit of the times of what comes out
_TURNS = {0: (), 90: ("cclock",), 180: ("clock", "clock"), 270: ("clock",)}  # degrees counterclockwise
_BT709, _LIMITED, _BT2020 = 1, 1, (9, 10)
_BT470BG, _UNSAID = 5, (0, 2)
Step = tuple[str, dict[str, str]]
Crop = tuple[float, float, float, float]  # left, top, width and height of what is kept, as shares of the upright picture's sides


def filter_frames(
    frames: Iterable[tuple[float, VideoFrame]], info: ClipInfo, size: tuple[int, int], stem: Path, crop: Crop | None = None
) -> Iterator[VideoFrame]:
    """Frames ready to encode, each with its own time in BASE. stem: of the names of tables of colours that are written meanwhile."""
    tables = write_tables(stem, info.colours) if info.colours.need_mapping else None
    graph = None
    try:
        for time, frame in frames:
            graph = graph or _make_graph(frame, info, size, tables, crop)
            frame.pts, frame.time_base = round(time / BASE), BASE
            graph.vpush(frame)
            yield from _pull(graph, info)
        if graph:
            graph.vpush(None)  # a deinterlacer looks one frame ahead
            yield from _pull(graph, info)
    finally:
        for path in tables.files() if tables else []:
            path.unlink(missing_ok=True)


def _pull(graph: Graph, info: ClipInfo) -> Iterator[VideoFrame]:
    from av.error import BlockingIOError as NothingYet
    from av.error import EOFError as NoMore

    while True:
        try:
            frame = graph.vpull()
        except (NothingYet, NoMore):
            return
        assert frame.pts is not None and frame.time_base is not None, "every frame was given a time"
        frame.pts, frame.time_base = round(frame.pts * frame.time_base / BASE), BASE
        frame.pict_type = 0  # the encoder decides, not what the frame was before
        if info.colours.need_mapping:
            frame.colorspace = frame.color_primaries = frame.color_trc = _BT709
            frame.color_range = _LIMITED
        yield frame


def _make_graph(frame: VideoFrame, info: ClipInfo, size: tuple[int, int], tables: Tables | None, crop: Crop | None) -> Graph:
    import av.filter

    scaled = {"w": str(size[0]), "h": str(size[1]), "flags": "area"}
    steps: list[Step] = [("bwdif", {"mode": "send_frame", "deint": "interlaced"})] if info.interlaced else []
    steps += [("transpose", {"dir": turn}) for turn in _TURNS[info.rotation]]
    steps += [_crop(crop)] if crop else []
    steps += _to_sdr(frame, scaled, tables) if tables else [("scale", scaled | {"out_range": "tv"})]
    steps += [("format", {"pix_fmts": "yuv420p"}), ("setsar", {"sar": "1"})]
    graph = av.filter.Graph()
    nodes = [graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=BASE)]
    nodes += [graph.add(name, **arguments) for name, arguments in steps] + [graph.add("buffersink")]
    graph.link_nodes(*nodes).configure()
    return graph


def _crop(crop: Crop) -> Step:
    """By shares, as the pixels of a file need not be square."""
    left, top, width, height = (f"{share:.6f}" for share in crop)
    return "crop", {"w": f"iw*{width}", "h": f"ih*{height}", "x": f"iw*{left}", "y": f"ih*{top}"}


def _to_sdr(frame: VideoFrame, scaled: dict[str, str], tables: Tables) -> list[Step]:
    """RGB in floating point, through the tables of colours, and back to YUV."""
    exact = {"flags": "area+accurate_rnd+full_chroma_int"}
    mixed = {to + of: f"{value:.7f}" for to, row in zip("rgb", tables.matrix.tolist()) for of, value in zip("rgb", row)}
    steps: list[Step] = [
        ("scale", scaled | exact | {"in_color_matrix": _matrix_of(frame), "out_range": "pc"}),
        ("format", {"pix_fmts": "gbrpf32le"}),
        ("lut1d", {"file": str(tables.to_light), "interp": "linear"}),
        ("colorchannelmixer", mixed),
        ("lut1d", {"file": str(tables.encode), "interp": "linear"}),
    ]
    if tables.highlights:
        steps.append(("lut3d", {"file": str(tables.highlights), "interp": "tetrahedral"}))
    return [*steps, ("scale", exact | {"out_color_matrix": "bt709", "out_range": "tv"})]


def _matrix_of(frame: VideoFrame) -> str:
    """Of YUV; files that don't say so are taken for what their other colours are for."""
    if frame.colorspace in _BT2020 or (frame.colorspace in _UNSAID and frame.color_primaries == _BT2020[0]):
        return "bt2020"
    return "smpte170m" if frame.colorspace in (_BT470BG, _BT470BG + 1) else "bt709"
