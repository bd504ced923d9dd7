"""Timestep distributions: which noise levels are practised how often. One file each, found because it lies here; none loads torch before it computes."""

from __future__ import annotations

import dataclasses
import functools
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from studio.config import TimestepConfig
from studio.doors import load_member

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Called:
    """What another trainer calls a distribution, and how far it is the same there."""

    word: str
    fixed: Mapping[str, float] = field(default_factory=dict)  # parameter: the value that it always has in an export to that trainer
    differs: str = ""  # what is not the same there, in words


@dataclass(frozen=True)
class Distribution(ABC):
    """A CDF F of noise levels on [0, 1] and its inverse, both on float64 tensors.

    The fields of a member are its parameters, with their defaults; a setting of that name in TimestepConfig takes the default's place.
    """

    SOURCE: ClassVar[str]  # where the formula is from
    CALLED: ClassVar[Mapping[str, Called]]  # {export target: what it is called there}; a trainer that is missing has no name for it

    @abstractmethod
    def cdf(self, sigma: Tensor) -> Tensor:
        """F(sigma): the probability of a level below sigma."""

    @abstractmethod
    def inverse(self, u: Tensor) -> Tensor:
        """F^-1(u): the level below which the share u lies."""


@functools.cache
def find(name: str) -> type[Distribution]:
    """The distribution in the file of that name, one of config.DISTRIBUTIONS."""
    return load_member(__name__, name, "DISTRIBUTION")


def settings_of(name: str) -> tuple[str, ...]:
    """Which fields of TimestepConfig are parameters of that distribution."""
    known = {f.name for f in dataclasses.fields(TimestepConfig)}
    return tuple(f.name for f in dataclasses.fields(find(name)) if f.name in known)


def make(config: TimestepConfig) -> Distribution:
    """The distribution that was chosen, with the parameters that were set."""
    return find(config.distribution)(**{name: getattr(config, name) for name in settings_of(config.distribution)})
