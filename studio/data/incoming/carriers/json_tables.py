"""One JSON value: {file: captions} (diffusion-pipe's captions.json, kohya's meta_cap.json), a list of rows, or one picture's own caption."""

import json
from collections.abc import Mapping
from typing import Any

from studio.data.incoming.listing import Entry, Listing, Text, TextIndex, as_captions, captions_in, entries_of, file_in


def read(text: Text, index: TextIndex) -> Listing | None:
    if text.found.suffix() != ".json":
        return None
    try:
        value = json.loads(text.text)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list):
        entries = entries_of(value)
    elif isinstance(value, Mapping):
        entries = _own_caption(text, value) or _by_file(value)
    else:
        entries = ()
    return Listing(entries) if entries else None


def _own_caption(text: Text, value: Mapping[str, Any]) -> tuple[Entry, ...]:
    """The caption of the picture that is called as this file is (AI Toolkit)."""
    captions = captions_in(value)
    is_own = captions and not any(isinstance(part, (Mapping, list)) for part in value.values() if not as_captions(part))
    return (Entry(file_in(value) or text.found.name[: -len(".json")], captions),) if is_own else ()


def _by_file(value: Mapping[str, Any]) -> tuple[Entry, ...]:
    found = [Entry(name, as_captions(part)) for name, part in value.items()]
    rows = next((entries for part in value.values() if isinstance(part, list) and (entries := entries_of(part))), ())
    return rows or tuple(entry for entry in found if entry.captions)
