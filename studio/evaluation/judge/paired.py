"""Paired differences: which of two rows lies higher in a score over the same prompts and seeds, how surely, and how many clips more would tell."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import fmean, stdev

from studio.evaluation.judge.row import SAME, TOLD_APART

Place = tuple[int, int]  # prompt and seed

# Student's t, 97.5th percentile by degrees of freedom (any table of the distribution); beyond the table 1.96 + 2.5 / df, right to .002
T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
)  # fmt: skip
LEAST_PAIRS = 3  # with fewer the interval says nothing
SPREAD_LEAST = 0.015  # sd of a difference between two clips, however alike those of few prompts lie. A starting value: embeddings of one face in two frames of a clip differ by so much
MOST_CLIPS = 200  # more will not be drawn to tell two pairs apart


class Outcome(Enum):
    """What is known of one row against another."""

    BETTER = "better"
    WORSE = "worse"
    EQUAL = "equal"  # whatever the difference is, it is too small to matter
    OPEN = "open"


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean with its 95 % confidence interval (Student 1908), of num_values values."""

    mean: float
    low: float
    high: float
    num_values: int
    spread: float  # standard deviation


@dataclass(frozen=True, kw_only=True)
class Difference(Interval):
    """How far one row lies above another, in the score's own units. least: the smallest difference that matters."""

    least: float = SAME

    @property
    def outcome(self) -> Outcome:
        if self.num_values < LEAST_PAIRS:
            return Outcome.OPEN
        if self.low > 0 and _rounded(self.mean) >= self.least:
            return Outcome.BETTER
        if self.high < 0 and _rounded(self.mean) <= -self.least:
            return Outcome.WORSE
        return Outcome.EQUAL if max(abs(self.low), abs(self.high)) < TOLD_APART else Outcome.OPEN

    def clips_to_settle(self) -> int | None:
        """How many clips more of each would probably tell, if the difference stays what it seems to be; None if not even MOST_CLIPS would."""
        away = max(abs(self.mean), TOLD_APART - abs(self.mean))  # from nothing, or from what matters: whichever is told first
        for num_values in range(max(self.num_values + 1, LEAST_PAIRS), MOST_CLIPS + 1):
            if t_quantile(num_values - 1) * self.spread / math.sqrt(num_values) < away:
                return num_values - self.num_values
        return None


def compare(own: Mapping[Place, float], other: Mapping[Place, float], least: float = SAME) -> Difference | None:
    """Of {(prompt, seed): value} of two rows, over those that both have; None where they share none."""
    both = sorted(own.keys() & other.keys())
    if not both:
        return None
    found = interval([own[place] - other[place] for place in both])
    return Difference(mean=found.mean, low=found.low, high=found.high, num_values=found.num_values, spread=found.spread, least=least)


def interval(values: Sequence[float]) -> Interval:
    """Of at least one value; of a single one it is endless."""
    mean, num_values = fmean(values), len(values)
    if num_values == 1:
        return Interval(mean=mean, low=-math.inf, high=math.inf, num_values=1, spread=SPREAD_LEAST)
    spread = max(stdev(values), SPREAD_LEAST)
    half = t_quantile(num_values - 1) * spread / math.sqrt(num_values)
    return Interval(mean=mean, low=mean - half, high=mean + half, num_values=num_values, spread=spread)


def t_quantile(degrees: int) -> float:
    """97.5th percentile of Student's t."""
    return T[degrees - 1] if degrees <= len(T) else 1.96 + 2.5 / degrees


def _rounded(value: float) -> float:
    """To the four digits that scores have: what floats add must not decide at a margin."""
    return round(value, 4)
