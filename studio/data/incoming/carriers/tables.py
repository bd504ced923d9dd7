"""Tables: metadata.csv and .tsv with a column for the file and one for the caption (the hub, DiffSynth); kohya's and others' own names too."""

import csv
import io

from studio.data.incoming.listing import Entry, Listing, Text, TextIndex, entries_of


def read(text: Text, index: TextIndex) -> Listing | None:
    if text.found.suffix() not in (".csv", ".tsv"):
        return None
    lines = text.text.lstrip("\ufeff").splitlines()
    if not lines:
        return None
    try:
        rows = list(csv.reader(io.StringIO("\n".join(lines)), delimiter=_delimiter(text, lines[0])))
    except csv.Error as e:
        return Listing((), problems=(f"it is damaged: {e}",))
    header = [name.strip() for name in rows[0]]
    entries = entries_of([dict(zip(header, row)) for row in rows[1:]]) or _without_header(rows)
    return Listing(entries) if entries else None


def _delimiter(text: Text, first: str) -> str:
    if text.found.suffix() == ".tsv":
        return "\t"
    return max(",;\t|", key=first.count)  # Excel writes ; where the comma is the decimal sign


def _without_header(rows: list[list[str]]) -> tuple[Entry, ...]:
    """Two columns of which the first always names a file."""
    if not all(len(row) == 2 and "." in row[0] for row in rows):
        return ()
    return tuple(Entry(name, (caption,)) for name, caption in rows if caption.strip())
