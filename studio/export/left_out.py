"""The settings of a training that an export to another trainer can't hold: each is named, with its value and the reason."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

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
    "lora.precision": Absent("number formats are chosen there"),
    "memory.precision": Absent("number formats are chosen there"),
    "memory.multiply": Absent("number formats are chosen there"),
    "memory.gradient_checkpointing": Absent("it is always on in this export", there=True),
    "memory.blocks_swapped": Absent(FITTED_THERE, there=0),
    "memory.rows_per_pass": Absent(FITTED_THERE, there=1),
    "memory.rows_per_walk": Absent(FITTED_THERE, there=0),
    "memory.blocks_kept": Absent(FITTED_THERE, there=0),
    "memory.inputs_in_ram": Absent(FITTED_THERE, there=False),
    "memory.compile_blocks": Absent(FITTED_THERE, there=False),
}
NO_PRESERVATION = {
    "preservation.enabled": Absent(
        "it has no Differential Output Preservation: other people may begin to look like yours; stop early", there=False
    ),
    "preservation.multiplier": Absent("it has no Differential Output Preservation"),
    "preservation.every": Absent("it has no Differential Output Preservation"),
    "preservation.pictures": Absent("it has no Differential Output Preservation"),
}


class LeftOut(NamedTuple):
    """A setting, the value it had here, and why it is not there."""

    name: str
    value: Plain
    why: str


def left_out(train: TrainConfig, target: Target) -> tuple[LeftOut, ...]:
    """Every setting that acted in this training and that an export to that target doesn't hold, in the order of the form."""
    if target.settings is None:
        return ()
    return tuple(_find_left_out(train, target.name, target.settings))


def distribution_word(train: TrainConfig, to: str, settings: Settings) -> str:
    """What a trainer calls the noise levels that were practised, or those that it is set to instead."""
    called = distributions.find(train.timesteps.distribution).CALLED
    return called[to].word if to in called else settings.distribution


def named_distributions(to: str) -> dict[str, str]:
    """{word of a trainer: the distribution that means the same here}, for reading its configs."""
    called = {name: distributions.find(name).CALLED for name in DISTRIBUTIONS}
    return {called[name][to].word: name for name in called if to in called[name] and not called[name][to].differs}


def _find_left_out(train: TrainConfig, to: str, settings: Settings) -> Iterator[LeftOut]:
    for name, value in flatten(train).items():
        if name == DISTRIBUTION:
            why = _why_not_distribution(str(value), to, settings.distribution)
        elif not _acts(name, train):
            why = ""
        elif name.startswith("timesteps."):
            why = _why_not_parameter(name, value, train.timesteps.distribution, to)
        else:
            why = _why_not(name, value, settings)
        if why:
            yield LeftOut(name, value, why)


def _acts(name: str, train: TrainConfig) -> bool:
    """Whether a setting had any effect beside the others."""
    section, _, leaf = name.rpartition(".")
    if section == "timesteps":
        return leaf in distributions.settings_of(train.timesteps.distribution)
    if section == "preservation" and leaf != "enabled":
        return train.preservation.enabled
    prodigy = train.optimizer.name == "prodigy"
    return {"optimizer.learning_rate": not prodigy, "optimizer.prodigy_factor": prodigy}.get(name, True)


def _why_not_distribution(name: str, to: str, nearest: str) -> str:
    called = distributions.find(name).CALLED
    return called[to].differs if to in called else f"it has no name for {name!r} noise levels; {nearest} is set instead"


def _why_not_parameter(name: str, value: Plain, distribution: str, to: str) -> str:
    called = distributions.find(distribution).CALLED
    if to not in called:
        return f"it belongs to {distribution!r} noise levels"
    fixed, leaf = called[to].fixed, name.rpartition(".")[2]
    return f"it is {fixed[leaf]:g} in this export" if leaf in fixed and fixed[leaf] != value else ""


def _why_not(name: str, value: Plain, settings: Settings) -> str:
    if name in settings.words:
        return settings.words[name].why_not(str(value))
    if name in settings.written:
        return ""
    absent = settings.absent[name] if name in settings.absent else Absent(NOTHING_LIKE_IT)
    return "" if absent.there == value and type(absent.there) is type(value) else absent.why
