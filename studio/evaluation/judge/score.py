"""What a score of clips gives. Each is one file in scores/, with a `SCORE`; whatever reads the scores finds it there. Free of torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import mean, median

from studio.evaluation.judge.clip_look import Look
from studio.evaluation.judge.paired import LEAST_PAIRS, Difference
from studio.evaluation.judge.row import FoundFault, Row, lead, number
from studio.evaluation.sweep_facts import Values


class Needs(Enum):
    """What a score looks at beside the clip itself."""

    NOTHING = "nothing"
    BASE = "the base's clip of the same prompt and seed"  # so the base's clips have no such score
    EYE = "the eye for the base model, and the person's own pictures"
    FACES = "such an eye, if it sees faces"

    @property
    def is_eye(self) -> bool:
        return self in (Needs.EYE, Needs.FACES)


@dataclass(frozen=True, kw_only=True)
class Score:
    """A measure of clips, and all that is said of it.

    name: in sweep.json; version: raise it when the same clip would score differently, and every clip is measured anew. gives: names of the
    values that `measure` returns, those that can't be measured left out or None. summarize: the values of a row from those of its clips.
    parts: where and how it is shown; a part that reads a value is not asked where that was not measured.
    """

    name: str
    version: int
    needs: Needs
    gives: tuple[str, ...]
    measure: Callable[[Look], Values]
    summarize: Callable[[Clips], Values]
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Clips:
    """The values of a row's clips, by the kind of their prompts."""

    person: Sequence[Values]
    other: Sequence[Values]

    @property
    def all(self) -> list[Values]:
        return [*self.person, *self.other]

    def median(self, name: str, of: Sequence[Values] | None = None) -> float | None:
        """Over these clips, or all of them; None where none was measured."""
        values = _measured(self.all if of is None else of, name)
        return round(median(values), 4) if values else None

    def mean(self, name: str) -> float | None:
        values = _measured(self.all, name)
        return round(mean(values), 4) if values else None


def _measured(clips: Iterable[Values], name: str) -> list[float]:
    return [value for clip in clips if (value := number(clip, name)) is not None]


def median_of_all(*names: str) -> Callable[[Clips], Values]:
    return lambda clips: {name: clips.median(name) for name in names}


def median_of_person(*names: str) -> Callable[[Clips], Values]:
    return lambda clips: {name: clips.median(name, clips.person) for name in names}


def no_summary(clips: Clips) -> Values:
    return {}


# -- parts. place: the smaller, the earlier among its kind


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What may be wrong with a clip. It is a fault of a row in which half of the person's clips have it.

    of: what is said to stay near the base's where no clip has it, "" where another sentence tells of that.
    """

    name: str
    of: str
    reads: tuple[str, ...]
    is_wrong: Callable[..., bool]  # the values that it reads
    words: str  # "4 of 6 clips ..."
    place: int = 50  # among the faults of a row

    def is_in(self, scores: Values) -> bool:
        return self.can_tell(scores) and self.is_wrong(*[number(scores, name) for name in self.reads])

    def can_tell(self, scores: Values) -> bool:
        """Whether all that it reads was measured."""
        return all(number(scores, name) is not None for name in self.reads)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What may be wrong with a row, or with one clip, by its own values and the base's.

    base_missing: what stands for a base that was not measured; None: then nothing is said.
    """

    name: str
    place: int
    reads: tuple[str, ...]
    base_reads: tuple[str, ...] = ()
    base_missing: float | None = None
    is_wrong: Callable[..., bool]  # the values that it reads, then the base's
    words: Callable[..., str]
    is_too_little: bool = False
    is_told_apart: bool = False

    def find(self, own: Values, base: Values) -> FoundFault | None:
        values = [number(own, name) for name in self.reads]
        for name in self.base_reads:
            value = number(base, name)
            values.append(self.base_missing if value is None else value)
        if None in values or not self.is_wrong(*values):
            return None
        words = self.words(*values)
        return FoundFault(name=self.name, words=words, is_too_little=self.is_too_little, is_told_apart=self.is_told_apart)


@dataclass(frozen=True, kw_only=True)
class Loss:
    """What a later pair may do worse than the best one. sign: 1 where more is better, else -1; told_by: the fault that says the same already."""

    reads: str
    place: int
    sign: int
    margin: float
    words: str  # with {} for its own value and the best pair's
    told_by: str
    of_person: bool = False  # only the person's clips count, as in the row's value

    def is_in(self, fall: Difference) -> bool:
        """Whether the clips prove it: `fall` is how far the best pair's lie above this one's, of the same prompts and seeds."""
        worst = fall.low if self.sign > 0 else -fall.high
        return fall.num_values >= LEAST_PAIRS and worst > 0 and lead(self.sign * fall.mean, self.margin) > 0


@dataclass(frozen=True, kw_only=True)
class Column:
    """Of the table that the page and the terminal show, and of the report's."""

    title: str
    place: int
    words: Callable[[Row], str]
    in_table: bool = True
    in_report: bool = True


@dataclass(frozen=True, kw_only=True)
class Line:
    """Of the chart by step. base: the base's value, None where that is measured like the others."""

    title: str
    place: int
    reads: str
    base: float | None = None


@dataclass(frozen=True, kw_only=True)
class Note:
    """What stands under a clip; "" for nothing."""

    place: int
    reads: str
    words: Callable[[float], str]


@dataclass(frozen=True, kw_only=True)
class Guide:
    """How to read it, in the report."""

    place: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Telling:
    """Sentences for the pair that the verdict names."""

    place: int
    tell: Callable[[Row], Iterable[str]]


@dataclass(frozen=True, kw_only=True)
class Gap:
    """What is said where nothing could be measured, whether or not there is a likeness."""

    place: int
    is_in: Callable[[Row], bool]
    words: str


Part = Finding | Fault | Loss | Column | Line | Note | Guide | Telling | Gap
