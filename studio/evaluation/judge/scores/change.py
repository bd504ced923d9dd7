"""How far a clip's pixels lie from the base's: of the person's clips what was learned, of others' what spilled over (drift)."""

from collections.abc import Iterator

import numpy as np

from studio.evaluation.judge.clip_look import Look
from studio.evaluation.judge.figures import decimal_or_not, percent
from studio.evaluation.judge.row import Row
from studio.evaluation.judge.score import Clips, Column, Fault, Gap, Needs, Score, Telling
from studio.evaluation.sweep_facts import Values

DRIFT_LIMIT = 0.8  # other people may change at most this much as a share of what the person's clips change


def measure(look: Look) -> Values:
    """change 0..1, and whether anything changed at all."""
    if look.base is None:
        return {}
    change = float(np.abs(look.frames.astype(np.int16) - look.base.frames.astype(np.int16)).mean() / 255)
    return {"change": round(change, 5), "applied": change > 0}


def summarize(clips: Clips) -> Values:
    change, drift = clips.median("change", clips.person), clips.median("change", clips.other)
    applied = [clip["applied"] for clip in clips.all if "applied" in clip]
    return {
        "applied": any(applied) if applied else None,
        "change": change,
        "drift": drift,
        "drift_share": round(drift / change, 3) if drift is not None and change else None,
    }


def tell(best: Row) -> Iterator[str]:
    drift = best.number("drift_share")
    if drift is not None:
        yield f"People who are not asked for change {percent(drift)} as much as yours."


SCORE = Score(
    name="change",
    version=1,
    needs=Needs.BASE,
    gives=("change", "applied"),
    measure=measure,
    summarize=summarize,
    parts=(
        Fault(
            name="drift",
            place=90,
            reads=("drift_share",),
            is_wrong=lambda drift: drift > DRIFT_LIMIT,
            words=lambda drift: f"people who are not asked for change {percent(drift)} as much as yours",
            is_told_apart=True,
        ),
        Column(title="Change", place=70, words=lambda row: decimal_or_not(row.number("change")), in_table=False),
        Column(title="Other people", place=80, words=lambda row: decimal_or_not(row.number("drift")), in_table=False),
        Telling(place=70, tell=tell),
        Gap(
            place=70,
            is_in=lambda row: row.number("drift_share") is None,
            words="Other people were not among the prompts, so whether they stay themselves is not known.",
        ),
    ),
)
