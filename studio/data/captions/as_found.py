"""How a caption stood in its file, to the byte, so that undo puts back the file and not only its words."""

import base64
import zlib
from dataclasses import dataclass
from pathlib import Path

from studio.data.captions.caption_files import caption_file
from studio.disk import patiently, write_atomic
from studio.facts import Facts

READ_SECONDS = 2.0  # Windows: a virus scanner may hold a file for a moment


@dataclass(frozen=True, kw_only=True)
class AsFound(Facts):
    """What a caption file held beside its caption in UTF-8: nothing in most of them, else line ends and marks around it, or another encoding."""

    is_missing: bool = False  # there was no file
    lead: str = ""  # bytes before the caption, as base64
    tail: str = ""  # bytes behind it
    whole: str = ""  # all bytes, compressed, where the caption does not stand in them as it is

    def bytes_around(self, caption: str) -> bytes:
        """The file's bytes."""
        if self.whole:
            return zlib.decompress(base64.b64decode(self.whole))
        return base64.b64decode(self.lead) + caption.encode() + base64.b64decode(self.tail)


PLAIN = AsFound()


def find_bytes(media_path: Path, caption: str) -> AsFound:
    """How the caption of a photo or clip stands in its file now."""
    try:
        raw = patiently(caption_file(media_path).read_bytes, READ_SECONDS)
    except FileNotFoundError:
        return AsFound(is_missing=True)
    if raw == caption.encode():
        return PLAIN
    if caption and (start := raw.find(caption.encode())) >= 0:
        return AsFound(lead=_text_of(raw[:start]), tail=_text_of(raw[start + len(caption.encode()) :]))
    return AsFound(whole=_text_of(zlib.compress(raw)))


def put_back(media_path: Path, caption: str, found: AsFound) -> None:
    """Make the caption file what it was."""
    if found.is_missing:
        patiently(lambda: caption_file(media_path).unlink(missing_ok=True), READ_SECONDS)
    else:
        write_atomic(caption_file(media_path), found.bytes_around(caption))


def _text_of(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
