"""Trainers that train the experts one by one, by epochs or steps: how their two configs become the one of a training here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from studio.config import EXPERTS
from studio.errors import Problem
from studio.export.reading.values import WHOLE, Counts, Found, Setting, Values

SPLIT = 0.5  # a range of noise levels that begins above it is the high-noise expert's


@dataclass(frozen=True)
class Folder:
    """A folder of a trainer's dataset: how often an epoch sees each item in it, and whether it is of clips."""

    repeats: float
    clips: bool


@dataclass(frozen=True)
class OneExpert:
    """What one expert's config says."""

    settings: dict[str, Setting]
    steps: int  # of this expert alone; 0 where nothing says so
    save_every: int
    trains_both: bool = False  # in one run, to which the steps belong


def rows_an_epoch(folders: Sequence[Folder], counts: Counts) -> float:
    """How many items an epoch sees, where those that are here lay in these folders. One that is not known is seen once."""
    photos = [folder.repeats for folder in folders if not folder.clips] or [folder.repeats for folder in folders] or [1]
    clips = [folder.repeats for folder in folders if folder.clips] or [folder.repeats for folder in folders] or [1]
    return counts.photos * fmean(photos) + counts.clips * fmean(clips)


def expert_of(low: float | None, high: float | None, names: str) -> str:
    """By the noise levels it practises, from 0 to 1, else by the names of its files; "" where nothing tells."""
    if low is not None and low >= SPLIT:
        return EXPERTS[0]
    if high is not None and high < 1:
        return EXPERTS[1]
    plain = names.casefold()
    named = [expert for expert in EXPERTS if expert.removesuffix("_noise") in plain]
    return named[0] if len(named) == 1 else ""


def take_steps(values: Values, in_steps: str, in_epochs: str, steps_an_epoch: int, ours: str) -> int:
    """A number of steps, written as such or as epochs; the smaller where both are. 0 if it is not there or means nothing yet."""
    steps, epochs = values.take(in_steps, WHOLE, ours=ours), values.take(in_epochs, WHOLE, ours=ours)
    if epochs is not None and not steps_an_epoch:
        values.found.became.pop()
        values.leave(in_epochs, epochs, "it counts how often all photos are seen, and there are no photos here yet")
        epochs = None
    said = [number for number in (steps, epochs * steps_an_epoch if epochs else None) if number]
    return min(said, default=0)


def check_expert(expert: str, name: str, read: Mapping[str, OneExpert], several: bool) -> None:
    """Problem where two configs are of one expert, or don't say of which."""
    if expert not in read and (expert or not several):
        return
    words = f"are of the {expert.replace('_', ' ')} expert" if expert else "don't say which expert they are for"
    raise Problem(f"Two of the files {words}; {name} is one.", fix="Choose one for each expert: their noise levels tell them apart.")


def join_experts(read: Mapping[str, OneExpert], found: Found) -> None:
    """Both experts learn with the same settings here, those of detail and identity; steps are counted together."""
    if not read:
        return
    leading = read["low_noise"] if "low_noise" in read else next(iter(read.values()))
    chosen = leading.settings
    for expert, one in read.items():
        for name, value in one.settings.items():
            if name in chosen and value != chosen[name]:
                found.leave(f"{expert}: {name}", value, f"both experts learn with the same: {chosen[name]}")
            elif name not in chosen:
                chosen[name] = value
    found.settings |= chosen
    _join_steps(read, leading, found)


def _join_steps(read: Mapping[str, OneExpert], leading: OneExpert, found: Found) -> None:
    total = sum(one.steps for one in read.values())
    if len(read) == 1 and not leading.trains_both:
        found.leave("the other expert's config", "not among the files", "both experts learn with these settings, and as many steps each")
        total *= 2
    elif total and len(read) > 1:
        found.settings["high_noise_share"] = round(read["high_noise"].steps / total, 4) if "high_noise" in read else 0.5
    save_every = leading.save_every
    if save_every and leading.steps and total:
        save_every = round(save_every * total / leading.steps)  # as often as that expert is saved
    for name, value in (("steps", total), ("save_every", save_every)):
        if value:
            found.settings[name] = value
