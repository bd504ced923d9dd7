"""Clips read by their true timestamps: what a clip is, and its frames at another rate without changing its speed."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from studio.data import limits
from studio.data.media.colours import Colours
from studio.data.media.kinds import SNIFF_BYTES, MediaFacts, find_container
from studio.errors import is_disk_full

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

CRF = "14"  # of H.264 files for training: nothing is seen to be lost
MAX_READ_BYTES = 4 * 1024**3  # of decoded pixels in one call
_UNINDEXED = ("mpegts", "ogg")  # a seek lands where no frame can be decoded: they are read from their start
LOOK_FRAMES = 12  # decoded to see what kind of frames a clip has
_DAMAGED = "the clip is damaged or incomplete and can't be read; copy it again from the camera or phone"


@dataclass(frozen=True, kw_only=True)
class ClipInfo(MediaFacts):
    """A clip as its file holds it: seconds by timestamps, and how its frames are stored."""

    kind: str = "clip"
    codec: str
    pixel_format: str
    rotation: int  # degrees counterclockwise that make it upright
    square_pixels: bool
    trimmed: bool  # holds frames that an edit list hides
    interlaced: bool  # each frame holds two moments, in every other line
    colours: Colours
    ordered: bool  # every packet says when it is decoded, so that packets can be copied; Matroska leaves out some


@contextmanager
def open_clip(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """(container, video stream), read as the container its first bytes show and from this one file only.

    A playlist in disguise can then not make the decoder open other files or addresses.
    """
    import av
    from av.error import FFmpegError
    from av.stream import Disposition

    with open(path, "rb") as file:
        container_name = find_container(file.read(SNIFF_BYTES))
        file.seek(0)
        if not container_name:
            raise ValueError("its content is no clip that can be read; use MP4, MOV, WebM or MKV")
        try:
            with av.open(file, "r", format=container_name, metadata_errors="ignore") as container:
                streams = [s for s in container.streams.video if Disposition.attached_pic not in s.disposition]
                if not streams:
                    raise ValueError("it holds no video, only sound or pictures; choose another clip")
                if streams[0].codec_context is None:
                    raise ValueError("its pictures are encoded in a way that can't be read; save it as H.264 MP4")
                yield container, streams[0]
        except FFmpegError as e:
            full = OSError(e.errno, "the disk is full")
            if is_disk_full(full):  # from what is written meanwhile
                raise full from e
            raise ValueError(_DAMAGED) from e


@dataclass(frozen=True)
class Bounds:
    """How much of a clip is looked at at all."""

    num_bytes: int
    seconds: float
    num_frames: int


def clip_bounds() -> Bounds:
    """Of an item of the dataset."""
    return Bounds(limits.MAX_CLIP_BYTES, limits.MAX_CLIP_SECONDS, limits.MAX_CLIP_FRAMES)


def film_bounds() -> Bounds:
    """Of a film that pieces are cut out of."""
    return Bounds(limits.MAX_FILM_BYTES, limits.MAX_FILM_SECONDS, limits.MAX_FILM_FRAMES)


def is_film(path: Path) -> bool:
    """Whether a clip says that it is longer than an item may be, so that it can only be cut. ValueError if it can't be read."""
    with open_clip(path) as (container, stream):
        return _stated_seconds(container, stream) > limits.MAX_CLIP_SECONDS


def probe_clip(path: Path, bounds: Bounds | None = None) -> ClipInfo:
    """ClipInfo of a file, from its packets and one decoded frame. ValueError says why it can't be used. bounds: of an item, if none are given."""
    bounds = bounds or clip_bounds()
    if Path(path).stat().st_size > bounds.num_bytes:
        raise ValueError(f"the clip is larger than {bounds.num_bytes // 1024**3} GB; cut it and import the parts")
    with open_clip(path) as (container, stream):
        check_frame_size(stream.codec_context.width, stream.codec_context.height)
        expected = _stated_seconds(container, stream)
        if expected and expected > bounds.seconds * 1.05:
            raise ValueError(_too_long(expected, bounds))
        times, end, trimmed, ordered = _read_times(container, stream, bounds)
        container.seek(0)
        frames = _first_frames(container, stream)
        info = _describe(stream, frames, times, end, bounds, trimmed=trimmed, ordered=ordered)
    if expected and info.seconds < 0.9 * expected - 0.2:
        raise ValueError(f"only {info.seconds:.1f} of its {expected:.1f} seconds can be read: the file is incomplete; copy it again")
    return info


def check_frame_size(width: int, height: int) -> None:
    if not width or not height:
        raise ValueError(_DAMAGED)
    if width * height > limits.MAX_CLIP_PIXELS:
        raise ValueError(f"its frames have {width:,} x {height:,} pixels, too many to decode; use 4K or less")
    if min(width, height) < limits.MIN_PHOTO_SIDE:
        raise ValueError(f"its frames have only {width} x {height} pixels; use a clip of at least {limits.MIN_PHOTO_SIDE} on each side")


def read_frames(
    path: Path, num_frames: int, fps: float, start: float = 0.0, size: tuple[int, int] | None = None, info: ClipInfo | None = None
) -> np.ndarray:
    """(F, H, W, 3) uint8 frames, F at `fps` from `start` seconds on, upright, at true speed.

    Each is the frame shown at its time (to half a frame), so rates of 23.976, 30, 60 or varying are all played at their own speed.
    F is num_frames, or where the clip is too short the largest 4n + 1 it holds: look at the array's length.
    size: (width, height) to scale and centre-crop to while decoding; info: of the clip, where it is known, as of a film. ValueError if `start`
    lies behind the end.
    """
    info = info or probe_clip(path)
    available = int((info.seconds - start) * fps + 1e-3)
    if start < 0 or (available < 1 and start >= info.seconds):
        raise ValueError(f"the clip lasts {info.seconds:.2f} s, so nothing can be read from {start:.2f} s on; choose an earlier start")
    count = num_frames if available >= num_frames else max(available - 1, 0) // 4 * 4 + 1
    width, height = size or (info.width, info.height)
    if count * width * height * 3 > MAX_READ_BYTES:
        raise ValueError(f"{count} frames of {width} x {height} px are too much memory; ask for fewer or smaller frames")
    result = np.empty((count, height, width, 3), np.uint8)
    tolerance = min(0.5 / fps, 0.5 / info.fps)
    wanted = 0
    with open_clip(path) as (container, stream):
        shown = None
        for time, frame in timed_frames(container, stream, start):
            while wanted < count and shown is not None and time > start + wanted / fps + tolerance:
                result[wanted] = to_pixels(shown, info, width, height)
                wanted += 1
            if wanted == count:
                break
            shown = frame
        if shown is None:
            raise ValueError(_DAMAGED)
    if wanted < count:
        result[wanted:] = to_pixels(shown, info, width, height)
    return result


def to_pixels(frame: VideoFrame, info: ClipInfo, width: int, height: int) -> np.ndarray:
    """(height, width, 3) uint8 of a frame: upright, scaled to cover the size, centre-cropped."""
    turned = info.rotation % 180 != 0
    scale = max(width / info.width, height / info.height)
    scaled = (max(width, round(info.width * scale)), max(height, round(info.height * scale)))
    before = scaled[::-1] if turned else scaled  # the size before turning
    smaller = before[0] < frame.width
    pixels = frame.to_ndarray(
        format="rgb24", width=before[0], height=before[1], interpolation="AREA" if smaller else "BICUBIC", src_colorspace=_colorspace(frame)
    )
    pixels = np.rot90(pixels, info.rotation // 90)
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return pixels[top : top + height, left : left + width]


def rotation_of(frame: VideoFrame) -> int:
    """Degrees counterclockwise (0, 90, 180, 270) that make a frame upright."""
    return round(frame.rotation / 90) * 90 % 360


def _colorspace(frame: VideoFrame) -> str | None:
    """The frame's YUV matrix; files that don't say are BT.709 from 720 lines up, as players take them."""
    unspecified = frame.colorspace in (2, 0)
    return "ITU709" if unspecified and min(frame.width, frame.height) >= 720 else None


def timed_frames(container: InputContainer, stream: VideoStream, start: float = 0.0) -> Iterator[tuple[float, VideoFrame]]:
    """(seconds since the clip's first frame, frame) in order of showing; broken packets are passed over."""
    from av.error import InvalidDataError

    first = first_pts(container, stream)
    base = _time_base(stream)
    if container.format.name not in _UNINDEXED:
        container.seek(int(max(start - 0.5, 0) / base) + first, stream=stream, backward=True)
    last = -1.0
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except InvalidDataError:
            continue
        for frame in frames:
            if frame.pts is None:
                continue
            time = float((frame.pts - first) * base)
            if time > max(last, -1e-6):  # frames before the first one shown belong to an edit's hidden part
                last = time
                yield time, frame


def first_pts(container: InputContainer, stream: VideoStream) -> int:
    """Timestamp of the first frame that is shown; the container is left at its start."""
    shown = []
    for number, packet in enumerate(container.demux(stream)):
        if packet.pts is not None and not packet.is_discard:
            shown.append(packet.pts)
        if number >= 64:  # reordering reaches no further
            break
    container.seek(0)
    if not shown:
        raise ValueError(_DAMAGED)
    return min(shown)


def _read_times(container: InputContainer, stream: VideoStream, bounds: Bounds) -> tuple[array[int], float, bool, bool]:
    """(sorted timestamps of the frames shown, end of the last, whether some are hidden, whether all tell their order), nothing decoded."""
    times, hidden, ordered = array("q"), False, True
    last, last_duration = -(2**62), 0
    for packet in container.demux(stream):
        if packet.size and (packet.pts is None or packet.dts is None):
            ordered = False
        if packet.pts is None:
            continue
        if packet.is_discard:
            hidden = True
            continue
        times.append(packet.pts)
        if packet.pts > last:
            last, last_duration = packet.pts, packet.duration or 0
        if len(times) > bounds.num_frames:
            raise ValueError(f"the clip has more than {bounds.num_frames:,} frames; cut it and import the parts")
    times = array("q", sorted(times))
    if not times:
        raise ValueError(_DAMAGED)
    typical = (times[-1] - times[0]) / max(len(times) - 1, 1)
    return times, times[-1] + (last_duration or typical), hidden, ordered


def _first_frames(container: InputContainer, stream: VideoStream) -> list[VideoFrame]:
    frames = [frame for _, frame in itertools.islice(timed_frames(container, stream), LOOK_FRAMES)]
    if not frames:
        raise ValueError(_DAMAGED)
    return frames


def _describe(
    stream: VideoStream, frames: list[VideoFrame], times: array[int], end: float, bounds: Bounds, *, trimmed: bool, ordered: bool
) -> ClipInfo:
    frame = frames[0]
    seconds = float((end - times[0]) * _time_base(stream))
    if len(times) < 2 or times[-1] == times[0] or seconds <= 0:
        raise ValueError("it shows a single picture, not a moving clip; save that picture as a photo and import it")
    if seconds > bounds.seconds:
        raise ValueError(_too_long(seconds, bounds))
    check_frame_size(frame.width, frame.height)
    aspect = stream.sample_aspect_ratio or Fraction(1)
    aspect = aspect if Fraction(1, 4) <= aspect <= 4 else Fraction(1)
    rotation = rotation_of(frame)
    width, height = max(1, round(frame.width * aspect)), frame.height
    if rotation % 180:
        width, height = height, width
    return ClipInfo(
        width=width, height=height, num_frames=len(times), fps=round(len(times) / seconds, 4), seconds=round(seconds, 4),
        codec=stream.codec_context.name, pixel_format=frame.format.name, rotation=rotation, square_pixels=aspect == 1, trimmed=trimmed,
        ordered=ordered, interlaced=any(frame.interlaced_frame for frame in frames), colours=_colours_of(frame),
    )  # fmt: skip


def _colours_of(frame: VideoFrame) -> Colours:
    return Colours(int(frame.color_primaries), int(frame.color_trc))


def _time_base(stream: VideoStream) -> Fraction:
    """Seconds that one unit of a stream's timestamps lasts."""
    if stream.time_base is None:
        raise ValueError(_DAMAGED)
    return stream.time_base


def _stated_seconds(container: InputContainer, stream: VideoStream) -> float:
    """The length that the file claims, or 0.0; the shorter claim where stream and container differ."""
    claims = [float(stream.duration * _time_base(stream))] if stream.duration else []
    claims += [container.duration / 1_000_000] if container.duration else []
    return min((c for c in claims if c > 0), default=0.0)


def _too_long(seconds: float, bounds: Bounds) -> str:
    return f"the clip lasts {seconds / 60:.0f} minutes; the most is {bounds.seconds / 60:.0f}: cut out the seconds that show the person"
