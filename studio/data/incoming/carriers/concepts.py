"""OneTrainer's concepts.json: a folder and where its captions come from: a text beside each photo, one text for all, or the files' names."""

import json
from collections.abc import Mapping
from typing import Any

from studio.data.incoming.listing import Entry, Listing, Text, TextIndex, lines_of


def read(text: Text, index: TextIndex) -> Listing | None:
    concepts = _concepts(text)
    if not concepts:
        return None
    entries, used, problems = [], [], []
    for concept in concepts:
        source = concept["text"]
        if source.get("prompt_source") == "filename":
            entries.append(Entry(str(concept["path"]), (), is_folder=True, by_name=True))
        if source.get("prompt_source") != "concept":
            continue
        named = index.named(str(source.get("prompt_path") or ""))
        if named is None:
            problems.append(f"it names the text {source.get('prompt_path')!r}, which was not given")
            continue
        used.append(named.found)
        entries.append(Entry(str(concept["path"]), tuple(lines_of(named.text)), is_folder=True))
    return Listing(tuple(entries), tuple(used), tuple(problems))


def _concepts(text: Text) -> list[Mapping[str, Any]]:
    if text.found.suffix() != ".json":
        return []
    try:
        value = json.loads(text.text)
    except (ValueError, RecursionError):
        return []
    rows = value.get("concepts") if isinstance(value, Mapping) else value
    rows = rows if isinstance(rows, list) else []
    return [row for row in rows if isinstance(row, Mapping) and isinstance(row.get("text"), Mapping) and row.get("path")]
