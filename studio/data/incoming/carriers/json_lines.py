"""One JSON object a line: musubi's .jsonl (image_path or video_path, caption), the hub's metadata.jsonl (file_name, text)."""

import json

from studio.data.incoming.listing import Listing, Text, TextIndex, lines_of, listing_of


def read(text: Text, index: TextIndex) -> Listing | None:
    if text.found.suffix() not in (".jsonl", ".ndjson"):
        return None
    rows, problems = [], []
    for number, line in enumerate(lines_of(text.text), 1):
        try:
            rows.append(json.loads(line))
        except (ValueError, RecursionError):
            problems.append(f"line {number} is damaged")
    if problems and not rows:
        return Listing((), fault="every line of it is damaged")
    return listing_of(rows, problems)
