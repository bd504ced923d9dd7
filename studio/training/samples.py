"""What a run learns from, fixed when it starts: later edits of the dataset do not disturb a run that goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from studio.data import cache
from studio.data.cache import Sample
from studio.data.cropping.head import Part
from studio.data.cropping.person_heads import person_heads
from studio.data.cropping.training_copy import copy_kept
from studio.data.dataset import held_out_items, kept_items, list_items
from studio.data.item_record import Item
from studio.disk import read_json, write_json
from studio.errors import Problem
from studio.models.loading import borrowed, load_text_encoder, load_vae
from studio.training.class_pictures import draw_class_pictures, plan_class_pictures
from studio.training.events import say
from studio.training.material import held_out_first, learnable, share_held_out, why_left_out, why_nothing_to_learn
from studio.training.run import Run


@dataclass(frozen=True)
class Samples:
    """Samples to learn from, those set aside to see whether learning carries over, and pictures of others, who are to stay as they are."""

    learned: tuple[cache.Sample, ...]
    held_out: tuple[cache.Sample, ...]
    class_pictures: tuple[cache.ClassPicture, ...] = ()


def prepare_samples(run: Run) -> Samples | None:
    """The run's samples, all of them encoded; None if asked to stop on the way."""
    file = Path(run.run_dir) / "dataset.json"
    samples = _read_snapshot(file)
    if samples is None:
        samples = _plan(run)
        write_json(file, {"learned": [s.to_json() for s in samples.learned], "held_out": [s.to_json() for s in samples.held_out]})
    samples = replace(samples, class_pictures=plan_class_pictures(run.config, run.base, run.class_noun))
    finished = cache.encode_samples(
        run.project,
        [*samples.learned, *samples.held_out],
        list_items(run.project),
        base=run.base,
        load_vae=lambda: borrowed(load_vae(run.base, device=run.device)),
        load_text_encoder=lambda: borrowed(load_text_encoder(run.base, device=run.device, dtype=run.dtype)),
        report=run.report,
        should_stop=run.should_stop,
        class_pictures=samples.class_pictures,
    )
    return samples if finished and draw_class_pictures(run, samples.class_pictures) else None


def split(samples: Sequence[Sample], held_out_items: int) -> Samples:
    """Samples with some set aside: never more than a fifth, the same ones in every run of the same photos, whatever the seed."""
    chosen = {s.item_id for s in held_out_first(samples)[: share_held_out(len(samples), held_out_items)]}
    return Samples(tuple(s for s in samples if s.item_id not in chosen), tuple(s for s in samples if s.item_id in chosen))


def _plan(run: Run) -> Samples:
    copy_kept(run.project, run.report)
    items = kept_items(run.project)
    if not items:
        raise Problem(
            "There are no photos or clips to learn from.",
            cost="Nothing was started.",
            fix="Add some on the Dataset page, or mark some of those there to be used.",
            action="open-dataset",
        )
    if reason := why_nothing_to_learn(items, run.base.preset):
        raise Problem(reason, cost="Nothing was started.", action="open-dataset")
    if reason := why_left_out(items, run.base.preset):
        say(run.report, reason)
    items = learnable(items, run.base.preset)
    silent = [item.id for item in items if not item.caption]
    if silent:
        few = ", ".join(silent[:5]) + (", ..." if len(silent) > 5 else "")
        say(run.report, f"{len(silent)} of {len(items)} items have no caption and are learned as {run.trigger!r} alone: {few}")
    held_out = learnable(held_out_items(run.project), run.base.preset)
    heads = person_heads(run.project)
    learned, checked = (_plan_items(run, some, heads) for some in (items, held_out))
    if checked and run.config.data.held_out_items:  # chosen for that, so that all the others are learned from
        return Samples(tuple(learned), tuple(checked))
    return split(learned, run.config.data.held_out_items)


def _plan_items(run: Run, items: Sequence[Item], heads: Mapping[str, Part]) -> list[Sample]:
    return cache.plan_samples(
        items, base=run.base, data_config=run.config.data, trigger=run.trigger, class_noun=run.class_noun, heads=heads
    )


def _read_snapshot(file: Path) -> Samples | None:
    if not file.exists():
        return None
    data = read_json(file)
    learned, held_out = (tuple(Sample.from_json(saved, file.name) for saved in data[name]) for name in ("learned", "held_out"))
    return Samples(learned, held_out)
