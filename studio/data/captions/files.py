"""Captions as the .txt files beside photos and clips: cleaned, written atomically, read in whatever encoding they came."""

import hashlib
import unicodedata
from pathlib import Path

from studio.data import limits
from studio.disk import write_atomic


def caption_file(path: Path) -> Path:
    return path.with_suffix(".txt")


def text_key(text: str) -> str:
    """Short hash of a caption, to notice when someone edits the .txt file outside the studio."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def clean_caption(text: str) -> str:
    """One line without control characters. ValueError if it is far too long."""
    text = "".join(" " if unicodedata.category(c) in ("Cc", "Cs") or c == "\ufeff" else c for c in unicodedata.normalize("NFC", text))
    text = " ".join(text.split())
    if len(text) > limits.MAX_CAPTION_CHARACTERS:
        raise ValueError(f"the caption has {len(text)} characters; use at most {limits.MAX_CAPTION_CHARACTERS}")
    return text


def read_text(path: Path) -> str:
    """Text of a caption file, whatever encoding it was saved in."""
    try:
        with open(path, "rb") as file:
            return decode_text(file.read(limits.MAX_CAPTION_BYTES))
    except FileNotFoundError:  # removed while we looked
        return ""


def decode_text(raw: bytes) -> str:
    """UTF-8 with or without a mark, UTF-16 with a mark, else Windows-1252."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", errors="replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        if e.reason == "unexpected end of data" and len(raw) == limits.MAX_CAPTION_BYTES:  # cut in the middle of a letter
            return raw[: e.start].decode("utf-8-sig")
        return raw.decode("cp1252", errors="replace")


def write_caption(media_path: Path, text: str) -> None:
    """The caption file beside a media file, atomically."""
    write_atomic(caption_file(media_path), text.encode())
