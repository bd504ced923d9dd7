"""Which checkpoint pair, at which strength, and how sure, where likeness was measured; else what may have gone wrong. Free of torch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.evaluation.judge import verdict_words as words
from studio.evaluation.judge.row import SAME, TOLD_APART, Row, lead, number
from studio.evaluation.judge.table import base_scores, count_faults, make_table
from studio.evaluation.sweep_facts import Cell, Sweep
from studio.evaluation.sweeps import read_sweep
from studio.workspace import Project

VERDICT_VERSION = 3  # raise it when the same scores would give another verdict: reports of earlier versions are written anew
CLEAR, CLOSE, NOT_MEASURED = "clear", "too close to call", "not measured"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """pair and strength: what to use, None if no pair can be named. sure: CLEAR, CLOSE or, without a likeness, NOT_MEASURED.

    summary: the likeness in a sentence, "" where it was not measured; reasons: the sentences after it, the most important first.
    table: one row for each pair and strength with everything that was measured; not_measured: what was not, by name.
    """

    pair: str | None = None
    strength: float | None = None
    summary: str = ""
    reasons: tuple[str, ...]
    sure: str
    table: tuple[Row, ...]
    not_measured: tuple[str, ...]

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
    table = make_table(project, sweep)
    usable = [row for row in table if row.clips and not row.does_nothing]
    is_seen = any(row.identity is not None for row in table)
    if not usable:
        reasons, sure = words.nothing(sweep, table), CLOSE
    elif is_seen:
        return _by_likeness(sweep, usable, table)
    else:
        # No pair goes before another. Whatever else is measured (held-out loss, motion, drift, change) is best where a LoRA does nothing:
        # a rank by it names the pair that learned least.
        reasons, sure = words.what_may_be_wrong(sweep, usable, table), NOT_MEASURED
    return Verdict(reasons=tuple(reasons), sure=sure, table=tuple(table), not_measured=() if is_seen else ("likeness",))


# -- with likeness


def _by_likeness(sweep: Sweep, rows: Sequence[Row], table: Sequence[Row]) -> Verdict:
    best, rest = _rank_by_likeness(sweep, rows)
    clear = not rest or _is_clearly_more_like(sweep, best, rest[0])
    return Verdict(
        pair=best.pair,
        strength=best.strength,
        summary=words.summary(best),
        reasons=tuple(words.reasons(best, rest, table, clear)),
        sure=CLEAR if clear else CLOSE,
        table=tuple(table),
        not_measured=(),
    )


def _rank_by_likeness(sweep: Sweep, rows: Sequence[Row]) -> tuple[Row, list[Row]]:
    """(best row, the best row of every other pair): without faults before with, then the most like, but the earliest that can't be told from it."""
    ranked = sorted(rows, key=_likeness_rank)
    top = ranked[0]
    equals = [row for row in ranked if _likeness_rank(row)[:3] == _likeness_rank(top)[:3] and _is_as_like(sweep, top, row)]
    best = min(equals, key=lambda row: (row.step, row.run, row.strength))
    others: dict[str, Row] = {}
    for row in ranked:
        if row.pair != best.pair:
            others.setdefault(row.pair, row)
    return best, list(others.values())


def _likeness_rank(row: Row) -> tuple[bool, bool, int, float, int, float]:
    return (row.identity is None, row.failed > 0, len(row.found), -_identity(row), row.step, row.strength)


def _identity(row: Row) -> float:
    return row.identity if row.identity is not None else -1.0


def _is_as_like(sweep: Sweep, top: Row, row: Row) -> bool:
    """Within the margin, or within what so few prompts can tell apart."""
    leads = lead(_identity(top), _identity(row))
    return leads < SAME or (leads < TOLD_APART and not _passes_sign_test(*_count_wins(sweep, top, row, _cell_identity)))


def _is_clearly_more_like(sweep: Sweep, best: Row, second: Row) -> bool:
    """By fewer faults that no clip speaks against, or by an identity that leads far in every prompt or by a sign test."""
    if len(best.found) < len(second.found):
        return _count_wins(sweep, best, second, _cell_faults(sweep))[1] == 0
    wins, losses = _count_wins(sweep, best, second, _cell_identity)
    leads = lead(_identity(best), _identity(second))
    return (leads >= TOLD_APART and not losses) or (leads >= SAME and _passes_sign_test(wins, losses))


def _cell_identity(cell: Cell) -> float | None:
    return number(cell.scores, "identity")


# -- clip by clip


def _cell_faults(sweep: Sweep) -> Callable[[Cell], float]:
    bases = base_scores(sweep)
    return lambda cell: -count_faults(cell.scores, bases.get(cell.row, {}))


def _count_wins(sweep: Sweep, best: Row, second: Row, value: Callable[[Cell], float | None]) -> tuple[int, int]:
    """(wins, losses) over prompts and seeds of which both have a value; ties say nothing."""
    own, other = (_values_of(sweep, row, value) for row in (best, second))
    both = own.keys() & other.keys()
    return sum(own[place] > other[place] for place in both), sum(own[place] < other[place] for place in both)


def _values_of(sweep: Sweep, row: Row, value: Callable[[Cell], float | None]) -> dict[tuple[int, int], float]:
    """{(prompt, seed): value} of the clips of a row that have one."""
    cells = [cell for cell in sweep.cells if (cell.pair, cell.strength) == (row.pair, row.strength) and cell.scores]
    return {cell.row: found for cell in cells if (found := value(cell)) is not None}


def _passes_sign_test(wins: int, losses: int) -> bool:
    """6 of 6, or 10 of 12."""
    return (losses == 0 and wins >= 6) or (wins >= 10 and losses <= 2)
