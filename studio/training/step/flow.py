"""Flow matching: which noise levels an expert practises, how latents are noised, what the model should answer.

Rectified flow as in Lipman et al. 2022, "Flow Matching for Generative Modeling" (arXiv 2210.02747) with the straight path of
Esser et al. 2024, "Scaling Rectified Flow Transformers for High-Resolution Image Synthesis" (SD3, arXiv 2403.03206).
"""

import itertools
import math

import torch

from studio.config import TimestepConfig
from studio.training.step import distributions


class Timesteps:
    """Noise levels sigma in [lo, hi) from the distribution of a TimestepConfig, truncated exactly.

    Every distribution (studio/training/step/distributions) is a CDF F with its inverse: u is uniform in [F(lo), F(hi)] and sigma = F^-1(u), so nothing is rejected and
    the shape inside the interval is untouched. All in float64.
    """

    def __init__(self, config: TimestepConfig, lo: float = 0.0, hi: float = 1.0) -> None:
        if not 0 <= lo < hi <= 1:
            raise ValueError(f"noise levels must satisfy 0 <= lo < hi <= 1, got {lo} and {hi}")
        self.distribution, self.lo, self.hi = distributions.make(config), float(lo), float(hi)
        ends = self.cdf(torch.tensor([lo, hi], dtype=torch.float64))
        self._u_lo, self._u_hi = ends.tolist()

    def cdf(self, sigma: torch.Tensor) -> torch.Tensor:
        """F(sigma): the probability of a level below sigma before truncation."""
        return self.distribution.cdf(sigma.to(torch.float64))

    def inverse(self, u: torch.Tensor) -> torch.Tensor:
        """F^-1(u), before truncation."""
        return self.distribution.inverse(u.to(torch.float64))

    def quantile(self, q: torch.Tensor) -> torch.Tensor:
        """Levels below which the shares q (in [0, 1]) of the truncated distribution lie."""
        sigma = self.inverse(self._u_lo + (self._u_hi - self._u_lo) * q.to(torch.float64))
        return sigma.clamp(self.lo, math.nextafter(self.hi, self.lo))

    def sample(self, count: int, generator: torch.Generator) -> torch.Tensor:
        """(count,) levels, stratified: one from each of `count` equally likely slices, in random order."""
        inside = torch.rand(count, generator=generator, dtype=torch.float64)
        slices = torch.randperm(count, generator=generator)
        return self.quantile((slices + inside) / count)

    def bands(self, count: int) -> list[tuple[float, float]]:
        """[(low, high)] of the equally likely slices, whose middles `midpoints` gives."""
        ends = self.quantile(torch.arange(count + 1, dtype=torch.float64) / count).tolist()
        return list(itertools.pairwise(ends))

    def midpoints(self, count: int) -> torch.Tensor:
        """(count,) fixed levels, the middles of equally likely slices: for losses that must be comparable."""
        return self.quantile((torch.arange(count, dtype=torch.float64) + 0.5) / count)


def add_noise(latents: torch.Tensor, noise: torch.Tensor, sigma: torch.Tensor | float) -> torch.Tensor:
    """x_t = (1 - sigma) x_0 + sigma e: the straight path from data to noise (Esser et al. 2024, eq. 13)."""
    return (1 - sigma) * latents + sigma * noise


def velocity(latents: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """d x_t / d sigma = e - x_0: what the model is to predict along that path (Lipman et al. 2022, conditional flow matching)."""
    return noise - latents
