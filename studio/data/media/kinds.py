"""What a photo or clip is: its kind by its first bytes (its extension decides nothing), its size and its length."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.facts import Facts

SNIFF_BYTES = 1024  # five packets of a transport stream

JPEG_2000_NAMES = (".jp2", ".j2k", ".jpf", ".jpx", ".j2c")
PHOTO_NAMES = (".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".avif", ".gif", ".bmp", ".tif", ".tiff", ".apng", *JPEG_2000_NAMES)
CLIP_NAMES = (".mp4", ".mov", ".m4v", ".webm", ".mkv", ".ts", ".mts", ".m2ts", ".ogv", ".ogg")
RAW_NAMES = (".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".sr2", ".raf", ".orf", ".rw2", ".pef", ".srw")  # many begin as a TIFF does
OTHER_MEDIA_NAMES = (
    ".avi",
    ".wmv",
    ".flv",
    ".mpg",
    ".mpeg",
    ".3gp",
    ".psd",
    ".xcf",
    ".svg",
    ".jxl",
    ".tga",
    ".ppm",
    ".pgm",
    ".pnm",
    ".pcx",
    ".dds",
    ".ico",
    ".icns",
    ".exr",
    ".hdr",
    ".pfm",
    ".wdp",
    ".jxr",
    ".vob",
    ".rm",
    ".rmvb",
    ".asf",
    ".divx",
    ".f4v",
    ".mxf",
    *RAW_NAMES,
)
SUPPORTED = "JPEG, PNG, WebP or HEIC photos and MP4, MOV, WebM or MKV clips"

_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis")
_JPEG_2000 = (b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
_JPEG_XL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")
_MP4_ATOMS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")


@dataclass(frozen=True, kw_only=True)
class MediaFacts(Facts):
    """What is known of a photo or clip as it is shown: rotation and pixel shape are applied to width and height."""

    ALWAYS_WRITTEN = ("kind", "width", "height", "num_frames", "fps", "seconds")
    kind: str  # "photo" or "clip"
    width: int = 0  # px; 0 where the file can't be read
    height: int = 0
    num_frames: int = 1
    fps: float = 0.0  # frames by seconds, an average where the rate varies; 0 for a photo
    seconds: float = 0.0

    def media(self) -> "MediaFacts":
        """These facts alone, of whatever carries them."""
        return MediaFacts(**self.media_fields())

    def media_fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in MediaFacts.ALWAYS_WRITTEN}


def find_container(head: bytes) -> str:
    """ffmpeg's name of the container that begins so; "" for what is no clip."""
    if head[4:8] in _MP4_ATOMS:
        return "mp4"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if head.startswith(b"OggS"):
        return "ogg"
    return "mpegts" if any(_is_transport_stream(head, start, step) for start, step in ((0, 188), (4, 192))) else ""


def _is_transport_stream(head: bytes, start: int, step: int) -> bool:
    """Whether each packet begins with the sign of one; a camera (.mts) puts the time before it."""
    return len(head) >= start + 5 * step - step + 1 and all(head[start + number * step] == 0x47 for number in range(5))


def sniff(head: bytes) -> str:
    """ "photo", "clip", "zip" or "" for the first SNIFF_BYTES of a file."""
    if head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", *_JPEG_2000)):
        return "photo"
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0":
        return "photo"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "photo"
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS:
        return "photo"
    if find_container(head):
        return "clip"
    return "zip" if head.startswith((b"PK\x03\x04", b"PK\x05\x06")) else ""


def sniff_file(path: Path) -> str:
    with open(path, "rb") as file:
        return sniff(file.read(SNIFF_BYTES))


def looks_like_media(name: str) -> bool:
    """Whether a file's name promises a photo or clip, so that a broken one deserves a sentence."""
    return Path(name).suffix.casefold() in PHOTO_NAMES + CLIP_NAMES + OTHER_MEDIA_NAMES


def is_raw(name: str) -> bool:
    """Whether a file's name says that it is a camera's raw data, of which a reader of TIFF would find the small preview."""
    return Path(name).suffix.casefold() in RAW_NAMES


def refusal(name: str, head: bytes) -> str:
    """Why a file that is neither photo nor clip is not imported."""
    if not head:
        return "the file is empty; copy it again from where it came"
    if is_raw(name):
        return "it is a camera's raw file, which every program develops differently; save it as JPEG or PNG and import that"
    if head.startswith(_JPEG_XL):
        return "it is a JPEG XL, which the studio's libraries can't read yet; save it as PNG or JPEG and import that"
    if Path(name).suffix.casefold() in OTHER_MEDIA_NAMES:
        return f"this kind of file is not supported; save it as one of: {SUPPORTED}"
    return f"its content is neither a photo nor a clip, whatever its name says; use {SUPPORTED}"
