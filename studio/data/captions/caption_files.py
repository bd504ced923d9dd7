"""Captions as the .txt files beside photos and clips: cleaned, written atomically, read in whatever encoding they came."""

import hashlib
import re
import unicodedata
from pathlib import Path

from studio.data import limits
from studio.data.incoming import encodings
from studio.disk import write_atomic

# what turns the direction of writing (a caption would read as other words than it is), and signs of no width; those that letters are
# joined with in Persian, Hindi and emoji stay
_UNSEEN = re.compile("[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\U000e0000-\U000e007f]")


def caption_file(path: Path) -> Path:
    return path.with_suffix(".txt")


def text_key(text: str) -> str:
    """Short hash of a caption, to notice when someone edits the .txt file outside the studio."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def clean_caption(text: str, most: int = limits.MAX_CAPTION_CHARACTERS) -> str:
    """One line without control characters, of those that turn the direction of writing and other unseen ones too. ValueError if it has
    more than `most` characters; 0 is no bound."""
    text = _UNSEEN.sub("", unicodedata.normalize("NFC", text))
    text = "".join(" " if unicodedata.category(c) in ("Cc", "Cs") else c for c in text)
    text = " ".join(text.split())
    if most and len(text) > most:
        raise ValueError(f"the caption has {len(text)} characters; use at most {most}")
    return text


def read_text(path: Path) -> str:
    """Text of a caption file; "" where it holds none, or its encoding can't be told."""
    try:
        with open(path, "rb") as file:
            return decode_text(file.read(limits.MAX_CAPTION_BYTES))
    except FileNotFoundError:  # removed while we looked
        return ""


def decode_text(raw: bytes) -> str:
    """The text of bytes in UTF-8, with a mark, or else in the encoding in which they are most readable; "" where they are no text."""
    return encodings.read_text(raw).text


def write_caption(media_path: Path, text: str) -> None:
    """The caption file beside a media file, atomically."""
    write_atomic(caption_file(media_path), text.encode())
