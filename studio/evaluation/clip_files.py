"""Clips and posters on disk: H.264 that every player opens, marked as AI-generated; free of torch."""

from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.error import FFmpegError
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream
from PIL import Image

from studio.disk import replace

MARK = "AI-generated with Likeness Studio"
SOURCE_TYPE = "digital_source_type=trainedAlgorithmicMedia"  # IPTC's term, for programs
METADATA = {"comment": MARK, "description": SOURCE_TYPE}
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    'Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"/>'
    "</rdf:RDF></x:xmpmeta>"
)
CRF = 17  # visually lossless: what is measured and shown is the model, not the codec
SAME_FILE = {"threads": "1", "x264-params": "mbtree=0"}  # mbtree reads memory that was never written, and equal frames differ
BT709 = 1  # H.273's number for the colours that browsers assume
IMAGE_DESCRIPTION, SOFTWARE = 0x010E, 0x0131  # EXIF tags


def write_clip(path: Path | str, frames: np.ndarray, fps: float) -> None:
    """frames (F, H, W, 3) uint8 -> mp4, H.264 yuv420p, playable while it loads. An odd last row or column is cut off."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = np.ascontiguousarray(frames[:, : frames.shape[1] // 2 * 2, : frames.shape[2] // 2 * 2])
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with av.open(str(temporary), "w", format="mp4", options={"movflags": "+faststart"}) as container:
            container.metadata.update(METADATA)
            stream = _add_stream(container, frames.shape[2], frames.shape[1], fps)
            for array in frames:
                picture = av.VideoFrame.from_ndarray(array, format="rgb24")
                picture = picture.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG)
                container.mux(stream.encode(picture))
            container.mux(stream.encode())
        replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _add_stream(container: OutputContainer, width: int, height: int, fps: float) -> VideoStream:
    stream = container.add_stream("libx264", rate=round(fps))
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.options = {"crf": str(CRF), "preset": "medium", **SAME_FILE}
    context = stream.codec_context
    context.colorspace = context.color_primaries = context.color_trc = BT709
    context.color_range = ColorRange.MPEG
    return stream


def read_clip(path: Path | str) -> np.ndarray:
    """(F, H, W, 3) uint8 of one of our clips. ValueError if it is damaged."""
    try:
        with av.open(str(path)) as container:
            frames = [f.to_ndarray(format="rgb24", src_colorspace=Colorspace.ITU709) for f in container.decode(video=0)]
    except (FFmpegError, IndexError) as e:
        raise ValueError(f"the clip {Path(path).name} is damaged ({e}); run the comparison again, it is drawn anew") from None
    if not frames:
        raise ValueError(f"the clip {Path(path).name} is empty; run the comparison again, it is drawn anew")
    return np.stack(frames)


def write_poster(path: Path | str, frames: np.ndarray, long_side: int = 480) -> None:
    """The middle frame as JPEG, at most `long_side` px, with the same mark."""
    path = Path(path)
    image = Image.fromarray(frames[len(frames) // 2])
    image.thumbnail((long_side, long_side))
    exif = Image.Exif()
    exif[IMAGE_DESCRIPTION] = f"{MARK}; {SOURCE_TYPE}"
    exif[SOFTWARE] = "Likeness Studio"
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        image.save(temporary, "JPEG", quality=88, exif=exif, xmp=XMP.encode())
        replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
