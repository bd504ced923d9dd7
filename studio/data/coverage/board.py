"""The board: how many of the kept photos show which angle at which framing, in which light, place and outfit."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from studio.data.coverage.shown import UNTOLD, Shown
from studio.data.looking.look import ANGLES, CLOSE, FRAMINGS, FRONT, FULL, LEFT, PROFILE_LEFT, PROFILE_RIGHT, RIGHT, UPPER, WAIST

ANGLE, FRAMING, LIGHT, PLACE, OUTFIT = "angle", "framing", "light", "place", "outfit"  # what a photo shows: fields of Shown
ANGLE_WORDS = {
    PROFILE_LEFT: "profile, facing left",
    LEFT: "half turned left",
    FRONT: "from the front",
    RIGHT: "half turned right",
    PROFILE_RIGHT: "profile, facing right",
}
FRAMING_WORDS = {CLOSE: "close-up", UPPER: "upper body", WAIST: "down to the waist", FULL: "full body"}
ROWS = (LIGHT, PLACE, OUTFIT)


@dataclass(frozen=True)
class Cell:
    """Photos that show the same. key: how `fits` finds them; value: what they show, of the names of the row."""

    key: str
    value: str
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One thing that differs from photo to photo. untold: how many photos it is not known of."""

    name: str
    cells: tuple[Cell, ...]  # the commonest first
    untold: int

    @property
    def told(self) -> int:
        return sum(len(cell.ids) for cell in self.cells)

    @property
    def largest_share(self) -> float:
        """Of the photos that it is known of, those in the commonest cell."""
        return len(self.cells[0].ids) / self.told if self.cells else 0.0


@dataclass(frozen=True)
class Board:
    """cells: for each framing, from near to far, a cell for each angle, from left to right. untold: ids of photos in none of them."""

    shown: tuple[Shown, ...]
    cells: tuple[tuple[Cell, ...], ...]
    rows: tuple[Row, ...]
    untold: tuple[str, ...]

    def count(self, key: str) -> int:
        """How many photos show what a key says, as of `fits`."""
        return sum(fits(photo, key) for photo in self.shown)

    @property
    def num_filled(self) -> int:
        return sum(bool(cell.ids) for cells in self.cells for cell in cells)

    @property
    def num_placed(self) -> int:
        return len(self.shown) - len(self.untold)

    def row(self, name: str) -> Row:
        return next(row for row in self.rows if row.name == name)


def make_board(shown: Sequence[Shown]) -> Board:
    """Of what the kept photos show."""
    cells = tuple(tuple(_cell(shown, angle, framing) for angle in ANGLES) for framing in FRAMINGS)
    untold = tuple(photo.id for photo in shown if not (photo.angle and photo.framing))
    return Board(tuple(shown), cells, tuple(_row(shown, name) for name in ROWS), untold)


def _cell(shown: Iterable[Shown], angle: str, framing: str) -> Cell:
    key = f"{ANGLE}:{angle}+{FRAMING}:{framing}"
    return Cell(key, framing, tuple(photo.id for photo in shown if fits(photo, key)))


def _row(shown: Sequence[Shown], name: str) -> Row:
    counted = Counter(value for photo in shown if (value := getattr(photo, name)))
    cells = (Cell(f"{name}:{value}", value, tuple(p.id for p in shown if getattr(p, name) == value)) for value, _ in counted.most_common())
    return Row(name, tuple(cells), sum(getattr(photo, name) == UNTOLD for photo in shown))


def fits(photo: Shown, key: str) -> bool:
    """Whether a photo shows what a key says: "angle:left+framing:close". ValueError for a key that is none."""
    known = {field.name for field in fields(Shown)} - {"id"}
    parts = [part.partition(":") for part in key.split("+")]
    for name, _, _ in parts:
        if name not in known:
            raise ValueError(f"photos can't be chosen by {name!r}; they can by {', '.join(sorted(known))}")
    return all(getattr(photo, name) == value for name, _, value in parts)
