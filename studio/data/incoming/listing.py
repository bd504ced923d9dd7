"""What a list of captions says: which captions, of which file; and the index of all texts of an import, in which one may name another."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.data.incoming.encodings import Possible
from studio.data.incoming.found import Found, fold

FILE_KEYS = (
    "file_name", "filename", "image_path", "video_path", "media_path", "image", "video", "path", "file", "filepath", "file_path", "image_file",
    "img_path", "media", "img", "target", "target_image", "key", "name",
)  # fmt: skip
CAPTION_KEYS = ("caption", "text", "prompt", "captions", "prompts", "description", "caption_text", "txt", "label", "tags")


@dataclass(frozen=True)
class Text:
    """A text file and what it says; the rest as in encodings.Reading."""

    found: Found
    text: str
    encoding: str = ""
    fault: str = ""
    possible: tuple[Possible, ...] = ()


@dataclass(frozen=True)
class Entry:
    """Captions of a file, or of everything in a folder; the first is the caption, the others are other ways to say it."""

    reference: str  # as the list names it: relative to the list, or as it was on another computer
    captions: tuple[str, ...]
    is_folder: bool = False
    by_name: bool = False  # the name of each file in the folder is its caption


@dataclass(frozen=True)
class Listing:
    """What one list says. `used` are the other texts that it was read with; `problems` what of it could not be used;
    `fault` why nothing of it could."""

    entries: tuple[Entry, ...]
    used: tuple[Found, ...] = ()
    problems: tuple[str, ...] = ()
    fault: str = ""


class TextIndex:
    """All texts of an import."""

    def __init__(self, texts: Sequence[Text]) -> None:
        self.texts = texts
        self._by_place = {(text.found.folder, fold(text.found.name)): text for text in texts}

    def beside(self, text: Text, name: str) -> Text | None:
        """The text of that name in the same folder."""
        return self._by_place.get((text.found.folder, fold(name)))

    def named(self, reference: str) -> Text | None:
        """The text that a path on another computer names, if there is one of that name alone."""
        name = fold(path_parts(reference)[-1]) if path_parts(reference) else ""
        found = [text for text in self.texts if fold(text.found.name) == name]
        return found[0] if len(found) == 1 else None


def lines_of(text: str) -> list[str]:
    """The lines of a list that hold something. Unicode's own signs for a new line are letters of a caption: they divide no lines."""
    return [line.strip() for line in re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff")) if line.strip()]


def path_parts(reference: str) -> tuple[str, ...]:
    """The parts of a path, whichever system wrote it, as they are compared."""
    return tuple(fold(part) for part in reference.strip().replace("\\", "/").split("/") if part not in ("", "."))


def as_captions(value: Any) -> tuple[str, ...]:
    """The captions in a JSON value: one, a list, or a table of kinds of captions; () where there is none."""
    if isinstance(value, str):
        return (value,) if value.strip() else ()
    if isinstance(value, Sequence) and not isinstance(value, (bytes, str)):
        return tuple(caption for part in value for caption in as_captions(part))
    return captions_in(value) if isinstance(value, Mapping) else ()


def captions_in(row: Mapping[Any, Any]) -> tuple[str, ...]:
    """The captions of a row: under the usual names, in their order, then those under names that begin or end so (caption_short, long_caption)."""
    names = {str(name).casefold().strip(): value for name, value in row.items() if isinstance(name, str)}
    known = [name for name in CAPTION_KEYS if name in names]
    known += [
        name for name in names if name not in known and (name.startswith(("caption_", "text_", "prompt_")) or name.endswith("_caption"))
    ]
    found = [caption for name in known for caption in as_captions(names[name])]
    return tuple(dict.fromkeys(found))


def file_in(row: Mapping[Any, Any]) -> str:
    """The file that a row is about, or ""."""
    names = {str(name).casefold().strip(): value for name, value in row.items() if isinstance(name, str)}
    return next((names[name] for name in FILE_KEYS if isinstance(names.get(name), str) and names[name].strip()), "")


def entries_of(rows: Sequence[Any]) -> tuple[Entry, ...]:
    """The entries of rows that name a file and captions."""
    found = [Entry(file_in(row), captions_in(row)) for row in rows if isinstance(row, Mapping)]
    return tuple(entry for entry in found if entry.reference and entry.captions)


def listing_of(rows: Sequence[Any], problems: Sequence[str] = ()) -> Listing | None:
    """What rows say; None where none of them names a file and a caption. Those that don't are counted and named."""
    entries = entries_of(rows)
    if not entries:
        return None
    without = [row for row in rows if not isinstance(row, Mapping) or not (file_in(row) and captions_in(row))]
    return Listing(entries, problems=(*problems, *_tell_without([_row_name(row) for row in without], len(rows))))


def _row_name(row: Any) -> str:
    return (file_in(row) if isinstance(row, Mapping) else "") or "a row without a file"


def _tell_without(names: Sequence[str], count: int) -> list[str]:
    shown = ", ".join(dict.fromkeys(names[:20])) + (" and more" if len(names) > 20 else "")
    return [f"{len(names)} of its {count} rows bring no caption that can be told: {shown}"] if names else []


def listing_of_names(captions: Mapping[str, Any]) -> Listing | None:
    """What a table {file: captions} says; None where nothing in it is a caption."""
    entries = tuple(Entry(name, found) for name, part in captions.items() if (found := as_captions(part)))
    without = [str(name) for name, part in captions.items() if not as_captions(part)]
    return Listing(entries, problems=tuple(_tell_without(without, len(captions)))) if entries else None
