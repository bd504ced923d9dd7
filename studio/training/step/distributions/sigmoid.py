"""Sigmoid: the middle levels most, where a face takes shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from studio.training.step.distributions import Called, Distribution

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Sigmoid(Distribution):
    """Logit-normal with mean 0: F(s) = Phi(logit(s) / scale)."""

    SOURCE = "logit-normal of Esser et al. 2024 (SD3, arXiv 2403.03206), section 3.1, with mean 0"
    CALLED = {
        "ai-toolkit": Called("sigmoid", fixed={"scale": 1.0}),
        "musubi": Called("sigmoid"),
        "diffusion-pipe": Called("logit_normal"),
    }
    scale: float = 1.0

    def cdf(self, sigma: Tensor) -> Tensor:
        import torch

        return torch.special.ndtr(torch.logit(sigma) / self.scale)

    def inverse(self, u: Tensor) -> Tensor:
        import torch

        return torch.sigmoid(torch.special.ndtri(u) * self.scale)


DISTRIBUTION = Sigmoid
