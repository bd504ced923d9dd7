"""How much moves, as a share of what moves in the base's clip."""

import numpy as np

from studio.evaluation.judge.clip_look import Look, ratio
from studio.evaluation.judge.figures import decimal_or_not, percent_or_not
from studio.evaluation.judge.row import Row
from studio.evaluation.judge.score import Column, Finding, Guide, Line, Loss, Needs, Score, Telling, median_of_person
from studio.evaluation.sweep_facts import Values

FROZEN = 0.5  # starting value of the failure table
FLOOR = 0.002  # a base that stands still says nothing about frozen motion
GRID = 8  # motion is read from averages over 8 x 8 px, so that grain is not taken for motion


def measure(look: Look) -> Values:
    return {"motion": ratio(_motion(look.luma), _motion(look.base.luma), FLOOR) if look.base else None}


def _motion(luma: np.ndarray) -> float:
    """Mean brightness change from frame to frame, of averages over a coarse grid."""
    size = min(GRID, *luma.shape[1:])
    rows, columns = luma.shape[1] // size, luma.shape[2] // size
    coarse = luma[:, : rows * size, : columns * size].reshape(len(luma), rows, size, columns, size).mean((2, 4))
    return float(np.abs(np.diff(coarse, axis=0)).mean()) if len(luma) > 1 else 0.0


def tell(best: Row) -> list[str]:
    return ["Motion could not be compared: the base's clips hardly move."] if best.motion is None else []


SCORE = Score(
    name="motion",
    version=1,
    needs=Needs.BASE,
    gives=("motion",),
    measure=measure,
    summarize=median_of_person("motion"),
    parts=(
        Finding(
            name="frozen",
            of="",  # the summary says how much moves
            reads=("motion",),
            is_wrong=lambda motion: motion < FROZEN,
            words="stand still where the base moves",
        ),
        Loss(reads="motion", place=40, sign=1, margin=0.15, words="motion {} of the base's against {}", told_by="frozen", of_person=True),
        Column(title="Motion", place=50, words=lambda row: percent_or_not(row.motion), in_report=False),
        Column(title="Motion", place=50, words=lambda row: decimal_or_not(row.motion), in_table=False),
        Line(title="Motion against the base", place=20, reads="motion", base=1.0),
        Guide(
            place=10,
            text="Motion and sharpness are ratios to the base (1 is the same). Change is how far the pixels lie from the base's: it must be above 0, and small in rows without the trigger.",
        ),
        Telling(place=50, tell=tell),
    ),
)
