"""What a run learns from, fixed when it starts: later edits of the dataset do not disturb a run that goes on."""

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from studio.data import cache
from studio.data.dataset import kept_items, list_items
from studio.errors import Problem
from studio.models.loading import load_text_encoder, load_vae, release
from studio.workspace import read_json, write_json


@dataclass(frozen=True)
class Samples:
    """Samples to learn from, and those set aside to see whether learning carries over."""

    learned: tuple[cache.Sample, ...]
    held_out: tuple[cache.Sample, ...]


def prepare_samples(run):
    """The run's samples, all of them encoded; None if asked to stop on the way. `run` is the loop's Run."""
    file = Path(run.run_dir) / "dataset.json"
    samples = _read_snapshot(file)
    if samples is None:
        samples = _plan(run)
        write_json(file, {"learned": [s.to_dict() for s in samples.learned], "held_out": [s.to_dict() for s in samples.held_out]})
    finished = cache.encode_samples(
        run.project,
        [*samples.learned, *samples.held_out],
        list_items(run.project),
        base=run.base,
        load_vae=lambda: _borrowed(load_vae(run.base, device=run.device)),
        load_text_encoder=lambda: _borrowed(load_text_encoder(run.base, device=run.device, dtype=run.dtype)),
        report=run.report,
        should_stop=run.should_stop,
    )
    return samples if finished else None


def split(samples, held_out_items):
    """Samples with some set aside: never more than a fifth, the same ones in every run of the same photos, whatever the seed."""
    count = min(held_out_items, len(samples) // 5)
    ranked = sorted(samples, key=lambda s: hashlib.sha256(f"held out {s.sha256}".encode()).hexdigest())
    chosen = {s.item_id for s in ranked[:count]}
    return Samples(tuple(s for s in samples if s.item_id not in chosen), tuple(s for s in samples if s.item_id in chosen))


def _plan(run):
    items = kept_items(run.project)
    if not items:
        raise Problem(
            "There are no photos or clips to learn from.",
            cost="Nothing was started.",
            fix="Add some on the Dataset page, or mark some of those there to be used.",
            action="open-dataset",
        )
    silent = [item.id for item in items if not item.caption]
    if silent:
        few = ", ".join(silent[:5]) + (", ..." if len(silent) > 5 else "")
        run.report("note", message=f"{len(silent)} of {len(items)} items have no caption and are learned as {run.trigger!r} alone: {few}")
    samples = cache.plan_samples(items, base=run.base, data_config=run.config.data, trigger=run.trigger, class_noun=run.class_noun)
    return split(samples, run.config.data.held_out_items)


def _read_snapshot(file):
    if not file.exists():
        return None
    data = read_json(file)
    return Samples(*(tuple(cache.Sample.from_dict(d) for d in data[name]) for name in ("learned", "held_out")))


@contextmanager
def _borrowed(model):
    """A model for as long as it is needed; then its memory is given back."""
    try:
        yield model
    finally:
        release(model)
