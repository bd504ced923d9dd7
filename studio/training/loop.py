"""Training: the cache, then the experts in phases; every step can be stopped after, killed in, and gone on from exactly."""

import sys
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import torch

from studio.config import TrainConfig, from_dict, to_dict
from studio.errors import Problem
from studio.models.catalogue import BaseModel, find_model
from studio.models.loading import dtype_of, load_expert, pick_device, release
from studio.models.lora import add_lora, trainable_lora
from studio.training import checkpoints
from studio.training.batches import Batches
from studio.training.monitor import LossMonitor
from studio.training.optimizers import LoraOptimizer, require_usable
from studio.training.pairs import list_run_pairs, pair_folder, read_pair
from studio.training.randomness import seed_of
from studio.training.samples import Samples, prepare_samples
from studio.training.schedule import learning_rate, list_spans, plan_phases
from studio.training.step import accumulate_gradients, evaluate
from studio.training.walk import StepPlan
from studio.workspace import Project, project_of, read_json

PACE_STEPS = 50  # recent steps that the time left is reckoned from


def print_event(event, **fields):
    """Events as lines on stderr, for use without a job around."""
    print(event, *(f"{key}={value}" for key, value in fields.items()), file=sys.stderr)


@dataclass(frozen=True, kw_only=True)
class Run:
    """What stays the same through a run."""

    config: TrainConfig
    run_dir: Path
    project: Project
    base: BaseModel
    trigger: str
    class_noun: str
    device: torch.device
    dtype: torch.dtype
    report: Any
    should_stop: Any
    should_save: Any


def train(config, run_dir, *, report=print_event, should_stop=lambda: False, should_save=lambda: False):
    """Train the pair of LoRAs of a run folder, or go on where it stands. Returns {"step", "steps", "stopped", "pairs", ...}.

    run_dir/config.json names trigger, class_noun and base_model. Checkpoint pairs go to run_dir/checkpoints, what is needed to go on to
    run_dir/resume. A run that was killed and one that was not end with the same numbers, bit for bit (on a CPU).
    Problem if it can't go on: no photos, the loss broke down, the disk is full, the settings don't fit what was begun.
    """
    run = _open_run(config, Path(run_dir), report, should_stop, should_save)
    checkpoints.remove_leftovers(run.run_dir)
    state = checkpoints.load_state(run.run_dir, report)
    if _is_finished(run, state):
        report("note", message=f"Nothing to do: all {config.steps} steps of this run are done.")
        return _result(run, state, nothing_to_do=True)
    _check_continuation(run, state)
    samples = prepare_samples(run)
    if samples is None:
        return _stopped(run, state)
    for end in list_spans(config, state.step):
        for phase in plan_phases(config, end, state.expert_steps):
            state = _train_phase(run, phase, state, samples)
            if state.step < phase.last_step:
                return _stopped(run, state)
        _save_pair(run, state)
    return _result(run, state)


def _train_phase(run, phase, state, samples):
    """Train one expert up to the end of its phase, or to a request to stop; what was learned is saved in either case."""
    run.report("phase", expert=phase.expert, first_step=phase.first_step, last_step=phase.last_step)
    with _opened_expert(run, phase, state, samples) as work:
        if work.expert_step == 0:
            work.check_held_out()
        while work.step < phase.last_step and not run.should_stop():
            work.train_step()
            if work.step % run.config.held_out_every == 0 or work.step == phase.last_step:
                work.check_held_out()
            if work.step % run.config.resume_every == 0 and work.monitor.is_calm:
                work.save()
            if run.should_save():
                _save_pair(run, work.save(), saved_by="hand")
        return work.save()


@contextmanager
def _opened_expert(run, phase, state, samples):
    """The expert of a phase in memory, as it was when its last phase ended; its memory is given back before the next one comes."""
    memory = run.config.memory
    run.report("progress", stage="Training", done=state.step, total=run.config.steps, unit="steps", message=f"Loading {phase.expert}")
    model = load_expert(
        run.base,
        phase.expert,
        dtype=run.dtype,
        device=run.device,
        blocks_swapped=memory.blocks_swapped,
        precision=memory.precision,
    )
    if changed := model.storage.describe():
        run.report("note", message=changed)
    try:
        add_lora(model, run.config.lora.rank, seed_of(run.config.seed, phase.expert, "lora"))
        yield Work(run, phase.expert, model, state, samples)
    finally:
        release(model)


class Work:
    """One expert at work: model, optimizer, and how far both are."""

    def __init__(self, run, expert, model, state, samples: Samples):
        self.run, self.expert, self.model, self.state = run, expert, model, state
        self.step, self.expert_step = state.step, state.expert_steps[expert]
        self.parameters = trainable_lora(model)
        self.optimizer = LoraOptimizer(run.config.optimizer, self.parameters, run.config.lora.precision)
        checkpoints.restore_expert(state, expert, self.optimizer)
        self.batches = Batches(run.config, run.project, run.base, expert, samples)
        self.plan = StepPlan.of(run.config.memory, len(model.blocks))
        self.shelf = self.plan.make_shelf(run.device)
        self.monitor = LossMonitor(state.recent_losses[expert])
        self.pace = deque(maxlen=PACE_STEPS)

    def train_step(self):
        """Batch, loss, backward, clip, check, step, report."""
        started, settings = time.perf_counter(), self.run.config.optimizer
        group = self.batches.group(self.expert_step)
        losses = accumulate_gradients(self.model, group, self.run.device, self.plan, self.shelf)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters.values(), settings.max_grad_norm)
        loss, preservation, nothing, grad_norm = torch.cat([losses, norm[None].to(losses)]).tolist()  # the step's one wait for the device
        self._require_sound(self.monitor.check(loss, grad_norm, nothing))
        rate = self._update()
        self.pace.append(time.perf_counter() - started)
        self._report(loss, preservation if group.class_rows else None, rate, grad_norm)

    def _update(self):
        config = self.run.config
        rate = learning_rate(config, self.expert, self.expert_step)
        rate = self.optimizer.step(rate, self.expert_step, config.seed, self.expert)
        self.step, self.expert_step = self.step + 1, self.expert_step + 1
        return rate

    def _report(self, loss, preservation, rate, grad_norm):
        total, seconds = self.run.config.steps, self.pace[-1]
        self.run.report(
            "step",
            step=self.step,
            expert=self.expert,
            expert_step=self.expert_step,
            loss=loss,
            preservation_loss=preservation,
            learning_rate=rate,
            grad_norm=grad_norm,
            seconds=round(seconds, 4),
            memory_gb=round(_memory_gb(self.run.device), 3),
            ram_gb=round(_ram_gb(), 3),
        )
        left = (total - self.step) * sum(self.pace) / len(self.pace)
        what = {"high_noise": "layout and motion", "low_noise": "detail and identity"}[self.expert]
        self.run.report(
            "progress", stage="Training", done=self.step, total=total, unit="steps", message=f"Learning {what}", seconds_left=left
        )

    def check_held_out(self):
        """Loss of the pictures that were set aside, always under the same noise. Before the first step it is the base model's."""
        if self.batches.samples.held_out:
            losses = evaluate(self.model, self.batches.held_out_rows(), self.run.device, self.plan)
            facts = {"loss": losses.mean().item(), "bands": self.batches.held_out_bands(losses)}
            self.run.report("held_out", step=self.step, expert=self.expert, expert_step=self.expert_step, **facts)

    def save(self):
        """Save the resume state of this step, once; returns it."""
        if self.state.step < self.step:
            state = replace(
                self.state,
                step=self.step,
                expert_steps=self.state.expert_steps | {self.expert: self.expert_step},
                recent_losses=self.state.recent_losses | {self.expert: self.monitor.recent},
                settings=to_dict(self.run.config),
                base_key=self.run.base.key,
            )
            self.state = checkpoints.save_state(self.run.run_dir, state, self.expert, self.optimizer.tensors(), self.optimizer.numbers())
        return self.state

    def _require_sound(self, wrong):
        """Problem if the loss broke down. The step is not taken, and no state or pair is made of it."""
        if not wrong:
            return
        pairs = list_run_pairs(self.run.run_dir)
        kept = f"The checkpoint pair of step {pairs[-1].step} is kept" if pairs else "No checkpoint pair was made yet"
        raise Problem(
            f"Training stopped at step {self.step + 1}: {wrong}.",
            cost=f"{kept}; the last safety copy is of step {self.state.step}.",
            fix=f"Halve the learning speed (it is {self.run.config.optimizer.learning_rate:g}) and go on, or look for a damaged photo.",
            action="halve-learning-rate",
        )


# -- beginning and end of a run


def _open_run(config, run_dir, report, should_stop, should_save):
    facts, project = read_json(run_dir / "config.json"), project_of(run_dir)
    device = pick_device()
    dtype = dtype_of(config.memory.precision if device.type != "cpu" else "fp32")
    require_usable(config.optimizer.name, device.type)
    if device.type == "cpu" and config.memory.precision == "bf16":
        report("note", message="There is no GPU: the model is kept as fp32 instead of bf16.")
    return Run(
        config=config,
        run_dir=run_dir,
        project=project,
        base=find_model(facts["base_model"], project.workspace),
        trigger=facts["trigger"],
        class_noun=facts["class_noun"],
        device=device,
        dtype=dtype,
        report=report,
        should_stop=should_stop,
        should_save=should_save,
    )


def _is_finished(run, state):
    steps = run.config.steps
    return state.step > steps or (state.step == steps and read_pair(pair_folder(run.run_dir, steps)) is not None)


def _check_continuation(run, state):
    """Say where a run goes on and which settings are new; Problem if what was learned does not fit them."""
    if state.folder is None:
        return
    before = from_dict(TrainConfig, state.settings)
    if what := _what_does_not_fit(before, run.config, state.base_key == run.base.key):
        raise Problem(
            f"This run was begun with {what}, so it can't go on.",
            cost="Nothing was lost; its checkpoint pairs are kept.",
            fix="Start a new run, or put the setting back.",
        )
    changed = sorted(_changes(to_dict(before), to_dict(run.config)))
    if changed:
        run.report("note", message=f"Settings changed since the last safety copy: {', '.join(changed)}.")
    run.report("resume", step=state.step)


def _what_does_not_fit(before, now, same_base):
    """What of a run must stay as it was begun, and did not, in words; "" if all did."""
    if not same_base:
        return "another base model"
    fixed = {
        "LoRA size": (before.lora.rank, now.lora.rank),
        "number format of the LoRA": (before.lora.precision, now.lora.precision),
        "optimizer": (before.optimizer.name, now.optimizer.name),
    }
    return next((f"{what} {old}, not {new}" for what, (old, new) in fixed.items() if old != new), "")


def _changes(before, after, prefix=""):
    for key, value in after.items():
        if isinstance(value, dict):
            yield from _changes(before[key], value, f"{prefix}{key}.")
        elif before[key] != value:
            yield prefix + key


def _save_pair(run, state, saved_by="schedule"):
    step = checkpoints.save_pair(run.run_dir, state, run.config, run.base, saved_by=saved_by)
    if step is not None:
        run.report("checkpoint", step=step)


def _stopped(run, state):
    run.report("note", message=f"Stopped after step {state.step} of {run.config.steps}; everything learned so far is saved.")
    return _result(run, state, stopped=True)


def _result(run, state, **more):
    pairs = [pair.id for pair in list_run_pairs(run.run_dir)]
    return {"step": state.step, "steps": run.config.steps, "stopped": False, "nothing_to_do": False, "pairs": pairs} | more


def _memory_gb(device):
    """Most GPU memory used so far, or this process's RAM without a GPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1024**3
    return _ram_gb()


def _ram_gb():
    """This process's RAM now."""
    return psutil.Process().memory_info().rss / 1024**3
