"""One row of the table: all that was measured of a pair at one strength."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studio.evaluation.judge.figures import percent
from studio.evaluation.sweep_facts import Values

# What may be told apart.
SAME = 0.02  # an identity higher by less than 2 % of the photos' is no reason to train longer
TOLD_APART = 0.05  # an identity that surely differs by less is the same to the eye


def number(values: Values, name: str) -> float | None:
    """A value as a number; None where it was not measured, be it that the clips are older than the score."""
    value = values.get(name)
    return None if value is None or isinstance(value, bool) else float(value)


def lead(own: float, other: float) -> float:
    """How far a value lies above another, to the four digits that they have: what floats add must not decide at a margin."""
    return round(own - other, 4)


@dataclass(frozen=True, kw_only=True)
class FoundFault:
    """What is wrong, in words. is_too_little: it comes of learning too little; is_told_apart: a sentence of its own tells it."""

    name: str
    words: str
    is_too_little: bool = False
    is_told_apart: bool = False


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why something is wrong. heading: what is said of the pair, "has learned too little", "" where its faults say it; words: a whole sentence
    instead, where its files tell; cure: where among what was compared it is not so, or what to compare; advice: what else can be done."""

    code: str
    heading: str = ""
    words: str = ""
    cure: str = ""
    advice: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """values: {name: number} of the scores; base: the same of the base's clips, of scores that look at those too.

    findings: {name: number of clips with it}; few: in words, those that too few clips have for a fault; steady: what stays near the base's in every
    clip of the person; held_out: {expert: loss}; held_out_excess: how far that lies above the best of the run, None where it can't be compared;
    causes: of what is wrong, the most important first; title: of a guest, "" for the project's own.
    """

    pair: str
    run: str
    step: int
    strength: float
    clips: int
    failed: int
    values: Values
    base: Values
    findings: Mapping[str, int]
    found: tuple[FoundFault, ...]
    few: tuple[str, ...]
    steady: tuple[str, ...]
    held_out: Mapping[str, float]
    held_out_excess: float | None = None
    causes: tuple[Cause, ...] = ()
    title: str = ""

    def number(self, name: str) -> float | None:
        return number(self.values, name)

    def of_base(self, name: str) -> float | None:
        return number(self.base, name)

    @property
    def identity(self) -> float | None:
        """The likeness that pairs are ranked by."""
        return self.number("identity")

    @property
    def motion(self) -> float | None:
        return self.number("motion")

    @property
    def does_nothing(self) -> bool:
        """Whether every clip is exactly the base's."""
        return "applied" in self.values and self.values["applied"] is False

    @property
    def faults(self) -> list[str]:
        return [fault.name for fault in self.found]

    @property
    def problems(self) -> list[str]:
        return [fault.words for fault in self.found]

    @property
    def name(self) -> str:
        """ "Step 3000" with its run, for the beginning of sentences; a guest by its title."""
        return f'The guest "{self.title}"' if self.title else f"Step {self.step} of {self.run}"

    @property
    def name_within(self) -> str:
        """The same within a sentence."""
        return f'the guest "{self.title}"' if self.title else f"step {self.step} of {self.run}"

    def against_base(self, name: str) -> str:
        """ "91 % (base 8 %)"."""
        own, base = self.number(name), self.of_base(name)
        if own is None:
            return "not measured"
        return percent(own) + (f" (base {percent(base)})" if base is not None else "")

    def to_json(self) -> dict[str, Any]:
        """As the verdict's file and `--json` hold it."""
        place = {"pair": self.pair, "run": self.run, "step": self.step, "strength": self.strength}
        counts = {"clips": self.clips, "failed": self.failed, "findings": dict(self.findings)}
        losses = {"held_out": dict(self.held_out), "held_out_excess": self.held_out_excess}
        causes = {"causes": [cause.code for cause in self.causes]}
        return (
            place
            | counts
            | dict(self.values)
            | {"base": dict(self.base), "faults": self.faults, "problems": self.problems}
            | causes
            | losses
        )
