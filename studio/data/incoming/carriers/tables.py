"""Tables: metadata.csv and .tsv with a column for the file and one for the caption (the hub, DiffSynth); kohya's and others' own names too."""

import csv
import io
import re

from studio.data.incoming.listing import CAPTION_KEYS, Entry, Listing, Text, TextIndex, listing_of


def read(text: Text, index: TextIndex) -> Listing | None:
    if text.found.suffix() not in (".csv", ".tsv"):
        return None
    first, _, rest = (body := text.text.lstrip("\ufeff")).partition("\n")
    said = re.fullmatch(r"sep=(.)\s*", first)  # Excel's own first line
    body = rest if said else body
    if not body.strip():
        return None
    delimiter = said[1] if said else _delimiter(text, body.splitlines()[0])
    try:
        rows = [row for row in csv.reader(io.StringIO(body, newline=""), delimiter=delimiter) if any(row)]
    except csv.Error as e:
        return Listing((), fault=f"it is damaged: {e}")
    header = [name.strip() for name in rows[0]]
    whole, problems = _join_captions(header, rows[1:], delimiter)
    return listing_of([dict(zip(header, row)) for row in whole], problems) or _without_header(rows, delimiter)


def _delimiter(text: Text, first: str) -> str:
    if text.found.suffix() == ".tsv":
        return "\t"
    return max(",;\t|", key=first.count)  # Excel writes ; where the comma is the decimal sign


def _join_captions(header: list[str], rows: list[list[str]], delimiter: str) -> tuple[list[list[str]], list[str]]:
    """(the rows, what is said of those that have more columns than the header): a caption with commas stood there without quotes."""
    columns = [name.casefold() for name in header]
    place = next((columns.index(name) for name in CAPTION_KEYS if name in columns), None)
    longer = [row for row in rows if len(row) > len(header)]
    if place is None or not longer:
        return rows, []
    words = f"rows with more columns than its first line: {len(longer)} of {len(rows)}; what is over was read as part of the caption"
    return [_join(row, place, len(row) - len(header), delimiter) for row in rows], [words]


def _join(row: list[str], place: int, num_over: int, delimiter: str) -> list[str]:
    """The row with its caption, from column `place` on, in one column again."""
    if num_over <= 0:
        return row
    end = place + num_over + 1
    return [*row[:place], delimiter.join(row[place:end]), *row[end:]]


def _without_header(rows: list[list[str]], delimiter: str) -> Listing | None:
    """Two columns of which the first always names a file."""
    if not all(len(row) >= 2 and "." in row[0] for row in rows):
        return None
    entries = [Entry(row[0], (caption,)) for row in rows if (caption := delimiter.join(row[1:]).strip())]
    return Listing(tuple(entries)) if entries else None
