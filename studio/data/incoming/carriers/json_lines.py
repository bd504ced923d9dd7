"""One JSON object a line: musubi's .jsonl (image_path or video_path, caption), the hub's metadata.jsonl (file_name, text)."""

import json

from studio.data.incoming.listing import Listing, Text, TextIndex, entries_of


def read(text: Text, index: TextIndex) -> Listing | None:
    if text.found.suffix() not in (".jsonl", ".ndjson"):
        return None
    rows, problems = [], []
    for number, line in enumerate(text.text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            rows.append(json.loads(line))
        except (ValueError, RecursionError):
            problems.append(f"line {number} is damaged")
    entries = entries_of(rows)
    return Listing(entries, problems=tuple(problems)) if entries else None
