"""The rehearsal: ten real optimizer steps, most of them on the largest picture or clip, that measure the memory and time a training will take."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import torch

from studio.config import EXPERTS, TrainConfig
from studio.data.cache import Cache, ClassPicture
from studio.errors import Problem
from studio.facts import write_facts
from studio.machine import GIB
from studio.models.catalogue import BaseModel
from studio.models.preset import model_preset
from studio.training.checkpoints import empty_state, remove_resume
from studio.training.class_pictures import drawing_settings, plan_class_pictures
from studio.training.events import MEMORY, REHEARSAL, Note, Progressed, Report
from studio.training.loop import never, open_run
from studio.training.material import fit_to_material
from studio.training.plan.measured import REHEARSAL_FILE
from studio.training.plan.memory import CONTEXT_GB
from studio.training.plan.run_facts import read_run_facts
from studio.training.plan.run_reports import Measured, RehearsalReport
from studio.training.run import Run, Words
from studio.training.samples import Samples, prepare_samples
from studio.training.schedule import of_one_process
from studio.training.step.batches import Batches
from studio.training.work import Work, use_expert
from studio.workspace import Project

LARGEST_STEPS, USUAL_STEPS = 6, 4
LARGEST, USUAL = "largest", "usual"


def rehearse(config: TrainConfig, run_dir: Path, *, report: Report, should_stop: Callable[[], bool] = never) -> RehearsalReport:
    """Take ten steps of the training that `config` describes; nothing of what they learn is kept. Returns a Measured, also in the folder.

    Of several graphics cards one takes its part of each step. Where the GPU's memory runs out it goes on with less of it, as training does.
    Problem if it can't be done at all.
    """
    steps = LARGEST_STEPS + USUAL_STEPS
    preset = model_preset(read_run_facts(Path(run_dir)).base_model)
    config, _ = fit_to_material(replace(config, steps=steps, save_every=steps, finish_by=""), preset)
    config = of_one_process(config, len(preset.experts))
    undrawn = replace(config, preservation=replace(config.preservation, pictures=0))
    run = open_run(undrawn, Path(run_dir), _only_what_matters(report), should_stop, words=Words("Rehearsal", "Practising", REHEARSAL))
    samples = prepare_samples(run)
    pictures = plan_class_pictures(config, run.base, run.class_noun)
    try:
        measured = None if samples is None else _measure(run, replace(samples, held_out=(), class_pictures=pictures))
    finally:
        remove_resume(run.run_dir)
    if measured is None:
        return RehearsalReport(stopped=True)
    write_facts(run.run_dir / REHEARSAL_FILE, measured)
    return measured


class _Undrawn(Batches):
    """Batches in which an empty picture stands for each picture of others: a step takes the same, and to draw them takes longer than to rehearse."""

    def __init__(self, config: TrainConfig, project: Project, base: BaseModel, expert: str, samples: Samples):
        super().__init__(config, project, base, expert, samples)
        settings = drawing_settings(config, base)
        self._shape = base.latent_shape(settings.num_frames, settings.height, settings.width)

    def _load_picture(self, picture: ClassPicture) -> tuple[torch.Tensor, torch.Tensor]:
        _, _, class_prompt = self.cache.load(self.samples.learned[0])
        return torch.zeros(self._shape), class_prompt


def _only_what_matters(report: Report) -> Report:
    """Progress, notes, and what memory was given up; the steps themselves are no training."""

    def report_some(event: str, /, **fields: Any) -> None:
        if event in (Progressed.NAME, Note.NAME, MEMORY):
            report(event, **fields)

    return report_some


def _measure(run: Run, samples: Samples) -> Measured | None:
    """None if it was stopped."""
    return use_expert(run, _expert(run.config), empty_state(), samples, lambda work: _take_steps(run, work, samples))


def _expert(config: TrainConfig) -> str:
    """One that the training will use; both have the same shapes."""
    return next(expert for expert in reversed(EXPERTS) if config.share_of(expert))


def _take_steps(run: Run, work: Work, samples: Samples) -> Measured | None:
    """What was measured; None if it was stopped, or the expert must be loaded again. Problem if the loss broke down."""
    cache = Cache(run.project)
    largest = max(samples.learned, key=lambda sample: cache.load(sample)[0].numel())
    seconds: dict[str, list[float]] = {LARGEST: [], USUAL: []}
    ram_gb = 0.0
    if run.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(run.device)
    for what, count, learned in ((LARGEST, LARGEST_STEPS, (largest,)), (USUAL, USUAL_STEPS, samples.learned)):
        work.batches = _Undrawn(run.config, run.project, run.base, work.expert, replace(samples, learned=learned))
        for _ in range(count):
            if run.should_stop() or not work.train_step():
                _require_calm(work)
                return None
            seconds[what].append(work.pace[-1])
            ram_gb = max(ram_gb, psutil.Process().memory_info().rss / GIB)
    vram = torch.cuda.max_memory_reserved(run.device) / GIB + CONTEXT_GB if run.device.type == "cuda" else None
    return Measured(
        memory=asdict(run.fallback.memory),
        vram_gb=vram,
        ram_gb=ram_gb,
        seconds_largest=median(seconds[LARGEST][1:]),  # the first one also makes kernels and buffers ready
        seconds_per_step=median(seconds[USUAL]),
    )


def _require_calm(work: Work) -> None:
    """Problem if learning broke down: training would go back to its last safety copy, and there is none."""
    if work.state.rate_factor < 1:
        raise Problem(
            "The loss broke down within the first steps.",
            cost="Nothing was lost.",
            fix="Lower the learning speed, or look for a damaged photo.",
        )
