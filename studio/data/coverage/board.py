"""The board: how many of the kept photos show which angle at which framing, in which light, place and outfit."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from studio.data.coverage.shown import Shown
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
NAMES = (ANGLE, FRAMING, *ROWS)


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

    def count_angle(self, angle: str) -> int:
        return sum(len(row[ANGLES.index(angle)].ids) for row in self.cells)

    def count_framing(self, framing: str) -> int:
        return sum(len(cell.ids) for cell in self.cells[FRAMINGS.index(framing)])

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
    placed = ids_by_cell(shown)
    cells = tuple(tuple(_cell(placed, angle, framing) for angle in ANGLES) for framing in FRAMINGS)
    untold = tuple(photo.id for photo in shown if not (photo.angle and photo.framing))
    return Board(tuple(shown), cells, tuple(_row(shown, name) for name in ROWS), untold)


def ids_by_cell(shown: Iterable[Shown]) -> dict[str, list[str]]:
    """{key of a cell: ids of the photos in it}."""
    placed: dict[str, list[str]] = {}
    for photo in shown:
        if photo.angle and photo.framing:
            placed.setdefault(_key(photo.angle, photo.framing), []).append(photo.id)
    return placed


def _key(angle: str, framing: str) -> str:
    return f"{ANGLE}:{angle}+{FRAMING}:{framing}"


def _cell(placed: Mapping[str, Sequence[str]], angle: str, framing: str) -> Cell:
    key = _key(angle, framing)
    return Cell(key, framing, tuple(placed[key]) if key in placed else ())


def _row(shown: Sequence[Shown], name: str) -> Row:
    told: dict[str, list[str]] = {}
    for photo in shown:
        if value := getattr(photo, name):
            told.setdefault(value, []).append(photo.id)
    cells = [Cell(f"{name}:{value}", value, tuple(ids)) for value, ids in sorted(told.items(), key=lambda part: -len(part[1]))]
    return Row(name, tuple(cells), len(shown) - sum(len(cell.ids) for cell in cells))


def fits(photo: Shown, key: str) -> bool:
    """Whether a photo shows what a key says: "angle:left+framing:close". ValueError for a key that is none."""
    parts = [part.partition(":") for part in key.split("+")]
    for name, _, _ in parts:
        if name not in NAMES:
            raise ValueError(f"photos can't be chosen by {name!r}; they can by {', '.join(NAMES)}")
    return all(getattr(photo, name) == value for name, _, value in parts)
