"""Photos and clips as every other trainer reads them: upright, in a format that all of them know, clips at the model's own frame rate."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

from PIL import Image

from studio.data.media.clips import CRF, probe_clip, read_frames
from studio.data.media.photos import load_photo, write_photo

KNOWN_TO_ALL = (".jpg", ".jpeg", ".png", ".webp")  # AI Toolkit's list is the shortest
MOST_CLIP_PIXELS = 1280 * 1280  # of a frame: the largest size that clips are ever trained at
ORIENTATION = 0x0112  # EXIF's tag
BT709 = 1  # H.273's number


def copy_photo(source: Path, folder: Path) -> None:
    """The photo's own bytes where every trainer shows them as we do, else a JPEG of what is seen."""
    suffix = source.suffix.lower()
    if suffix in KNOWN_TO_ALL and _is_plain(source):
        shutil.copyfile(source, folder / f"{source.stem}{suffix}")
    else:
        write_photo(load_photo(source), folder / f"{source.stem}.jpg")


def _is_plain(source: Path) -> bool:
    """Neither turned by a note in the file, which diffusion-pipe doesn't read, nor an animation, nor of another kind than its name says."""
    with Image.open(source) as image:
        one = getattr(image, "n_frames", 1) == 1
        turned = image.getexif().get(ORIENTATION, 1) not in (0, 1)
        return one and not turned and image.format in ("JPEG", "MPO", "PNG", "WEBP")


def write_still(source: Path, target: Path) -> None:
    """The first picture of a clip."""
    write_photo(Image.fromarray(read_frames(source, 1, 1)[0]), target)


def write_clip(source: Path, target: Path, num_frames: int, fps: int) -> None:
    """The frames that training takes of a clip, at true speed: H.264 without sound or metadata, of exactly that many frames."""
    import av  # with its decoders: start-up time

    info = probe_clip(source)
    width, height = _even_size(info.width, info.height)
    frames = read_frames(source, num_frames, fps, size=(width, height))
    assert len(frames) == num_frames, (source.name, len(frames), num_frames)
    with av.open(str(target), "w", format="mp4", options={"fflags": "+bitexact"}) as output:
        stream = output.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": CRF, "preset": "veryfast", "bf": "0"}
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = BT709
        for pixels in frames:
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            output.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")))
        output.mux(stream.encode(None))


def _even_size(width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, math.sqrt(MOST_CLIP_PIXELS / (width * height)))
    return max(2, int(width * scale) // 2 * 2), max(2, int(height * scale) // 2 * 2)
