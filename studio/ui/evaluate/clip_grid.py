"""What the comparison on the Evaluate tab shows, as Views: the clips, what they were asked for, and which pair to use."""

from dataclasses import dataclass

from studio.ui.train.view import JobProgress
from studio.ui.views import View


@dataclass(frozen=True)
class SweepChoice(View):
    """A comparison that can be looked at. id: its folder's name."""

    id: str
    label: str


@dataclass(frozen=True)
class DrawingProgress(JobProgress):
    """state: of the job that draws, in words."""

    state: str


@dataclass(frozen=True)
class Column(View):
    """The base ("") or a pair. run: of the pair, where there are several; is_guest: whether it was made elsewhere, so that it can't be used from here."""

    id: str
    label: str
    run: str = ""
    is_guest: bool = False


@dataclass(frozen=True)
class PromptRow(View):
    """kind: PERSON or CLASS; video: the address of the side-by-side video, or ""."""

    label: str
    text: str
    kind: str
    video: str


@dataclass(frozen=True)
class ClipView(View):
    """One clip of the grid; its key stands for the address, which changes when the pixels do. error: why it could not be drawn, or ""."""

    column: int
    row: int
    seed: int
    strength: float
    state: str
    key: str
    error: str
    note: str  # what was measured of it
    face: str  # address of the face in it; its poster's where no eye finds faces, "" while it is not drawn
    identity: float | None


@dataclass(frozen=True)
class ChartPoint(View):
    """A place in a chart that can be pressed. at: its share of the width."""

    at: float
    label: str
    column: int


@dataclass(frozen=True)
class ChartView(View):
    strength: float
    svg: str
    legend: str
    points: tuple[ChartPoint, ...]


@dataclass(frozen=True)
class Spot(View):
    """A dot with its whisker. at, low, high: shares of the width of their scale; low and high None where too few clips tell; words: in numbers."""

    at: float
    low: float | None
    high: float | None
    words: str


@dataclass(frozen=True)
class StandingView(View):
    """How one pair stands. column: of its clips; remark: what is known of it beside the best."""

    label: str
    run: str
    column: int
    strength: float
    likeness: Spot | None
    motion: Spot | None
    is_best: bool
    is_open: bool
    remark: str


@dataclass(frozen=True)
class VerdictView(View):
    """What to use and why. pair: "" where none can be named; strength: None where none is better than another; heads, rows: all numbers.

    is_sure: whether the pair is apart from all others.
    """

    text: str
    why: tuple[str, ...]
    pair: str = ""
    strength: float | None = None
    charts: tuple[ChartView, ...] = ()
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    standings: tuple[StandingView, ...] = ()
    is_sure: bool = False


@dataclass(frozen=True)
class ChosenView(View):
    """The pair in use. folder: of its files for ComfyUI."""

    pair: str
    step: int
    strength: float
    folder: str


@dataclass(frozen=True)
class ClipsView(View):
    """One comparison. address: of its files; report: the address of its report, or ""; ratio: width by height of its clips."""

    sweep: str
    sweeps: tuple[SweepChoice, ...]
    address: str
    verdict: VerdictView | None
    report: str
    progress: DrawingProgress | None
    columns: tuple[Column, ...]
    rows: tuple[PromptRow, ...]
    order: tuple[int, ...]  # in which the rows stand: where the pairs differ most first
    differs: bool  # whether that is measured
    strengths: tuple[float, ...]
    seeds: tuple[int, ...]
    cells: tuple[ClipView, ...]
    fps: float
    ratio: float
    people: tuple[str, ...]  # addresses of the person's own faces
    chosen: ChosenView | None
