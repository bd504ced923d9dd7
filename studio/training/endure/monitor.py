"""Notices when learning breaks down, before hours go into it."""

import math
from collections.abc import Iterable
from statistics import median

WINDOW = 50  # losses remembered
FEWEST = 10  # losses before their median means something
FACTOR = 4.0
WORSE = 1.5
LOST = 0.75  # of the loss of a model that predicts nothing: a wrecked one, bounded by its norms, comes to rest at 0.85 to 1 of it
PATIENCE = 5  # jumps in a row: one odd picture is no breakdown


class LossMonitor:
    """Tells a loss that is no number, or that has jumped and stays up, from the ordinary scatter."""

    def __init__(self, recent: Iterable[float] = ()):
        self.recent = list(recent)  # calm losses only, so that a jump does not become the new normal
        self.jumps = 0

    @property
    def is_calm(self) -> bool:
        """False while a jump may be under way: then nothing should be saved over a good state."""
        return self.jumps == 0

    def check(self, loss: float, grad_norm: float, loss_of_nothing: float) -> str:
        """What is wrong after this step, in words, or "".

        loss_of_nothing: the loss of a model that predicts zero; one that comes near it, and was better, has lost its way.
        """
        if not math.isfinite(loss):
            return "the loss is no longer a number"
        if not math.isfinite(grad_norm):
            return "the gradient is no longer a number"
        if loss <= self._limit(loss_of_nothing):
            self.jumps = 0
            self.recent = [*self.recent, loss][-WINDOW:]
            return ""
        self.jumps += 1
        return f"the loss has jumped to {loss:.3g} and stays there" if self.jumps >= PATIENCE else ""

    def _limit(self, loss_of_nothing: float) -> float:
        """The loss above which a step counts as a jump: by the usual loss, and early on by that of the untouched model."""
        if not self.recent:
            return FACTOR * loss_of_nothing
        hopeless = max(LOST * loss_of_nothing, WORSE * median(self.recent[:PATIENCE]))
        return min(hopeless, FACTOR * median(self.recent)) if len(self.recent) >= FEWEST else hopeless
