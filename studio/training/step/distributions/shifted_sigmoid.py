"""Shifted sigmoid: the levels of a sigmoid, moved towards noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from studio.training.step.distributions import Called, Distribution
from studio.training.step.distributions.shift import Shift
from studio.training.step.distributions.sigmoid import Sigmoid

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ShiftedSigmoid(Distribution):
    """s -> k s / (1 + (k - 1) s) after the levels of a sigmoid."""

    SOURCE = "resolution shift of Esser et al. 2024 (SD3, arXiv 2403.03206), equation 23, after the logit-normal of section 3.1"
    CALLED = {"musubi": Called("shift"), "diffusion-pipe": Called("logit_normal")}
    shift: float = 3.0
    scale: float = 1.0

    def cdf(self, sigma: Tensor) -> Tensor:
        return self._moved().cdf(sigma)

    def inverse(self, u: Tensor) -> Tensor:
        return self._moved().inverse(u)

    def _moved(self) -> Shift:
        return Shift(shift=self.shift, of=Sigmoid(scale=self.scale))


DISTRIBUTION = ShiftedSigmoid
