"""Flow matching: which noise levels an expert practises, how latents are noised, what the model should answer.

Rectified flow as in Lipman et al. 2022, "Flow Matching for Generative Modeling" (arXiv 2210.02747) with the straight path of
Esser et al. 2024, "Scaling Rectified Flow Transformers for High-Resolution Image Synthesis" (SD3, arXiv 2403.03206).
"""

import itertools
import math

import torch


class Timesteps:
    """Noise levels sigma in [lo, hi) from the distribution of a TimestepConfig, truncated exactly.

    Every distribution is a CDF F with its inverse: u is uniform in [F(lo), F(hi)] and sigma = F^-1(u), so nothing is rejected and
    the shape inside the interval is untouched. All in float64.
    """

    def __init__(self, config, lo=0.0, hi=1.0):
        if not 0 <= lo < hi <= 1:
            raise ValueError(f"noise levels must satisfy 0 <= lo < hi <= 1, got {lo} and {hi}")
        self.config, self.lo, self.hi = config, float(lo), float(hi)
        ends = self.cdf(torch.tensor([lo, hi], dtype=torch.float64))
        self._u_lo, self._u_hi = ends.tolist()

    def cdf(self, sigma):
        """F(sigma): the probability of a level below sigma before truncation."""
        return _CDF[self.config.distribution](sigma.to(torch.float64), self.config)

    def inverse(self, u):
        """F^-1(u), before truncation."""
        return _INVERSE[self.config.distribution](u.to(torch.float64), self.config)

    def quantile(self, q):
        """Levels below which the shares q (in [0, 1]) of the truncated distribution lie."""
        sigma = self.inverse(self._u_lo + (self._u_hi - self._u_lo) * q.to(torch.float64))
        return sigma.clamp(self.lo, math.nextafter(self.hi, self.lo))

    def sample(self, count, generator):
        """(count,) levels, stratified: one from each of `count` equally likely slices, in random order."""
        inside = torch.rand(count, generator=generator, dtype=torch.float64)
        slices = torch.randperm(count, generator=generator)
        return self.quantile((slices + inside) / count)

    def bands(self, count):
        """[(low, high)] of the equally likely slices, whose middles `midpoints` gives."""
        ends = self.quantile(torch.arange(count + 1, dtype=torch.float64) / count).tolist()
        return list(itertools.pairwise(ends))

    def midpoints(self, count):
        """(count,) fixed levels, the middles of equally likely slices: for losses that must be comparable."""
        return self.quantile((torch.arange(count, dtype=torch.float64) + 0.5) / count)


def add_noise(latents, noise, sigma):
    """x_t = (1 - sigma) x_0 + sigma e: the straight path from data to noise (Esser et al. 2024, eq. 13)."""
    return (1 - sigma) * latents + sigma * noise


def velocity(latents, noise):
    """d x_t / d sigma = e - x_0: what the model is to predict along that path (Lipman et al. 2022, conditional flow matching)."""
    return noise - latents


# -- the distributions: F and its inverse on [0, 1]


def _sigmoid_cdf(sigma, config):
    """Logit-normal of SD3 with mean 0 ("sigmoid" in trainers): F(s) = Phi(logit(s) / scale)."""
    return torch.special.ndtr(torch.logit(sigma) / config.scale)


def _sigmoid_inverse(u, config):
    return torch.sigmoid(torch.special.ndtri(u) * config.scale)


def _uniform(value, config):
    return value


def _cosine_cdf(sigma, config):
    """Inverse of SD3's CosMap: F(s) = 2/pi atan(s / (1 - s)), written so that s = 1 needs no division by zero."""
    return torch.atan2(sigma, 1 - sigma) * (2 / math.pi)


def _cosine_inverse(u, config):
    """CosMap of SD3: 1 - 1 / (tan(pi u / 2) + 1) = sin / (sin + cos), which is finite at u = 1."""
    angle = u * (math.pi / 2)
    return torch.sin(angle) / (torch.sin(angle) + torch.cos(angle))


def _shift_cdf(sigma, config):
    """Uniform levels moved by s -> k s / (1 + (k - 1) s), SD3's resolution shift; this is that map's inverse."""
    return sigma / (config.shift - (config.shift - 1) * sigma)


def _shift_inverse(u, config):
    return config.shift * u / (1 + (config.shift - 1) * u)


_CDF = {"sigmoid": _sigmoid_cdf, "uniform": _uniform, "cosine": _cosine_cdf, "shift": _shift_cdf}
_INVERSE = {"sigmoid": _sigmoid_inverse, "uniform": _uniform, "cosine": _cosine_inverse, "shift": _shift_inverse}
