"""Where each setting of a training is in an export to another trainer: written, the same there anyhow, without effect, or left out with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from studio.config import DISTRIBUTIONS, TrainConfig, flatten
from studio.export.target import Absent, Plain, Settings, Target
from studio.training.step import distributions

DISTRIBUTION = "timesteps.distribution"
NOTHING_LIKE_IT = "there is nothing like it there"
STUDIO_S_OWN = "only the studio does that"
FITTED_THERE = "how the model fits the GPU is planned there"
OF_THE_STUDIO = {  # what no other trainer takes over, unless it says so itself
    "resume_every": Absent(STUDIO_S_OWN),
    "held_out_every": Absent(STUDIO_S_OWN),
    "data.held_out_items": Absent(STUDIO_S_OWN),
    "finish_by": Absent(STUDIO_S_OWN, there=""),
    "processes": Absent("how many graphics cards work is said there when it is started", there=1),
    "memory.multiply": Absent("number formats of products are chosen there", there="exact"),
    "memory.rows_per_pass": Absent("pictures go through the model one by one in this export", there=1),
    "memory.rows_per_walk": Absent(FITTED_THERE, there=0),
    "memory.blocks_kept": Absent(FITTED_THERE, there=0),
}
NO_PRESERVATION = {
    "preservation.enabled": Absent(
        "it has no Differential Output Preservation: other people may begin to look like yours; stop early", there=False
    ),
    "preservation.multiplier": Absent("it has no Differential Output Preservation"),
    "preservation.every": Absent("it has no Differential Output Preservation"),
    "preservation.pictures": Absent("it has no Differential Output Preservation"),
}
UNUSED = {  # why a setting had no effect beside the others
    "timesteps": "these noise levels have no such parameter",
    "preservation": "other people were not protected",
    "optimizer.learning_rate": "Prodigy finds it by itself",
    "optimizer.prodigy_factor": "only Prodigy uses it",
}


class Fate(StrEnum):
    """What became of a setting, in words."""

    WRITTEN = "written"
    SAME = "the same there"
    UNUSED = "without effect in this training"
    LEFT_OUT = "left out"


@dataclass(frozen=True)
class Account:
    """A setting, the value it had here, what became of it, and why it is not written."""

    name: str
    value: Plain
    fate: Fate
    why: str = ""

    def to_json(self) -> list[Any]:
        return [self.name, self.value, self.fate.value, self.why]


class LeftOut(NamedTuple):
    """A setting, the value it had here, and why it is not there."""

    name: str
    value: Plain
    why: str


def account(train: TrainConfig, target: Target) -> tuple[Account, ...]:
    """What became of every setting of a training in an export to that target, in the order of the form."""
    if target.settings is None:
        return ()
    return tuple(_accounts(train, target.name, target.settings))


def left_out(train: TrainConfig, target: Target) -> tuple[LeftOut, ...]:
    """Every setting that acted in this training and that an export to that target doesn't hold."""
    return tuple(LeftOut(entry.name, entry.value, entry.why) for entry in account(train, target) if entry.fate == Fate.LEFT_OUT)


def distribution_word(train: TrainConfig, to: str, settings: Settings) -> str:
    """What a trainer calls the noise levels that were practised, or those that it is set to instead."""
    called = distributions.find(train.timesteps.distribution).CALLED
    return called[to].word if to in called else settings.distribution


def parameter(train: TrainConfig, to: str, name: str, default: float) -> float:
    """A parameter of the noise levels as that trainer takes it: "shift" or "scale"; the default where they have none, or no name there."""
    known = to in distributions.find(train.timesteps.distribution).CALLED and name in distributions.settings_of(
        train.timesteps.distribution
    )
    return getattr(train.timesteps, name) if known else default


def named_distributions(to: str) -> dict[str, str]:
    """{word of a trainer: the distribution that means the same here}, for reading its configs."""
    called = {name: distributions.find(name).CALLED for name in DISTRIBUTIONS}
    return {called[name][to].word: name for name in called if to in called[name] and not called[name][to].differs}


def _accounts(train: TrainConfig, to: str, settings: Settings) -> Iterator[Account]:
    besides = settings.besides(train)
    for name, value in flatten(train).items():
        if reason := _why_unused(name, train):
            yield Account(name, value, Fate.UNUSED, reason)
        elif name in besides:
            yield Account(name, value, Fate.LEFT_OUT, besides[name])
        elif name.startswith("timesteps."):
            why = (
                _why_not_distribution(str(value), to, settings.distribution)
                if name == DISTRIBUTION
                else _why_not_parameter(name, train, to)
            )
            yield Account(name, value, Fate.LEFT_OUT if why else Fate.WRITTEN, why)
        else:
            yield _account_for(name, value, settings)


def _why_unused(name: str, train: TrainConfig) -> str:
    """Why a setting had no effect beside the others, or ""."""
    section, _, leaf = name.rpartition(".")
    if section == "timesteps" and leaf != "distribution":
        return "" if leaf in distributions.settings_of(train.timesteps.distribution) else UNUSED[section]
    if section == "preservation" and leaf != "enabled":
        return "" if train.preservation.enabled else UNUSED[section]
    prodigy = train.optimizer.name == "prodigy"
    unused = {"optimizer.learning_rate": prodigy, "optimizer.prodigy_factor": not prodigy}
    return UNUSED[name] if unused.get(name) else ""


def _why_not_distribution(name: str, to: str, nearest: str) -> str:
    called = distributions.find(name).CALLED
    return called[to].differs if to in called else f"it has no name for {name!r} noise levels; {nearest} is set instead"


def _why_not_parameter(name: str, train: TrainConfig, to: str) -> str:
    distribution, leaf = train.timesteps.distribution, name.rpartition(".")[2]
    called = distributions.find(distribution).CALLED
    if to not in called:
        return f"it belongs to {distribution!r} noise levels"
    fixed = called[to].fixed
    return f"it is {fixed[leaf]:g} in this export" if leaf in fixed and fixed[leaf] != getattr(train.timesteps, leaf) else ""


def _account_for(name: str, value: Plain, settings: Settings) -> Account:
    if name in settings.most and isinstance(value, int) and value > settings.most[name]:
        return Account(name, value, Fate.LEFT_OUT, f"it allows {settings.most[name]} at most, which is set instead")
    if name in settings.words:
        why = settings.words[name].why_not(str(value))
        return Account(name, value, Fate.LEFT_OUT if why else Fate.WRITTEN, why)
    if name in settings.written:
        return Account(name, value, Fate.WRITTEN)
    absent = settings.absent[name] if name in settings.absent else Absent(NOTHING_LIKE_IT)
    if absent.there == value and type(absent.there) is type(value):
        return Account(name, value, Fate.SAME)
    return Account(name, value, Fate.LEFT_OUT, absent.why)
