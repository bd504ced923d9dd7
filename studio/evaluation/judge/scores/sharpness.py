"""How sharp a clip is, as a share of the base's sharpness."""

import numpy as np

from studio.evaluation.judge.clip_look import Look, ratio
from studio.evaluation.judge.figures import decimal_or_not
from studio.evaluation.judge.score import Column, Finding, Needs, Score, median_of_person
from studio.evaluation.sweep_facts import Values

SOFT, HARSH = 0.5, 2.0  # starting values of the failure table
FLOOR = 1e-3


def measure(look: Look) -> Values:
    return {"sharpness": ratio(_sharpness(look.luma), _sharpness(look.base.luma), FLOOR) if look.base else None}


def _sharpness(luma: np.ndarray) -> float:
    """Mean step between neighbouring pixels as a share of the picture's contrast: darkness is not taken for blur."""
    steps = np.abs(np.diff(luma, axis=1)).mean() + np.abs(np.diff(luma, axis=2)).mean()
    contrast = luma.std()
    return float(steps / contrast) if contrast > 1e-3 else 0.0


SCORE = Score(
    name="sharpness",
    version=1,
    needs=Needs.BASE,
    gives=("sharpness",),
    measure=measure,
    summarize=median_of_person("sharpness"),
    parts=(
        Finding(
            name="soft",
            of="sharpness",
            reads=("sharpness",),
            is_wrong=lambda sharpness: sharpness < SOFT,
            words="are much softer than the base",
        ),
        Finding(
            name="harsh",
            of="sharpness",
            reads=("sharpness",),
            is_wrong=lambda sharpness: sharpness > HARSH,
            words="are much harsher than the base",
        ),
        Column(title="Sharpness", place=60, words=lambda row: decimal_or_not(row.number("sharpness")), in_table=False),
    ),
)
