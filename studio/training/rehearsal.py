"""The rehearsal: ten real optimizer steps, most of them on the largest picture or clip, that measure the memory and time a training will take."""

from dataclasses import asdict, replace
from pathlib import Path
from statistics import median

import psutil
import torch

from studio.config import EXPERTS
from studio.data.cache import Cache
from studio.errors import Problem
from studio.facts import write_facts
from studio.machine import GIB
from studio.models.preset import model_preset
from studio.training.checkpoints import empty_state, remove_resume
from studio.training.class_pictures import drawing_settings, plan_class_pictures
from studio.training.endure.fallback import is_out_of_memory
from studio.training.loop import open_run, opened_expert
from studio.training.material import fit_to_material
from studio.training.plan.measured import REHEARSAL_FILE, Measured
from studio.training.plan.memory import CONTEXT_GB
from studio.training.run_facts import read_run_facts
from studio.training.samples import prepare_samples
from studio.training.schedule import of_one_process
from studio.training.step.batches import Batches

LARGEST_STEPS, USUAL_STEPS = 6, 4


def rehearse(config, run_dir, *, report, should_stop=lambda: False):
    """Take ten steps of the training that `config` describes; nothing of what they learn is kept. Returns Measured as JSON, also in the folder.

    Of several graphics cards one takes its part of each step. Where the GPU's memory runs out it goes on with less of it, as training does.
    Problem if it can't be done at all.
    """
    steps = LARGEST_STEPS + USUAL_STEPS
    preset = model_preset(read_run_facts(Path(run_dir)).base_model)
    config, _ = fit_to_material(replace(config, steps=steps, save_every=steps, finish_by=""), preset)
    config = of_one_process(config, len(preset.experts))
    undrawn = replace(config, preservation=replace(config.preservation, pictures=0))
    run = open_run(undrawn, Path(run_dir), _only_what_matters(report), should_stop)
    samples = prepare_samples(run)
    pictures = plan_class_pictures(config, run.base, run.class_noun)
    try:
        measured = None if samples is None else _measure(run, replace(samples, held_out=(), class_pictures=pictures))
    finally:
        remove_resume(run.run_dir)
    if measured is None:
        return {"stopped": True}
    write_facts(run.run_dir / REHEARSAL_FILE, measured)
    return measured.to_json()


class _Undrawn(Batches):
    """Batches in which an empty picture stands for each picture of others: a step takes the same, and to draw them takes longer than to rehearse."""

    def __init__(self, config, project, base, expert, samples):
        super().__init__(config, project, base, expert, samples)
        settings = drawing_settings(config, base)
        self._shape = base.latent_shape(settings.num_frames, settings.height, settings.width)

    def _load_picture(self, picture):
        _, _, class_prompt = self.cache.load(self.samples.learned[0])
        return torch.zeros(self._shape), class_prompt


def _only_what_matters(report):
    """Progress in the rehearsal's own words, notes, and what memory was given up; the steps themselves are no training."""

    def tell(event, **fields):
        if event == "progress" and fields.get("stage") == "Training":
            fields |= {"stage": "Rehearsal", "message": fields["message"].replace("Learning", "Practising")}
        if event in ("progress", "note", "memory"):
            report(event, **fields)

    return tell


def _measure(run, samples):
    """None if it was stopped."""
    while True:
        try:
            with opened_expert(run, _expert(run.config), empty_state(), samples) as work:
                found = _take_steps(run, work, samples)
        except RuntimeError as e:
            if not is_out_of_memory(e):
                raise
        else:
            if found is not None or run.should_stop():
                return found
            if work.state.rate_factor < 1:
                raise Problem(
                    "The loss broke down within the first steps.",
                    cost="Nothing was lost.",
                    fix="Lower the learning speed, or look for a damaged photo.",
                )
            continue  # its blocks must be placed differently
        run.backoff.swap_more(1)  # not in the handler, whose traceback holds the model


def _expert(config):
    """One that the training will use; both have the same shapes."""
    return next(expert for expert in reversed(EXPERTS) if config.share_of(expert))


def _take_steps(run, work, samples):
    """What was measured; None if it was stopped, or the expert must be loaded again."""
    cache = Cache(run.project)
    largest = max(samples.learned, key=lambda sample: cache.load(sample)[0].numel())
    seconds, ram_gb = {}, 0.0
    if run.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(run.device)
    for what, count, learned in (("largest", LARGEST_STEPS, (largest,)), ("usual", USUAL_STEPS, samples.learned)):
        work.batches = _Undrawn(run.config, run.project, run.base, work.expert, replace(samples, learned=learned))
        for _ in range(count):
            if run.should_stop() or not work.train_step():
                return None
            seconds.setdefault(what, []).append(work.pace[-1])
            ram_gb = max(ram_gb, psutil.Process().memory_info().rss / GIB)
    vram = torch.cuda.max_memory_reserved(run.device) / GIB + CONTEXT_GB if run.device.type == "cuda" else None
    return Measured(
        memory=asdict(run.backoff.memory),
        vram_gb=vram,
        ram_gb=ram_gb,
        seconds_largest=median(seconds["largest"][1:]),  # the first one also makes kernels and buffers ready
        seconds_per_step=median(seconds["usual"]),
    )
