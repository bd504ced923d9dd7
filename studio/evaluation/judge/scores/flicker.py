"""How much the whole picture's brightness jumps back and forth."""

import numpy as np

from studio.evaluation.judge.clip_look import Look
from studio.evaluation.judge.score import Finding, Needs, Score, no_summary
from studio.evaluation.sweep_facts import Values

JUMP = 3.0  # times the base's; starting value of the failure table
FLOOR = 0.004  # of full brightness: below this the eye sees none


def measure(look: Look) -> Values:
    base = {"base_flicker": round(_flicker(look.base.luma), 5)} if look.base else {}
    return {"flicker": round(_flicker(look.luma), 5)} | base


def _flicker(luma: np.ndarray) -> float:
    """Mean second difference of the frames' means."""
    means = luma.mean((1, 2))
    return float(np.abs(np.diff(means, n=2)).mean()) if len(means) > 2 else 0.0


SCORE = Score(
    name="flicker",
    version=1,
    needs=Needs.BASE,
    gives=("flicker", "base_flicker"),
    measure=measure,
    summarize=no_summary,
    parts=(
        Finding(
            name="flicker",
            of="flicker",
            reads=("flicker", "base_flicker"),
            is_wrong=lambda own, base: own > max(FLOOR, JUMP * base),
            words="flicker",
        ),
    ),
)
