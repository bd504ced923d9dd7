"""Shift: the levels of another distribution, uniform ones by default, moved towards noise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from studio.training.step.distributions import Called, Distribution
from studio.training.step.distributions.uniform import Uniform

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Shift(Distribution):
    """s -> k s / (1 + (k - 1) s) after the levels of `of`. A file of its own can shift any other: Shift(shift=5.0, of=Sigmoid())."""

    SOURCE = "resolution shift of Esser et al. 2024 (SD3, arXiv 2403.03206), equation 23"
    CALLED = {
        "ai-toolkit": Called("shift", fixed={"shift": 5.0}),
        "musubi": Called("shift", differs="its 'shift' moves the levels of a sigmoid towards noise, not uniform ones"),
        "diffusion-pipe": Called("uniform"),
    }
    shift: float = 3.0
    of: Distribution = field(default_factory=Uniform)

    def cdf(self, sigma: Tensor) -> Tensor:
        return self.of.cdf(sigma / (self.shift - (self.shift - 1) * sigma))

    def inverse(self, u: Tensor) -> Tensor:
        level = self.of.inverse(u)
        return self.shift * level / (1 + (self.shift - 1) * level)


DISTRIBUTION = Shift
