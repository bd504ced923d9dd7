"""Photos in, whatever they are: upright 8-bit sRGB pixels out, without metadata, bounded before anything is decoded."""

import functools
import io
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image, ImageCms, ImageOps

from studio.data import limits
from studio.data.media.colours import Colours, map_to_srgb
from studio.data.media.hdr_photos import find_colours, read_deep
from studio.data.media.tiffs import open_tiff, read_tiff, to_8_bit

JPEG_QUALITY = 97
MAX_ASPECT = 10
MAX_TIFF_BYTES = 600 * 1024**2  # of pixels of floats, unpacked
NEARLY = 0.7  # of the px that were asked for: a JPEG whose half has so many is decoded at half
NATIVE_MOST = 50_000_000  # px: of a JPEG with more, half is decoded, and what needs its own px is not measured
Answer = TypeVar("Answer")
_FORMATS = ("JPEG", "PNG", "WEBP", "HEIF", "AVIF", "GIF", "BMP", "TIFF", "JPEG2000")
_ORIENTATION, _SUBFILE_TYPE = 0x0112, 0x00FE
_MOST_COUNTED = 100  # pictures of one file
_SCAN, _JPEG_END = 0xDA, b"\xff\xd9"  # markers of JPEG (ITU-T T.81, table B.1): start of scan, end of image
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def load_photo(path: Path, max_side: int | None = None, max_pixels: int | None = None) -> Image.Image:
    """A PIL image, RGB and upright, of a photo in any supported format; scaled down to `max_side` or to about `max_pixels` in all if given.

    Transparent parts become white, of several pictures it is the first. ValueError says why a file can't be used.
    """
    image = _in_words(functools.partial(_decode, max_pixels=max_pixels), path, max_side)
    if max_pixels and image.width * image.height > max_pixels:
        size = _within(image.size, max_pixels)
        image = image.resize(size, Image.Resampling.HAMMING)  # a third of Lanczos' time, and nearly as sharp
    return image


def size_of_large_jpeg(path: Path, max_pixels: int) -> tuple[int, int] | None:
    """(width, height) that `load_photo` gives of a JPEG with more px than `max_pixels`, from its first bytes. None for what is smaller, of another
    kind, or can't be read so: it must be decoded to be known."""
    try:
        with warnings.catch_warnings(), Image.open(path, formats=["JPEG"]) as image:
            warnings.simplefilter("ignore")  # as of `load_photo`
            _check_size(*image.size)
            is_large = image.width * image.height > max_pixels and Path(path).stat().st_size <= limits.MAX_PHOTO_BYTES
            if image.mode not in ("L", "RGB") or not is_large or not _is_whole_jpeg(path):
                return None
            _draft_for(image, None, max_pixels)
            width, height = _within(image.size, max_pixels)
            return (height, width) if _read_orientation(image) >= 5 else (width, height)
    except Exception:  # `load_photo` has the words for it
        return None


def _is_whole_jpeg(path: Path) -> bool:
    """Whether the marker of its end comes after that of its picture: a thumbnail before has its own."""
    data, place = Path(path).read_bytes(), 2
    while data[place : place + 1] == b"\xff" and data[place + 1] != _SCAN:
        place += 2 + int.from_bytes(data[place + 2 : place + 4])
    return data.rfind(_JPEG_END) > place


def _within(size: tuple[int, int], max_pixels: int) -> tuple[int, int]:
    """A size scaled down to about so many px, if it has more."""
    scale = math.sqrt(max_pixels / (size[0] * size[1]))
    return size if scale >= 1 else (max(1, int(size[0] * scale)), max(1, int(size[1] * scale)))


def _in_words(decode: Callable[[Path, Any], Answer], path: Path, side: int | None) -> Answer:
    if Path(path).stat().st_size > limits.MAX_PHOTO_BYTES:
        raise ValueError(f"the photo is larger than {limits.MAX_PHOTO_BYTES // 1024**2} MB; save a smaller copy and import that")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damaged metadata, large pictures: judged below
            return decode(path, side)
    except Image.DecompressionBombError:
        raise ValueError(_too_large()) from None
    except _Refused as e:
        raise ValueError(str(e)) from None
    except Exception as e:  # decoders fed with broken files raise anything
        raise ValueError("the photo is damaged or incomplete and can't be read; copy it again from the camera or phone") from e


def count_pictures(path: Path) -> int:
    """How many pictures a TIFF or HEIC holds beside each other, small copies aside; 1 for any other file, and where it can't be told."""
    with open(path, "rb") as file:
        head = file.read(12)
    if head[:4] not in (b"II*\0", b"MM\0*") and head[4:8] != b"ftyp":
        return 1
    try:
        with Image.open(path, formats=_formats()) as image:
            return max(1, sum(_is_whole(image, number) for number in range(min(getattr(image, "n_frames", 1), _MOST_COUNTED))))
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError):  # the first one was read all the same
        return 1


def _is_whole(image: Image.Image, number: int) -> bool:
    image.seek(number)
    tags = getattr(image, "tag_v2", {})
    return not tags.get(_SUBFILE_TYPE, 0) & 1


@dataclass(frozen=True)
class OpenedPhoto:
    """A photo for measuring: a small copy as it is seen, and its own px, with neither turned nor its colours mapped.

    image: of a JPEG mostly the brightness alone, which is all that is measured on the own px; small: (H, W, 3) uint8, RGB, upright;
    width, height: px of the whole photo, upright; tables: sum of a JPEG's quantisation table of brightness, None for other formats;
    is_native: whether `image` has the px of the file.
    """

    image: Image.Image
    orientation: int
    small: np.ndarray
    width: int
    height: int
    tables: int | None
    is_native: bool = True

    def grey(self, left: float, top: float, right: float, bottom: float) -> np.ndarray:
        """(h, w) uint8 of a part, given in px of the photo as it is seen, upright."""
        sides = (self.width, self.height)
        box = [min(max(round(value), 0), sides[axis % 2]) for axis, value in enumerate((left, top, right, bottom))]
        part = self.image.crop(_as_stored(box, *sides, self.orientation))
        grey = _to_8_bit(part) if part.mode.startswith(("I", "F")) else part.convert("L")
        return np.asarray(grey.transpose(_UPRIGHT[self.orientation]) if self.orientation in _UPRIGHT else grey)


def open_for_measuring(path: Path, side: int) -> OpenedPhoto:
    """A photo's own px and a copy of at most about `side`. ValueError says why a file can't be used."""
    return _in_words(_open_for_measuring, path, side)


def write_photo(image: Image.Image, path: Path) -> None:
    """Save pixels as a JPEG without metadata, at a quality where nothing is seen to be lost."""
    image.info = {}  # Pillow would write comments and profiles found here
    image.save(path, "JPEG", quality=JPEG_QUALITY, subsampling=0)


class _Refused(ValueError):
    pass


def _open_for_measuring(path: Path, side: int) -> OpenedPhoto:
    with Image.open(path, formats=_formats()) as image:
        _check_size(*image.size)
        form, colours = image.format or "", find_colours(path)
        orientation = 1 if form == "TIFF" else _read_orientation(image)  # Pillow turns those while loading
        tables = sum(image.quantization[0]) if getattr(image, "quantization", None) else None  # pyright: ignore[reportAttributeAccessIssue]
        if colours.need_mapping or form == "TIFF":  # rare, and what they need is done elsewhere
            image, orientation = _decode(path, None), 1
            return OpenedPhoto(image, 1, np.asarray(_shrunk(image, side)), *image.size, tables)
        native = image.size
        if native[0] * native[1] > NATIVE_MOST:
            image.draft(None, (native[0] // 2, native[1] // 2))
            coarse = None
        else:
            coarse = _open_coarse(path, image, side)
        if coarse is not None:
            image.draft("L", native)
        image.load()
        is_native = image.size == native
        small = _to_rgb(_shrunk(coarse or image, side), image.info.get("icc_profile"))
    small = small.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else small
    width, height = image.size[::-1] if orientation >= 5 else image.size
    return OpenedPhoto(image, orientation, np.asarray(small), width, height, tables, is_native)


def _open_coarse(path: Path, image: Image.Image, side: int) -> Image.Image | None:
    """A JPEG's colours, decoded straight to a half, a quarter or an eighth, where that divides what it is scaled down by: with its brightness
    decoded apart, both take two thirds of the time of decoding all and scaling it. None where all must be decoded."""
    if (
        image.format not in ("JPEG", "MPO") or image.mode != "RGB" or image.info.get("progressive")
    ):  # a progressive one takes long to decode twice
        return None
    factor = _factor(image.size, side)
    scale = next((scale for scale in (8, 4, 2) if factor % scale == 0), 1)
    if scale == 1:
        return None
    with Image.open(path, formats=["JPEG"]) as coarse:
        coarse.draft("RGB", (image.width // scale, image.height // scale))
        coarse.load()
    return coarse


def _factor(size: tuple[int, int], side: int) -> int:
    """The whole number by which a picture is scaled down to at most `side` px."""
    return -(-max(size) // side)


def _shrunk(image: Image.Image, side: int) -> Image.Image:
    """Scaled down by a whole number, which is quick, to at most `side` px."""
    factor = _factor(image.size, side)
    if factor == 1:
        return image
    if image.mode in ("P", "PA", "1"):
        image = image.convert("RGBA")
    return _to_8_bit(image).reduce(factor) if image.mode.startswith("I;16") else image.reduce(factor)


def _as_stored(box: list[int], width: int, height: int, orientation: int) -> tuple[int, int, int, int]:
    """Where a part of the upright photo (left, top, right, bottom of width x height) lies in the file's own px."""
    left, top, right, bottom = box
    across, down = (width - right, width - left), (height - bottom, height - top)  # counted from the other side
    places = {
        2: (across[0], top, across[1], bottom),
        3: (across[0], down[0], across[1], down[1]),
        4: (left, down[0], right, down[1]),
        5: (top, left, bottom, right),
        6: (top, across[0], bottom, across[1]),
        7: (down[0], across[0], down[1], across[1]),
        8: (down[0], left, down[1], right),
    }
    return places.get(orientation, (left, top, right, bottom))


def _decode(path: Path, max_side: int | None, max_pixels: int | None = None) -> Image.Image:
    try:
        return _decode_by_pillow(path, max_side, max_pixels)
    except _Refused:
        raise
    except Exception:
        if not _is_tiff(path):
            raise
    return _decode_tiff(path, max_side)


def _decode_by_pillow(path: Path, max_side: int | None, max_pixels: int | None) -> Image.Image:
    with Image.open(path, formats=_formats()) as image:
        _check_size(*image.size)
        orientation, form, colours = _read_orientation(image), image.format or "", find_colours(path)
        _draft_for(image, max_side, max_pixels)
        image.load()
        if form == "TIFF":
            orientation = 1  # Pillow has turned it
        profile = image.info.get("icc_profile")
        if colours.need_mapping and not (profile and not colours.is_hdr):
            image, profile = _map_colours(image, path, form, colours), None
        if max_side and max(image.size) > max_side:
            image = _reduce(image, max_side)
        image = _to_rgb(image, profile)
    image.info = {}
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _draft_for(image: Image.Image, max_side: int | None, max_pixels: int | None) -> None:
    """Have a JPEG decoded straight to a half or a quarter where that is enough."""
    if max_side and max(image.size) > 2 * max_side:
        image.draft(None, (max_side, max_side))
    elif max_pixels and image.width * image.height > 4 * NEARLY * max_pixels:
        image.draft(None, (image.width // 2, image.height // 2))  # 12 megapixels: a third of the time of decoding and scaling them


def _map_colours(image: Image.Image, path: Path, form: str, colours: Colours) -> Image.Image:
    """HDR and wide gamuts as sRGB: from the file's full depth where it can be had."""
    deep = read_deep(path, form, image.size)
    pixels = np.asarray(_to_rgb(image, None)) if deep is None else deep
    return Image.fromarray(map_to_srgb(pixels, colours))


def _is_tiff(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(4) in (b"II*\0", b"MM\0*")


def _decode_tiff(path: Path, max_side: int | None) -> Image.Image:
    """What Pillow can't read of the many kinds of TIFF."""
    size, orientation, num_bytes = open_tiff(path)
    _check_size(*size)
    if num_bytes > MAX_TIFF_BYTES:
        raise _Refused(_too_large(f"{size[0]:,} x {size[1]:,} pixels of {num_bytes // (size[0] * size[1])} bytes"))
    image = Image.fromarray(read_tiff(path))
    if max_side and max(image.size) > max_side:
        image = _reduce(image, max_side)
    image = _to_rgb(image, None)
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _check_size(width: int, height: int) -> None:
    if width * height > limits.MAX_PHOTO_PIXELS:
        raise _Refused(_too_large(f"{width:,} x {height:,} pixels"))
    if min(width, height) < limits.MIN_PHOTO_SIDE:
        raise _Refused(f"the picture has only {width} x {height} pixels; use one of at least {limits.MIN_PHOTO_SIDE} on each side")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise _Refused(f"the picture is a strip of {width:,} x {height:,} pixels; crop it to the person and import that")


def _too_large(size: str = "") -> str:
    most = limits.MAX_PHOTO_PIXELS // 1_000_000
    has = f"has {size}, more than the" if size else "has more than"
    return f"the picture {has} {most} megapixels that can be read; save a smaller copy and import that"


def _read_orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF raises anything, and is no reason to lose the picture
        return 1


def _reduce(image: Image.Image, max_side: int) -> Image.Image:
    if image.mode in ("P", "PA", "1"):
        image = image.convert("RGBA")
    size = ImageOps.contain(Image.new("1", image.size), (max_side, max_side), Image.Resampling.NEAREST).size
    return image.resize(
        size, Image.Resampling.LANCZOS if image.mode in ("L", "LA", "RGB", "RGBA", "CMYK", "YCbCr") else Image.Resampling.BOX
    )


def to_rgb(image: Image.Image) -> Image.Image:
    """An opened picture in RGB, by its profile; transparent parts become white."""
    return _to_rgb(image, image.info.get("icc_profile"))


def _to_rgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        image = _to_8_bit(image)
    if image.mode in ("1", "P", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode in ("LA", "RGBA"):
        image = image.convert("RGBA")
        flat = Image.new("RGB", image.size, "white")
        flat.paste(image, mask=image.getchannel("A"))
        image = flat
    if profile:
        image = _to_srgb(image, profile)
    return image if image.mode == "RGB" else image.convert("RGB")


def _to_8_bit(image: Image.Image) -> Image.Image:
    """16-bit grey scaled down by its bit depth; 32-bit and float grey as `tiffs.to_8_bit` does."""
    pixels = np.asarray(image)
    if image.mode.startswith("I;16"):
        return Image.fromarray((pixels.astype(np.uint16) >> 8).astype(np.uint8))
    if image.mode == "I" and pixels.min() >= 0 and pixels.max() <= 65535:
        return Image.fromarray((pixels / 257).round().astype(np.uint8))
    return Image.fromarray(to_8_bit(pixels.astype(np.float64)))


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, _srgb(), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image  # a damaged profile, or one for other channels: colours as they are
    assert converted is not None  # it gives nothing back only where it converts in place
    return converted


@functools.cache
def _srgb() -> Any:
    return ImageCms.createProfile("sRGB")


@functools.cache
def _formats() -> list[str]:
    import pillow_heif

    Image.init()
    pillow_heif.register_heif_opener()
    return [name for name in _FORMATS if name in Image.OPEN]
