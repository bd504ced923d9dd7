"""Which checkpoint pair, at which strength, and how sure, where likeness was measured; else what may have gone wrong. Free of torch."""

from pathlib import Path

from studio.evaluation.judge import verdict_words as words
from studio.evaluation.judge.table import SAME, TOLD_APART, count_faults, make_table
from studio.evaluation.sweeps import read_sweep

VERDICT_VERSION = 2  # raise it when the same scores would give another verdict: reports of earlier versions are written anew
CLEAR, CLOSE, NOT_MEASURED = "clear", "too close to call", "not measured"


def verdict(project, sweep):
    """{"pair", "strength", "summary", "why", "sure", "table", "not_measured"} for a sweep (dict, folder or name); pair None if none can be named.

    sure is "clear", "too close to call" or, without a likeness, "not measured". table: one row for each pair and strength with everything
    that was measured. summary: the likeness in a sentence, "" where it was not measured.
    """
    if not isinstance(sweep, dict):
        sweep = read_sweep(project.sweep_dir(sweep) if isinstance(sweep, str) else Path(sweep))
    table = make_table(project, sweep)
    seen = any(row["identity"] is not None for row in table)
    found = {"table": table, "not_measured": [] if seen else ["likeness"]}
    usable = [row for row in table if row["clips"] and row["applied"] is not False]
    if not usable:
        return found | {"pair": None, "strength": None, "summary": "", "sure": CLOSE, "why": words.nothing(sweep, table)}
    return found | (_by_likeness(sweep, usable, table) if seen else _without_likeness(sweep, usable, table))


def _without_likeness(sweep, rows, table):
    """No pair goes before another. Whatever else is measured (held-out loss, motion, drift, change) is best where a LoRA does nothing:
    a rank by it names the pair that learned least."""
    return {"pair": None, "strength": None, "summary": "", "sure": NOT_MEASURED, "why": words.what_may_be_wrong(sweep, rows, table)}


# -- with likeness


def _by_likeness(sweep, rows, table):
    best, rest = _rank_by_likeness(sweep, rows)
    clear = not rest or _is_clearly_more_like(sweep, best, rest[0])
    return {
        "pair": best["pair"],
        "strength": best["strength"],
        "summary": words.summary(best),
        "sure": CLEAR if clear else CLOSE,
        "why": words.reasons(sweep, best, rest, table, clear),
    }


def _rank_by_likeness(sweep, rows):
    """(best row, the best row of every other pair): without faults before with, then the most like, but the earliest that can't be told from it."""
    ranked = sorted(rows, key=_likeness_rank)
    top = ranked[0]
    equals = [row for row in ranked if _likeness_rank(row)[:2] == _likeness_rank(top)[:2] and _is_as_like(sweep, top, row)]
    best = min(equals, key=lambda row: (row["step"], row["run"], row["strength"]))
    others = {}
    for row in ranked:
        if row["pair"] != best["pair"]:
            others.setdefault(row["pair"], row)
    return best, list(others.values())


def _likeness_rank(row):
    return (row["failed"] > 0, len(row["problems"]), -_identity(row), row["step"], row["strength"])


def _identity(row):
    return row["identity"] if row["identity"] is not None else -1.0


def _is_as_like(sweep, top, row):
    """Within the margin, or within what so few prompts can tell apart."""
    lead = _identity(top) - _identity(row)
    return lead < SAME or (lead < TOLD_APART and not _passes_sign_test(*_count_wins(sweep, top, row, _cell_identity)))


def _is_clearly_more_like(sweep, best, second):
    """By fewer faults that no clip speaks against, or by an identity that leads far in every prompt or by a sign test."""
    if len(best["problems"]) < len(second["problems"]):
        return _count_wins(sweep, best, second, _cell_faults(sweep))[1] == 0
    wins, losses = _count_wins(sweep, best, second, _cell_identity)
    leads = _identity(best) - _identity(second)
    return (leads >= TOLD_APART and not losses) or (leads >= SAME and _passes_sign_test(wins, losses))


def _cell_identity(cell):
    return cell["scores"].get("identity")


# -- clip by clip


def _cell_faults(sweep):
    bases = {(c["prompt"], c["seed"]): c["scores"] for c in sweep["cells"] if c["pair"] is None}
    return lambda cell: -count_faults(cell, bases.get((cell["prompt"], cell["seed"]), {}))


def _count_wins(sweep, best, second, value):
    """(wins, losses) over prompts and seeds of which both have a value; ties say nothing."""
    counts = {}
    for cell in sweep["cells"]:
        for row in (best, second):
            if (cell["pair"], cell["strength"]) == (row["pair"], row["strength"]) and cell["scores"] and value(cell) is not None:
                counts.setdefault((cell["prompt"], cell["seed"]), {})[row["pair"], row["strength"]] = value(cell)
    one, other = ((row["pair"], row["strength"]) for row in (best, second))
    both = [c for c in counts.values() if len(c) == 2]
    return sum(c[one] > c[other] for c in both), sum(c[one] < c[other] for c in both)


def _passes_sign_test(wins, losses):
    """6 of 6, or 10 of 12."""
    return (losses == 0 and wins >= 6) or (wins >= 10 and losses <= 2)
