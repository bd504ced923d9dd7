"""How much more of a clip is burnt out or crushed than of the base's, as a share of its pixels."""

import numpy as np

from studio.evaluation.judge.clip_look import Look
from studio.evaluation.judge.score import Finding, Needs, Score, median_of_person
from studio.evaluation.sweep_facts import Values

JUMP = 0.15  # on top of the base's; starting value of the failure table
DARKEST, BRIGHTEST = 2 / 255, 253 / 255


def measure(look: Look) -> Values:
    return {"clipping": round(_clipping(look.luma) - _clipping(look.base.luma), 4) if look.base else None}


def _clipping(luma: np.ndarray) -> float:
    return float(np.mean((luma <= DARKEST) | (luma >= BRIGHTEST)))


SCORE = Score(
    name="clipping",
    version=1,
    needs=Needs.BASE,
    gives=("clipping",),
    measure=measure,
    summarize=median_of_person("clipping"),
    parts=(
        Finding(
            name="clipping",
            of="clipping",
            reads=("clipping",),
            is_wrong=lambda more: more > JUMP,
            words="have burnt-out or crushed areas",
        ),
    ),
)
