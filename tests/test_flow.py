"""Noise levels: every distribution against its formula, exact truncation, stratification; noising and its target."""

import math
from statistics import NormalDist

import pytest
import torch

from studio.config import TimestepConfig
from studio.training.step.flow import Timesteps, add_noise, velocity
from studio.training.step.randomness import generator

CONFIGS = [
    TimestepConfig(distribution="sigmoid"),
    TimestepConfig(distribution="sigmoid", scale=0.3),
    TimestepConfig(distribution="uniform"),
    TimestepConfig(distribution="cosine"),
    TimestepConfig(distribution="shift", shift=5.0),
    TimestepConfig(distribution="shift", shift=0.5),
]
INTERVALS = [(0.0, 1.0), (0.0, 0.875), (0.875, 1.0), (0.9, 1.0)]


def formula(config, s):
    """The CDF as textbooks write it, in plain Python."""
    if s <= 0 or s >= 1:
        return float(s >= 1)
    return {
        "sigmoid": lambda: NormalDist().cdf(math.log(s / (1 - s)) / config.scale),
        "uniform": lambda: s,
        "cosine": lambda: 2 / math.pi * math.atan(s / (1 - s)),
        "shift": lambda: s / (config.shift - (config.shift - 1) * s),
    }[config.distribution]()


@pytest.mark.parametrize("config", CONFIGS, ids=str)
@pytest.mark.parametrize("lo,hi", INTERVALS)
def test_samples_follow_the_truncated_formula(config, lo, hi):
    timesteps = Timesteps(config, lo, hi)
    sigmas = torch.cat([timesteps.sample(4, generator("ks", i)) for i in range(1000)])
    assert sigmas.dtype == torch.float64
    assert (sigmas >= lo).all() and (sigmas < hi).all()
    f_lo, f_hi = formula(config, lo), formula(config, hi)
    expected = torch.tensor([(formula(config, s) - f_lo) / (f_hi - f_lo) for s in sorted(sigmas.tolist())])
    steps = torch.arange(len(sigmas) + 1) / len(sigmas)
    distance = torch.maximum((expected - steps[:-1]).abs().max(), (steps[1:] - expected).abs().max())
    assert distance < 1.63 / math.sqrt(len(sigmas))  # Kolmogorov-Smirnov, 1 %; stratified samples lie far below it


@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_inverse_undoes_the_cdf_and_stays_finite_at_the_ends(config):
    timesteps = Timesteps(config)
    sigma = torch.tensor([0.0, 1e-12, 1e-6, 0.01, 0.3, 0.5, 0.875, 0.99, 1 - 1e-9, 1.0], dtype=torch.float64)
    u = timesteps.cdf(sigma)
    assert torch.isfinite(u).all() and (u.diff() >= 0).all()
    assert u[0] == 0 and u[-1] == 1
    inside = (u > 1e-15) & (1 - u > 1e-6)  # nearer to 1, float64 itself has no digits left for the sigmoid
    assert torch.allclose(timesteps.inverse(u)[inside], sigma[inside], rtol=1e-9, atol=1e-15)
    ends = timesteps.inverse(torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert torch.allclose(ends, torch.tensor([0.0, 1.0], dtype=torch.float64), atol=1e-15)


def test_every_group_has_one_level_in_each_equally_likely_slice():
    timesteps = Timesteps(TimestepConfig(), 0.0, 0.875)
    edges = timesteps.quantile(torch.arange(5) / 4)
    for i in range(50):
        slices = torch.bucketize(timesteps.sample(4, generator("strata", i)), edges[1:-1], right=True)
        assert sorted(slices.tolist()) == [0, 1, 2, 3]


def test_slices_come_in_random_order_so_that_no_picture_always_gets_the_same_noise():
    timesteps = Timesteps(TimestepConfig())
    orders = {tuple(timesteps.sample(4, generator("order", i)).argsort().tolist()) for i in range(60)}
    assert len(orders) > 10


def test_the_same_key_draws_the_same_and_another_key_does_not():
    a, b, c = (torch.rand(3, generator=generator(0, "low_noise", step, "noise")) for step in (7, 7, 8))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_fixed_levels_are_the_middles_of_the_slices():
    levels = Timesteps(TimestepConfig(distribution="uniform"), 0.0, 0.8)
    assert torch.allclose(levels.midpoints(2).float(), torch.tensor([0.2, 0.6]))
    assert [pytest.approx(band) for band in levels.bands(2)] == [(0.0, 0.4), (0.4, 0.8)]


def test_an_impossible_interval_is_refused():
    with pytest.raises(ValueError, match="0 <= lo < hi <= 1"):
        Timesteps(TimestepConfig(), 0.9, 0.1)


def test_noising_runs_straight_from_data_to_noise_and_the_target_is_its_slope():
    latents, noise = torch.randn(2, 3), torch.randn(2, 3)
    assert torch.equal(add_noise(latents, noise, 0.0), latents) and torch.equal(add_noise(latents, noise, 1.0), noise)
    slope = (add_noise(latents, noise, 0.75) - add_noise(latents, noise, 0.25)) / 0.5
    assert torch.allclose(slope, velocity(latents, noise), atol=1e-6)
