"""Which checkpoint pair, at which strength, and how sure, where likeness was measured; else what may have gone wrong. Free of torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from studio.evaluation.diagnosis.file_probe import read_blames
from studio.evaluation.diagnosis.symptom_causes import with_causes
from studio.evaluation.judge import verdict_words as words
from studio.evaluation.judge.paired import LEAST_PAIRS, Interval, Outcome, Place, compare, interval
from studio.evaluation.judge.row import Row
from studio.evaluation.judge.shown.standing import Standing, make_standings
from studio.evaluation.judge.table import base_scores, count_faults, make_table, scored, values_of
from studio.evaluation.sweep_facts import Sweep
from studio.evaluation.sweeps import read_sweep
from studio.workspace import Project

VERDICT_VERSION = 5  # raise it when the same scores would give another verdict: reports of earlier versions are written anew
CLEAR, CLOSE, NOT_MEASURED = "clear", "too close to call", "not measured"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """pair and strength: what to use, None if no pair can be named. sure: CLEAR, CLOSE or, without a likeness, NOT_MEASURED.

    summary: the likeness in a sentence, "" where it was not measured; reasons: the sentences after it, the most important first.
    table: one row for each pair and strength with everything that was measured; not_measured: what was not, by name.
    standings: each pair beside the best one, where likeness was measured.
    """

    pair: str | None = None
    strength: float | None = None
    summary: str = ""
    reasons: tuple[str, ...]
    sure: str
    table: tuple[Row, ...]
    not_measured: tuple[str, ...]
    standings: tuple[Standing, ...] = ()

    @property
    def why(self) -> list[str]:
        return [self.summary, *self.reasons] if self.summary else list(self.reasons)

    def to_json(self) -> dict[str, Any]:
        """As its file and `--json` hold it."""
        named = {"pair": self.pair, "strength": self.strength, "summary": self.summary, "why": self.why, "sure": self.sure}
        return named | {"table": [row.to_json() for row in self.table], "not_measured": list(self.not_measured)}


def verdict(project: Project, sweep: Sweep | Path | str) -> Verdict:
    """For a sweep, its folder or the name of that."""
    if not isinstance(sweep, Sweep):
        sweep = read_sweep(project.sweep_dir(sweep) if isinstance(sweep, str) else sweep)
    table = with_causes(sweep, make_table(project, sweep))
    blames = [blame.words for blame in read_blames(project, sweep)]
    usable = [row for row in table if row.clips and not row.does_nothing]
    is_seen = any(row.identity is not None for row in table)
    if not usable:
        reasons, sure = words.nothing(sweep, table), CLOSE
    elif is_seen:
        found = _by_likeness(sweep, usable, table)
        return replace(found, reasons=(*found.reasons, *blames))
    else:
        # No pair goes before another. Whatever else is measured (held-out loss, motion, drift, change) is best where a LoRA does nothing:
        # a rank by it names the pair that learned least.
        reasons, sure = words.what_may_be_wrong(sweep, usable, table), NOT_MEASURED
    return Verdict(reasons=(*reasons, *blames), sure=sure, table=tuple(table), not_measured=() if is_seen else ("likeness",))


# -- with likeness


def _by_likeness(sweep: Sweep, rows: Sequence[Row], table: Sequence[Row]) -> Verdict:
    """Guests are compared with the best pair of the project's own, and named only where there is none."""
    best, rest = _rank_by_likeness(sweep, [row for row in rows if not row.title] or rows)
    guests = _best_of_each([row for row in rows if row.title and row.pair not in (best.pair, *(other.pair for other in rest))])
    open_with = next((row for row in rest if not _is_clearly_more_like(sweep, best, row)), None)
    return Verdict(
        pair=best.pair,
        strength=best.strength,
        summary=words.summary(best, _interval_of(sweep, best)),
        reasons=(*words.reasons(sweep, best, rest, table, open_with), *words.beside_guests(sweep, best, guests)),
        sure=CLEAR if open_with is None else CLOSE,
        table=tuple(table),
        not_measured=(),
        standings=make_standings(sweep, best, [*rest, *guests]),
    )


def _rank_by_likeness(sweep: Sweep, rows: Sequence[Row]) -> tuple[Row, list[Row]]:
    """(best row, the best row of every other pair): without faults before with, then the most like over the same prompts and seeds, but the
    earliest that can't be told from it."""
    likeness = {_place(row): values_of(sweep, row, "identity") for row in rows}
    leads = {place: _mean_lead(own, likeness) for place, own in likeness.items()}
    ranked = sorted(rows, key=lambda row: (*_guards(row), -leads[_place(row)], row.step, row.strength))
    top = ranked[0]
    equals = [row for row in ranked if _guards(row) == _guards(top) and _is_as_like(likeness[_place(top)], likeness[_place(row)])]
    best = min(equals, key=lambda row: (row.step, row.run, row.strength))
    others: dict[str, Row] = {}
    for row in ranked:
        if row.pair != best.pair:
            others.setdefault(row.pair, row)
    return best, list(others.values())


def _best_of_each(rows: Sequence[Row]) -> list[Row]:
    """The most like row of every pair."""
    found: dict[str, Row] = {}
    for row in sorted(rows, key=lambda row: (row.identity is None, -(row.identity or 0.0), row.strength)):
        found.setdefault(row.pair, row)
    return list(found.values())


def _place(row: Row) -> tuple[str, float]:
    return row.pair, row.strength


def _guards(row: Row) -> tuple[bool, bool, int]:
    """What puts a row behind others, whatever its likeness: none measured, clips that failed, things that are wrong."""
    return row.identity is None, row.failed > 0, len(row.found)


def _mean_lead(own: Mapping[Place, float], others: Mapping[tuple[str, float], Mapping[Place, float]]) -> float:
    """How far a row lies above the others on average, each over the clips that both have: a pair does not gain by clips that it lacks."""
    found = [difference.mean for values in others.values() if (difference := compare(own, values))]
    return round(fmean(found), 4) if found else 0.0


def _is_as_like(top: Mapping[Place, float], own: Mapping[Place, float]) -> bool:
    """Whether nothing proves the first one better."""
    difference = compare(top, own)
    return difference is None or difference.outcome is not Outcome.BETTER


def _is_clearly_more_like(sweep: Sweep, best: Row, second: Row) -> bool:
    """By fewer faults that no clip speaks against, or by a likeness whose paired lead is proven."""
    if _guards(best)[:2] < _guards(second)[:2]:
        return True
    if len(best.found) < len(second.found):
        return not _count_against(sweep, best, second)
    difference = compare(values_of(sweep, best, "identity"), values_of(sweep, second, "identity"))
    return difference is not None and difference.outcome is Outcome.BETTER


def _interval_of(sweep: Sweep, row: Row) -> Interval | None:
    """Of the likeness of a row's clips."""
    values = values_of(sweep, row, "identity")
    return interval(list(values.values())) if len(values) >= LEAST_PAIRS else None


# -- clip by clip


def _count_against(sweep: Sweep, best: Row, second: Row) -> int:
    """In how many of the prompts and seeds that both have more is wrong with the best's clip than with the other's."""
    bases = base_scores(sweep)
    own, other = ({cell.row: count_faults(cell.scores, bases.get(cell.row, {})) for cell in scored(sweep, row)} for row in (best, second))
    return sum(own[place] > other[place] for place in own.keys() & other.keys())
