"""The curves of a training run, thinned to what a chart can show."""

import numpy as np

from studio.config import EXPERTS
from studio.training.history import STEP_FIELDS, read_history

MAX_POINTS = 500


def read_metrics(run_dir, max_points=MAX_POINTS):
    """{expert: {"step": [...], "loss": [...], ..., "held_out_step": [...], "held_out": [...], "bands": [...]}} for both experts.

    bands: [{"low", "high", "loss": [...]}], the held-out loss of each band of noise levels, beside held_out_step.
    Lists of a group have equal length, at most `max_points`, each point the mean of its neighbours (memory: the largest). What a
    resumed run did again counts once, as it was done last. A run without steps yet gives empty lists.
    """
    history = read_history(run_dir)
    return {expert: _series(history, expert, max_points) for expert in EXPERTS}


def seconds_per_step(run_dir):
    """The median time of the last hundred steps, or None before the first one."""
    return read_history(run_dir).seconds_per_step()


def _series(history, expert, max_points):
    checks = history.checks_of(expert)
    limits = [band[:2] for band in checks[-1].bands] if checks else []
    held_out = {"step": np.array([c.step for c in checks], float), "loss": np.array([c.loss for c in checks])}
    held_out |= {limit: np.array([_loss_within(check, limit) for check in checks]) for limit in limits}
    mine, checked = _thin(history.steps_of(expert), STEP_FIELDS, max_points), _thin(held_out, ("loss", *limits), max_points)
    bands = [{"low": limit[0], "high": limit[1], "loss": checked[limit]} for limit in limits]
    return mine | {"held_out_step": checked["step"], "held_out": checked["loss"], "bands": bands}


def _loss_within(check, limit):
    """Its loss in the band of these limits; NaN where it was made with other bands, as when a run goes on with other settings."""
    return next((loss for *band, loss in check.bands if tuple(band) == limit), np.nan)


def _thin(columns, names, max_points):
    """{"step", *names} as lists of at most max_points: runs of neighbours become one, at the last one's step; None where nothing is known."""
    count = len(columns["step"])
    size = -(-count // max_points) or 1
    last = np.minimum(np.arange(size - 1, count + size - 1, size), count - 1) if count else np.array([], int)
    thinned = {"step": [int(step) for step in columns["step"][last]]}
    return thinned | {name: _combine(name, columns[name], size) for name in names}


def _combine(name, values, size):
    """The mean (of memory the largest) of each `size` neighbours, None where all of them are NaN."""
    groups = np.full((-(-len(values) // size), size), np.nan)
    groups.flat[: len(values)] = values
    known = ~np.isnan(groups)
    if name in ("memory_gb", "ram_gb"):
        combined = np.where(known, groups, -np.inf).max(axis=1, initial=-np.inf)
    else:
        combined = np.where(known, groups, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return [float(value) if any_known else None for value, any_known in zip(combined, known.any(axis=1))]
