"""What the page shows of all photos together: how ready they are, what they cover and lack, and who is in them. Plain JSON; only reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from studio.data.coverage.board import ANGLE_WORDS, FRAMING_WORDS, LIGHT, OUTFIT, PLACE, Board, Row, ids_by_cell
from studio.data.coverage.readiness import FAIR, GOOD, READY, WEAK, Readiness
from studio.data.coverage.shortfall import Shortfall
from studio.data.coverage.shown import Shown
from studio.data.looking.look import ANGLES, FRAMINGS
from studio.ui import formatting as f
from studio.ui.actions import find_button
from studio.ui.views import Button, View

GRADES = {READY: ("Ready", "good"), GOOD: ("Good", "good"), FAIR: ("Usable", "warn"), WEAK: ("Weak", "bad")}  # word, tone
ROW_WORDS = {LIGHT: ("Light", "about"), PLACE: ("Place", "about the same background"), OUTFIT: ("Outfit", "about the same clothes")}
MOST_CELLS = 8  # of a row; the rest is counted
SHOW_THEM = "Show them"


@dataclass(frozen=True)
class FindingView(View):
    """One thing that is lacking. cause: what it will probably do; show: the choice of pictures that it is about; angle, framing: to draw."""

    text: str
    cause: str
    show: str
    show_label: str
    button: Button | None
    angle: str
    framing: str


@dataclass(frozen=True)
class CellView(View):
    """Photos that show the same. key: the choice of pictures; spare: how many that are left out show it, too, with their choice."""

    key: str
    words: str
    angle: str
    framing: str
    count: int
    spare: int
    spare_key: str


@dataclass(frozen=True)
class ChipView(View):
    """A part of a row. src: a picture of it, or "" where its name says it."""

    key: str
    label: str
    count: int
    src: str


@dataclass(frozen=True)
class RowView(View):
    title: str
    about: str
    chips: tuple[ChipView, ...]
    more: int
    untold: int


@dataclass(frozen=True)
class BoardView(View):
    """cells: framing by framing, from near to far, the angles from left to right. note: what is in none of them, and why."""

    angles: tuple[str, ...]
    framings: tuple[str, ...]
    cells: tuple[tuple[CellView, ...], ...]
    rows: tuple[RowView, ...]
    filled: int
    note: str


@dataclass(frozen=True)
class FaceView(View):
    """A face cut out of a photo. item: which photo."""

    item: str
    src: str


@dataclass(frozen=True)
class GroupView(View):
    """Faces that are probably one person's. key: names one of its faces; show: the choice of pictures."""

    key: str
    photos: int
    faces: tuple[FaceView, ...]
    show: str
    is_person: bool


@dataclass(frozen=True)
class PeopleView(View):
    """Who is in the photos. title: the question, or who it is; question: what must be answered first; more: faces that are in one photo only."""

    title: str
    is_said: bool
    question: str
    groups: tuple[GroupView, ...]
    more: str


@dataclass(frozen=True)
class Coverage(View):
    """The readiness line, the board, the people. show: the choice of pictures that the grid shows."""

    share: float
    word: str
    tone: str
    findings: tuple[FindingView, ...]
    board: BoardView | None
    not_measured: str  # why there is no board, or ""
    people: PeopleView | None
    show: str


def describe_finding(finding: Shortfall) -> FindingView:
    return FindingView(
        text=f.sentence(finding.words),
        cause=f.sentence(finding.cause),
        show=finding.show,
        show_label=SHOW_THEM if finding.show else "",
        button=find_button(finding.action) if finding.action else None,
        angle=finding.angle,
        framing=finding.framing,
    )


def describe_findings_of(readiness: Readiness) -> tuple[FindingView, ...]:
    return tuple(describe_finding(finding) for finding in readiness.findings)


def describe_board(board: Board, left_out: Sequence[Shown], pictures: Mapping[str, str]) -> BoardView:
    """left_out: what the photos show that are not kept; pictures: {id: address of a thumbnail}."""
    spare = ids_by_cell(left_out)
    cells = tuple(
        tuple(_cell(cell.key, len(cell.ids), angle, framing, len(spare.get(cell.key, ()))) for cell, angle in zip(row, ANGLES, strict=True))
        for row, framing in zip(board.cells, FRAMINGS, strict=True)
    )
    rows = tuple(_row(row, pictures) for row in board.rows)
    note = f"{f.count(len(board.untold), 'photo shows', 'photos show')} no face whose angle can be told." if board.untold else ""
    names = tuple(ANGLE_WORDS[angle] for angle in ANGLES), tuple(FRAMING_WORDS[framing] for framing in FRAMINGS)
    return BoardView(*names, cells, rows, board.num_filled, note)


def _cell(key: str, count: int, angle: str, framing: str, spare: int) -> CellView:
    words = f"{ANGLE_WORDS[angle]}, {FRAMING_WORDS[framing]}"
    return CellView(f"kept/{key}", words, angle, framing, count, spare, f"out/{key}")


def _row(row: Row, pictures: Mapping[str, str]) -> RowView:
    title, about = ROW_WORDS[row.name]
    chips = tuple(
        ChipView(
            f"kept/{cell.key}", cell.value if row.name == LIGHT else "", len(cell.ids), "" if row.name == LIGHT else pictures[cell.ids[0]]
        )
        for cell in row.cells[:MOST_CELLS]
    )
    return RowView(title, about, chips, max(0, len(row.cells) - MOST_CELLS), row.untold)
