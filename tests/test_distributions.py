"""Timestep distributions are files of one folder: each is whole, and one more file is one more choice."""

from pathlib import Path

import pytest
import torch
from house_kit import House
from training_kit import add_photo

from studio.config import DISTRIBUTIONS, TimestepConfig, list_settings
from studio.training.step import distributions
from studio.training.step.distributions.shift import Shift
from studio.training.step.distributions.sigmoid import Sigmoid

TRIANGLE = '''
"""Triangle: low levels seldom, high ones often."""

import sys
from dataclasses import dataclass

from studio.training.step.distributions import Called, Distribution


@dataclass(frozen=True)
class Triangle(Distribution):
    SOURCE = "density 2 s on [0, 1]"
    CALLED = {"musubi": Called("logsnr")}

    def cdf(self, sigma):
        return sigma**2

    def inverse(self, u):
        print("the triangle is practised", file=sys.stderr)
        return u.sqrt()


DISTRIBUTION = Triangle
'''
SMALL = (
    *("steps=2", "save_every=2", "accumulation=4", "held_out_every=100", "lora.rank=2", "data.photo_size=32", "preservation.enabled=false"),
    *("memory.precision=fp32", "timesteps.distribution=triangle"),
)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_distribution_says_where_it_is_from_and_what_it_is_called_elsewhere(name):
    kind = distributions.find(name)
    assert kind.SOURCE and kind.__doc__
    assert set(kind.CALLED) <= {"ai-toolkit", "musubi", "diffusion-pipe"}
    assert all(called.word for called in kind.CALLED.values())


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_its_own_defaults_are_those_of_the_settings(name):
    assert distributions.make(TimestepConfig(distribution=name)) == distributions.find(name)()


def test_the_choices_are_the_files_and_the_default_comes_first():
    about = {name: about for name, about, _ in list_settings(TimestepConfig)}["distribution"]
    assert about.choices == ("sigmoid", "cosine", "shift", "shifted_sigmoid", "uniform")
    assert about.default == "sigmoid"


def test_a_shift_moves_any_other_distribution():
    moved = Shift(shift=4.0, of=Sigmoid(scale=0.5))
    u = torch.linspace(0, 1, 11, dtype=torch.float64)
    level = Sigmoid(scale=0.5).inverse(u)
    assert torch.equal(moved.inverse(u), 4 * level / (1 + 3 * level))
    assert torch.allclose(moved.cdf(moved.inverse(u)), u, atol=1e-12)


def test_a_file_more_is_a_distribution_more_that_is_practised_and_exported(tmp_path, workspace):
    """Nothing else is told of it: the command takes it, the steps follow it, and each export writes its word or says that there is none."""
    house, home = House(tmp_path / "a house"), workspace.home
    house.add("studio/training/step/distributions/triangle.py", TRIANGLE)
    house.answer(home, "new", "Anna", "--trigger", "ohwx", "--model", "tiny", "--i-have-permission")
    project = workspace.project("anna")
    for number in range(1, 5):
        add_photo(project, number)
    _, said = house.answer(home, "train", "Anna", *(part for setting in SMALL for part in ("--set", setting)))
    assert "the triangle is practised" in said
    written = {}
    for to in ("ai-toolkit", "musubi", "diffusion-pipe"):
        exported, _ = house.answer(home, "export", "Anna", "--to", to)
        told = {name: (value, why) for name, value, why in exported["left_out"]}
        readme = (Path(exported["folder"]) / "README.txt").read_text(encoding="utf-8")
        written[to] = (told.get("timesteps.distribution"), "timesteps.distribution = triangle" in readme)
    assert written == {
        "ai-toolkit": (("triangle", "it has no name for 'triangle' noise levels; sigmoid is set instead"), True),
        "musubi": (None, False),
        "diffusion-pipe": (("triangle", "it has no name for 'triangle' noise levels; logit_normal is set instead"), True),
    }
    folder = project.exports_dir / "musubi-train-001-step-000002"
    assert 'timestep_sampling = "logsnr"' in (folder / "low_noise.toml").read_text(encoding="utf-8")
