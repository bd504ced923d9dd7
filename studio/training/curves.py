"""The curves of a training run, thinned to what a chart can show."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from studio.config import EXPERTS
from studio.training.events import HeldOut
from studio.training.history import STEP_FIELDS, History, read_history

MAX_POINTS = 500
Key = TypeVar("Key")
Points = list[float | None]  # None where nothing is known


@dataclass(frozen=True)
class BandCurve:
    """The held-out loss of a band of noise levels, beside the curves' held_out_step."""

    low: float
    high: float
    loss: Points


@dataclass(frozen=True)
class Curves:
    """Of one expert. step is the place of the points in `loss` to `ram_gb`, held_out_step of those in `held_out` and in the bands."""

    step: list[int]
    loss: Points
    preservation_loss: Points
    learning_rate: Points
    grad_norm: Points
    seconds: Points
    memory_gb: Points
    ram_gb: Points
    held_out_step: list[int]
    held_out: Points
    bands: tuple[BandCurve, ...]


def read_curves(run_dir: Path, max_points: int = MAX_POINTS) -> dict[str, Curves]:
    """{expert: Curves} of both experts.

    Curves that lie beside each other have equal length, at most `max_points`, each point the mean of its neighbours (memory: the largest).
    What a resumed run did again counts once, as it was done last. A run without steps yet gives empty lists.
    """
    history = read_history(run_dir)
    return {expert: _curves(history, expert, max_points) for expert in EXPERTS}


def _curves(history: History, expert: str, max_points: int) -> Curves:
    steps, checks = history.steps.of_expert(expert), history.checks_of(expert)
    step, learned = _thin(steps.numbers, steps.columns, max_points)
    limits = [(band.low, band.high) for band in checks[-1].bands] if checks else []
    losses = [np.array([_loss_within(check, limit) for check in checks]) for limit in limits]
    measured = dict(enumerate([np.array([check.loss for check in checks]), *losses]))
    held_out_step, checked = _thin(np.array([check.step for check in checks], float), measured, max_points)
    bands = tuple(BandCurve(low, high, checked[number]) for number, (low, high) in enumerate(limits, 1))
    return Curves(step, **{name: learned[name] for name in STEP_FIELDS}, held_out_step=held_out_step, held_out=checked[0], bands=bands)


def _loss_within(check: HeldOut, limit: tuple[float, float]) -> float:
    """Its loss in the band of these limits; NaN where it was made with other bands, as when a run goes on with other settings."""
    return next((band.loss for band in check.bands if (band.low, band.high) == limit), np.nan)


def _thin(steps: np.ndarray, columns: Mapping[Key, np.ndarray], max_points: int) -> tuple[list[int], dict[Key, Points]]:
    """(steps, columns) of at most max_points: runs of neighbours become one, at the last one's step."""
    count = len(steps)
    size = -(-count // max_points) or 1
    last = np.minimum(np.arange(size - 1, count + size - 1, size), count - 1) if count else np.array([], int)
    return [int(step) for step in steps[last]], {name: _combine(name, values, size) for name, values in columns.items()}


def _combine(name: object, values: Iterable[float], size: int) -> Points:
    """The mean (of memory the largest) of each `size` neighbours, None where all of them are NaN."""
    values = np.asarray(values)
    groups = np.full((-(-len(values) // size), size), np.nan)
    groups.flat[: len(values)] = values
    known = ~np.isnan(groups)
    if name in ("memory_gb", "ram_gb"):
        combined = np.where(known, groups, -np.inf).max(axis=1, initial=-np.inf)
    else:
        combined = np.where(known, groups, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    is_known = np.asarray(known.any(axis=1))
    return [float(value) if is_known[i] else None for i, value in enumerate(combined)]
