"""One JSON value: {file: captions} (diffusion-pipe's captions.json, kohya's meta_cap.json), a list of rows, or one picture's own caption."""

import json
from collections.abc import Mapping
from typing import Any

from studio.data.incoming.listing import Entry, Listing, Text, TextIndex, as_captions, captions_in, file_in, listing_of, listing_of_names


def read(text: Text, index: TextIndex) -> Listing | None:
    if text.found.suffix() != ".json":
        return None
    try:
        value = json.loads(text.text.removeprefix("\ufeff"))
    except json.JSONDecodeError as e:
        return Listing((), fault=f"it is damaged in line {e.lineno}, so that nothing in it can be read")
    except (ValueError, RecursionError):
        return Listing((), fault="it is no table of captions")
    if isinstance(value, list):
        return listing_of(value)
    return (_own_caption(text, value) or _by_file(value)) if isinstance(value, Mapping) else None


def _own_caption(text: Text, value: Mapping[str, Any]) -> Listing | None:
    """The caption of the picture that is called as this file is (AI Toolkit)."""
    captions = captions_in(value)
    is_own = captions and not any(isinstance(part, (Mapping, list)) for part in value.values() if not as_captions(part))
    return Listing((Entry(file_in(value) or text.found.name[: -len(".json")], captions),)) if is_own else None


def _by_file(value: Mapping[str, Any]) -> Listing | None:
    rows = next((found for part in value.values() if isinstance(part, list) and (found := listing_of(part))), None)
    return rows or listing_of_names(value)
