"""Uniform: every level equally often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from studio.training.step.distributions import Called, Distribution

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Uniform(Distribution):
    """F(s) = s."""

    SOURCE = "rectified flow of Lipman et al. 2022 (arXiv 2210.02747), which draws t from U[0, 1]"
    CALLED = {"ai-toolkit": Called("linear"), "musubi": Called("uniform"), "diffusion-pipe": Called("uniform")}

    def cdf(self, sigma: Tensor) -> Tensor:
        return sigma

    def inverse(self, u: Tensor) -> Tensor:
        return u


DISTRIBUTION = Uniform
