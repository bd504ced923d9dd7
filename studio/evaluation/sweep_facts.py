"""The nouns of a comparison, as sweep.json holds them: the sweep, its prompts, the pairs it compares, and its cells. Free of torch."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

from studio.config import EXPERTS, SweepConfig, from_dict
from studio.data.captions.rules import class_prompt
from studio.evaluation.diagnosis.file_facts import FileFinding
from studio.facts import Facts

PERSON, CLASS = "person", "class"  # kinds of prompts: the trigger is asked for, or somebody else
WAITING, DONE, FAILED = "waiting", "done", "failed"  # states of cells
FIRST_SCORES = ("motion", "sharpness", "flicker", "clipping", "change")  # that there were when all had one version
FIRST_SCORES_OF_AN_EYE = ("identity", "resemblance", "memorised", "follows")
Values = Mapping[str, float | bool | None]  # what scores say of a clip or a row; what is not there was not measured


@dataclass(frozen=True, kw_only=True)
class SweepReport(Facts):
    """What the drawing of a comparison did, in numbers of clips. sweep: its folder's name; report: the name of the report's file, or ""."""

    ALWAYS_WRITTEN = ("sweep", "rendered", "reused", "failed", "total", "report", "stopped")
    sweep: str = ""
    rendered: int = 0
    reused: int = 0
    failed: int = 0
    total: int = 0
    report: str = ""
    stopped: bool = False


@dataclass(frozen=True, kw_only=True)
class SweepFacts(Facts):
    """What a drawing is asked for beside its settings, as its run folder's config.json keeps it. pairs: their ids, None for all;
    sweep: the folder that it draws into, None until that is known; probe: whether that is all it is asked for."""

    ALWAYS_WRITTEN = ("pairs", "sweep")
    pairs: tuple[str, ...] | None = None
    sweep: str | None = None
    probe: bool = False


@dataclass(frozen=True, kw_only=True)
class FirstPicture(Facts):
    """The photo or clip that a prompt's clips begin with. kind: "photo" or "clip"; corner: where a photo is cut, None: in its middle."""

    item: str
    kind: str
    sha256: str
    corner: tuple[int, int] | None = None  # left, top px in the photo scaled to cover the clip: so that the head stays in


@dataclass(frozen=True, kw_only=True)
class Prompt(Facts):
    """One row of a comparison. picture: the item that a person named for its first picture, "" if none."""

    label: str
    text: str
    kind: str
    picture: str = ""
    first_picture: FirstPicture | None = None


@dataclass(frozen=True, kw_only=True)
class ComparedPair(Facts):
    """A checkpoint pair in a comparison. An expert without a step has no hash: its stage is the base's, and shared with it.

    of: the pair whose files it draws with, "" for its own; title: of a guest, "" for the project's own; called: the word that stands for its person in prompts, "" for the project's trigger.
    """

    id: str
    run: str
    step: int
    high_sha256: str
    low_sha256: str
    of: str = ""
    title: str = ""
    called: str = ""

    @property
    def label(self) -> str:
        """ "Step 3000", or the title of a guest."""
        return self.title or f"Step {self.step:,}"

    def sha_of(self, expert: str) -> str:
        shas: dict[str, str] = dict(zip(EXPERTS, (self.high_sha256, self.low_sha256), strict=True))
        return shas[expert]


@dataclass(frozen=True, kw_only=True)
class Cell(Facts):
    """One clip of a comparison: what it shows, whether it is drawn, and what was measured of it.

    key: of its pixels; high_key: of the state that the first of two experts leaves; pair: None for the base's clip. measured: {score: what it was
    measured with}. seconds: that its drawing took.
    """

    ALWAYS_WRITTEN = ("error", "scores")
    key: str
    high_key: str
    pair: str | None
    prompt: int
    seed: int
    strength: float
    state: str
    clip: str
    poster: str
    error: str = ""
    scores: Values = field(default_factory=dict)
    measured: Mapping[str, str] = field(default_factory=dict)
    clip_sha256: str = ""
    seconds: float | None = None

    @property
    def face(self) -> str:
        """Where the picture of its face lies, if an eye found one."""
        return f"{self.poster.removesuffix('.jpg')}.face.jpg"

    @classmethod
    def from_json(cls, data: Any, where: str) -> Self:
        return super().from_json(_of_one_version_for_all_scores(data), where)

    @property
    def is_done(self) -> bool:
        return self.state == DONE

    @property
    def place(self) -> tuple[str, str | None, int, int, float]:
        """What it shows and where it stands: pairs with equal files have equal keys."""
        return self.key, self.pair, self.prompt, self.seed, self.strength

    @property
    def row(self) -> tuple[int, int]:
        """Cells of one prompt and seed are compared with each other."""
        return self.prompt, self.seed

    def stage_key(self, expert: str, experts: Sequence[str]) -> str:
        """Of what this expert leaves, where these draw one after the other."""
        return self.key if expert == experts[-1] else self.high_key

    def undrawn(self) -> Self:
        """The cell as it was planned."""
        return replace(self, state=WAITING, error="", scores={}, measured={})


def _of_one_version_for_all_scores(data: Any) -> Any:
    """Brings a cell up to date from when all scores had one version: "scored_by" was what the eye measured with, "" if there was none."""
    if not isinstance(data, Mapping) or "measured" in data or not isinstance(data.get("scores"), Mapping):
        return data
    new = {name: value for name, value in data.items() if name != "scored_by"}
    measured = {name: "1" for name in FIRST_SCORES if name in data["scores"]}
    if data.get("scored_by"):
        measured |= dict.fromkeys(FIRST_SCORES_OF_AN_EYE, data["scored_by"])
    return new | ({"measured": measured} if measured else {})


@dataclass(frozen=True, kw_only=True)
class Sweep(Facts):
    """A comparison: prompts x seeds x (the base, and every pair at every strength). sample: only a look at how a training goes;
    findings: what is wrong with its pairs by their files; trigger: the project's, in whose place guests are called by their own;
    probe: whether a pair's files are drawn alone, which is no comparison."""

    created: float
    base_model: str
    base_key: str
    fps: int
    settings: Mapping[str, Any]
    prompts: tuple[Prompt, ...]
    pairs: tuple[ComparedPair, ...]
    cells: tuple[Cell, ...]
    sample: bool = False
    findings: tuple[FileFinding, ...] = ()
    trigger: str = ""
    probe: bool = False

    @cached_property
    def config(self) -> SweepConfig:
        """The settings it was planned with."""
        return from_dict(SweepConfig, self.settings, "sweep.json")

    @property
    def columns(self) -> list[tuple[str | None, float]]:
        """(pair id or None, strength) of every column, the base first."""
        return list(dict.fromkeys((cell.pair, cell.strength) for cell in self.cells))

    @property
    def has_several_runs(self) -> bool:
        return len({pair.run for pair in self.pairs if not pair.title}) > 1

    def find_pair(self, pair_id: str) -> ComparedPair:
        return next(pair for pair in self.pairs if pair.id == pair_id)

    def find_cell(self, pair: str | None, prompt: int, seed: int, strength: float) -> Cell | None:
        """The cell of a pair id (None: the base), prompt index, seed and strength; None if it was not asked for."""
        for cell in self.cells:
            if (cell.pair, cell.prompt, cell.seed) == (pair, prompt, seed) and (pair is None or cell.strength == strength):
                return cell
        return None

    def cells_of(self, keys: Collection[str]) -> list[Cell]:
        """The first cell of each of these keys, in the order of the keys."""
        first: dict[str, Cell] = {}
        for cell in self.cells:
            first.setdefault(cell.key, cell)
        return [first[key] for key in keys]

    def prompt_of(self, cell: Cell) -> Prompt:
        return self.prompts[cell.prompt]

    def text_of(self, cell: Cell) -> str:
        """What is drawn: the prompt, for a guest with its own trigger."""
        pair = self.find_pair(cell.pair) if cell.pair else None
        return text_for(self.prompts[cell.prompt].text, pair, self.trigger)

    def count_states(self) -> Counter[str]:
        """{"done", "waiting", "failed"} -> number of cells."""
        counts = Counter({DONE: 0, WAITING: 0, FAILED: 0})
        counts.update(cell.state for cell in self.cells)
        return counts

    def with_cells(self, change: Callable[[Cell], Cell]) -> Self:
        """The same sweep with every cell changed by a function."""
        return replace(self, cells=tuple(change(cell) for cell in self.cells))


def text_for(text: str, pair: ComparedPair | None, trigger: str) -> str:
    """A prompt as a pair needs it: with the trigger that it was trained with."""
    return class_prompt(text, trigger, pair.called) if pair and pair.called else text
