"""Cosine: the ends a little less than the middle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from studio.training.step.distributions import Distribution

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Cosine(Distribution):
    """CosMap: F^-1(u) = 1 - 1 / (tan(pi u / 2) + 1)."""

    SOURCE = "CosMap of Esser et al. 2024 (SD3, arXiv 2403.03206), section 3.1"
    CALLED = {}

    def cdf(self, sigma: Tensor) -> Tensor:
        """F(s) = 2/pi atan(s / (1 - s)), written so that s = 1 needs no division by zero."""
        return sigma.atan2(1 - sigma) * (2 / math.pi)

    def inverse(self, u: Tensor) -> Tensor:
        """As sin / (sin + cos), which is finite at u = 1."""
        angle = u * (math.pi / 2)
        return angle.sin() / (angle.sin() + angle.cos())


DISTRIBUTION = Cosine
