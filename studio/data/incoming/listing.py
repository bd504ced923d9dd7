"""What a list of captions says: which captions, of which file; and the index of all texts of an import, in which one may name another."""

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


@dataclass(frozen=True)
class Listing:
    """What one list says. `used` are the other texts that it was read with; `problems` what it names and is not there."""

    entries: tuple[Entry, ...]
    used: tuple[Found, ...] = ()
    problems: tuple[str, ...] = ()


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
    """The captions of a row: under the usual names, in their order, then those under names that begin so (caption_short)."""
    names = {str(name).casefold().strip(): value for name, value in row.items() if isinstance(name, str)}
    known = [name for name in CAPTION_KEYS if name in names]
    known += [name for name in names if name not in known and name.startswith(("caption_", "text_", "prompt_"))]
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
