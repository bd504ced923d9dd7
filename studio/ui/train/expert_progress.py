"""The numbers and the two lanes of a run, one an expert, as JSON for the component; only reads."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.config import EXPERTS
from studio.disk import read_json
from studio.jobs.kinds.train import TrainJob
from studio.jobs.state import JobStatus
from studio.machine import read_machine
from studio.models.preset import Expert, experts_of
from studio.training.curves import BandCurve, Curves, read_curves
from studio.training.events import Asleep, Note, PhaseBegan
from studio.training.history import read_history
from studio.ui import formatting as f
from studio.ui.views import View

NOTES_SHOWN = 6
MAX_POINTS = 300  # of a curve: a lane is some 500 px wide


Points = list[float | None]  # None where nothing is known


@dataclass(frozen=True)
class Turn(View):
    """Whose turn it is, in words. now: this expert learns at the moment."""

    text: str
    now: bool = False


@dataclass(frozen=True)
class Band(View):
    """The held-out loss of a band of noise levels, beside the lane's held_out_step. change: since the first check, in words."""

    limits: str
    loss: Points
    change: str
    better: bool


@dataclass(frozen=True)
class Lane(View):
    """One expert's curves. loss, rate, seconds and memory lie beside `step`, held_out and the bands beside `held_out_step`.

    unchecked: the run has set no pictures aside.
    """

    id: str
    name: str
    term: str
    turn: Turn
    unchecked: bool
    step: list[int]
    loss: Points
    rate: Points
    seconds: Points
    memory: Points
    held_out_step: list[int]
    held_out: Points
    bands: tuple[Band, ...]
    last_step: int


@dataclass(frozen=True)
class Figure(View):
    """A number of the moment."""

    what: str
    much: str


@dataclass(frozen=True)
class RunNote(View):
    when: str
    text: str


def read_lanes(job: JobStatus, config: TrainJob) -> tuple[tuple[Lane, ...], tuple[Figure, ...]]:
    """(lanes, numbers of the moment) of a run; config: its config.json. No numbers when it is over, no lanes before it begins."""
    if job.state == "queued":
        return (), ()
    history, series = read_history(job.run_dir), read_curves(job.run_dir, MAX_POINTS)
    settings, unchecked, experts = config.config, not has_held_out(job.run_dir), experts_in(config)
    cards = settings.get("processes", 1) / len(experts)  # for each expert
    turns = {expert.name: find_turn(expert.name, job, history.phase, settings, cards) for expert in experts}
    lanes = tuple(describe_lane(expert, series[expert.name], settings, turns[expert.name], unchecked) for expert in experts)
    pace, num_at_once = history.seconds_per_step(), len(experts) if cards >= 1 else 1
    return lanes, () if job.is_over else find_figures(series, settings, config.device, pace, num_at_once)


def read_notes(job: JobStatus) -> tuple[RunNote, ...]:
    """What the run told in words, the newest first: what it could not do as set, what it did about a trouble, how long the computer slept."""
    if job.state == "queued":
        return ()
    notes = reversed(read_history(job.run_dir).notes[-NOTES_SHOWN:])
    return tuple(RunNote(time.strftime("%a %H:%M", time.localtime(note.time)), note_text(note)) for note in notes)


def note_text(note: Note | Asleep) -> str:
    return note.message if isinstance(note, Note) else f"The computer slept for {f.duration(note.seconds)}; the training went on."


def experts_in(config: TrainJob) -> tuple[Expert, ...]:
    """The experts of a run's base model; both, if that is not known any more."""
    return experts_of(config.base_model)


def has_held_out(run_dir: Path) -> bool:
    """Whether the run has pictures set aside, as far as that is known."""
    try:
        return bool(read_json(run_dir / "dataset.json").get("held_out"))
    except (OSError, ValueError):
        return True  # not chosen yet


def describe_lane(expert: Expert, series: Curves, settings: dict[str, Any], turn: Turn, unchecked: bool) -> Lane:
    return Lane(
        id=expert.name,
        name=f.sentence(expert.words).rstrip("."),
        term=expert.name.replace("_", " "),
        turn=turn,
        unchecked=unchecked,
        step=series.step,
        loss=rounded(series.loss),
        rate=rounded(series.learning_rate),
        seconds=rounded(series.seconds),
        memory=rounded(series.memory_gb),
        held_out_step=series.held_out_step,
        held_out=rounded(series.held_out),
        bands=describe_bands(series.bands),
        last_step=settings["steps"],
    )


def describe_bands(bands: Sequence[BandCurve]) -> tuple[Band, ...]:
    """The strongest noise first: a picture is drawn from there."""
    digits = 1 if any(band.high - band.low < 0.03 for band in bands) else 0
    return tuple(describe_band(band, digits) for band in reversed(bands))


def describe_band(band: BandCurve, digits: int) -> Band:
    known = [loss for loss in band.loss if loss is not None]
    limits = f"{band.low * 100:.{digits}f} to {band.high * 100:.{digits}f} %"
    if len(known) < 2:
        return Band(limits, rounded(band.loss), "", False)
    change = round((known[-1] / known[0] - 1) * 100, 1) if known[0] else 0.0
    way = "lower" if change < 0 else "higher"
    words = f"{abs(change):g} % {way}" if change else "as at first"
    return Band(limits, rounded(band.loss), words, change < 0)


def find_turn(expert: str, job: JobStatus, phase: PhaseBegan | None, settings: dict[str, Any], cards: float) -> Turn:
    """The experts take turns, and one at a time is in memory, unless each has a graphics card, or several."""
    share = settings["high_noise_share"] if expert == EXPERTS[0] else 1 - settings["high_noise_share"]
    if not share:
        return Turn("gets no steps in this run")
    if not job.is_running or not phase:
        return Turn("")
    if cards >= 1 and settings.get("processes", 1) > 1:
        return Turn("learns on a graphics card of its own" if cards == 1 else f"learns on {cards:.0f} graphics cards", now=True)
    if phase.expert == expert:
        return Turn(f"learns now, to step {phase.last_step:,}", now=True)
    waits = phase.last_step < settings["steps"]
    return Turn(f"its turn comes after step {phase.last_step:,}" if waits else "has learned all its steps")


def find_figures(
    series: dict[str, Curves], settings: dict[str, Any], device: str, seconds_per_step: float | None, num_at_once: int
) -> tuple[Figure, ...]:
    """The numbers of the moment. num_at_once: experts that learn at the same time."""
    last = [(curves.step[-1], curves) for curves in series.values() if curves.step]
    if not last:
        return ()
    step, newest = max(last, key=lambda pair: pair[0])
    found = [
        Figure("Speed", f.seconds_per_step(seconds_per_step)),
        Figure("Next pair", next_pair(step, settings, seconds_per_step, num_at_once)),
    ]
    peak, ram, rate = newest.memory_gb[-1], newest.ram_gb[-1], newest.learning_rate[-1]
    if device == "cuda" and peak:
        gpus = read_machine().gpus
        found.append(Figure("GPU memory at its peak", f.gigabytes(peak) + (f" of {gpus[0].vram_total_gb:.0f}" if gpus else "")))
    if ram or peak:
        found.append(Figure("RAM", f.gigabytes(ram or (None if device == "cuda" else peak))))
    if rate is not None:
        found.append(Figure("Learning speed", f"{rate:.2g}"))
    return tuple(figure for figure in found if figure.much)


def next_pair(step: int, settings: dict[str, Any], seconds_per_step: float | None, num_at_once: int) -> str:
    """step 1,000 in about 12 min"""
    due = min(settings["steps"], (step // settings["save_every"] + 1) * settings["save_every"])
    if due <= step:
        return ""
    return f"step {due:,}" + (f" in about {f.duration((due - step) * seconds_per_step / num_at_once)}" if seconds_per_step else "")


def rounded(values: Sequence[float | None]) -> Points:
    return [None if value is None else float(f"{value:.4g}") for value in values]
