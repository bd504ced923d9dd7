"""Training: the cache, then the experts in phases; every step can be stopped after, killed in, and gone on from exactly."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from studio.config import MemoryConfig, TrainConfig, from_dict, to_dict
from studio.errors import Problem
from studio.models.catalogue import find_model
from studio.models.compiled import why_not_compiled
from studio.models.loading import dtype_of, pick_device
from studio.training import checkpoints
from studio.training.checkpoints import State
from studio.training.endure.all_reduce import ProcessGroup
from studio.training.endure.deadline import Deadline
from studio.training.endure.fallback import Fallback
from studio.training.endure.process_group import World
from studio.training.endure.waiting import ALONE, when_there_is_space
from studio.training.events import PairSaved, PhaseBegan, Report, Resumed, say, tell
from studio.training.material import fit_to_material
from studio.training.pairs import list_run_pairs, pair_folder, read_pair
from studio.training.plan.run_facts import read_run_facts
from studio.training.plan.run_reports import FINISH_BY, REQUEST, TrainReport
from studio.training.run import Run, Words
from studio.training.samples import Samples, prepare_samples
from studio.training.schedule import Phase, fit_to_experts, list_spans, plan_phases
from studio.training.step.optimizers import require_usable
from studio.training.work import Work, use_expert
from studio.workspace import project_of


def print_event(event: str, /, **fields: Any) -> None:
    """Events as lines on stderr, for use without a job around."""
    print(event, *(f"{key}={value}" for key, value in fields.items()), file=sys.stderr)


def never() -> bool:
    return False


def train(
    config: TrainConfig,
    run_dir: Path,
    *,
    report: Report = print_event,
    should_stop: Callable[[], bool] = never,
    should_save: Callable[[], bool] = never,
) -> TrainReport:
    """Train the pair of LoRAs of a run folder, or go on where it stands.

    run_dir/config.json names trigger, class_noun and base_model. Checkpoint pairs go to run_dir/checkpoints, what is needed to go on to
    run_dir/resume. A run that was killed and one that was not end with the same numbers, bit for bit (on a CPU).
    Problem if it can't go on: no photos, the loss broke down, the disk is full, the settings don't fit what was begun.
    """
    run = open_run(config, Path(run_dir), report, should_stop, should_save)
    report = run.report
    with run.world.in_turn():
        if run.world.is_main:
            checkpoints.remove_leftovers(run.run_dir)
        state = checkpoints.load_state(run.run_dir, report)
    if _is_finished(run, state):
        say(report, f"Nothing to do: all {config.steps} steps of this run are done.")
        return replace(_report_on(run, state), nothing_to_do=True)
    _check_continuation(run, state)
    if run.deadline.at:
        say(report, f"It ends with a saved pair before {time.strftime('%a %H:%M', time.localtime(run.deadline.at))}.")
    with run.world.in_turn():
        samples = prepare_samples(run)
    if run.world.process_group.any(samples is None) or samples is None:
        return _stopped(run, state)
    return _train_spans(run, state, samples)


def _train_spans(run: Run, state: State, samples: Samples) -> TrainReport:
    """Span by span: the experts that this process trains, and then the pair of both."""
    for end in list_spans(run.config, state.step):
        for phase in plan_phases(run.config, end, state.expert_steps):
            if not run.world.trains(phase.expert):
                continue
            if run.world.process_group.any(run.should_stop() or run.deadline.is_near_for_loading):
                return _stopped(run, state)
            state = _train_phase(run, phase, state, samples)
            if state.expert_steps[phase.expert] < phase.last_expert_step:
                return _stopped(run, state)
        closed = run.world.close_span(run.run_dir, state, end, lambda state: _save_pair(run, state), run.should_stop)
        if closed is None:
            return _stopped(run, state)
        state = closed
    return _report_on(run, state)


def _train_phase(run: Run, phase: Phase, state: State, samples: Samples) -> State:
    """Train one expert up to the end of its phase, or to a request to stop; what was learned is saved in either case."""
    tell(run.report, PhaseBegan(expert=phase.expert, first_step=phase.first_step, last_step=phase.last_step))
    return use_expert(run, phase.expert, state, samples, lambda work: _learn(run, phase, work))


def _learn(run: Run, phase: Phase, work: Work) -> State:
    """Steps up to the end of the phase, to a request to stop, or until the expert must be loaded again; saves, and returns the state."""
    group = run.world.process_group
    if work.expert_step == 0:
        work.check_held_out()
    while work.expert_step < phase.last_expert_step and not group.any(run.should_stop()) and work.train_step():
        if work.step % run.config.held_out_every == 0 or work.expert_step == phase.last_expert_step:
            work.check_held_out()
        if work.step % run.config.resume_every == 0 and work.monitor.is_calm:
            work.save()
        if group.any(run.should_save()):
            _save_pair(run, work.save(), "hand", group)
    return work.save()


# -- beginning and end of a run


def open_run(
    config: TrainConfig,
    run_dir: Path,
    report: Report,
    should_stop: Callable[[], bool],
    should_save: Callable[[], bool] = never,
    words: Words = Words(),  # noqa: B008
) -> Run:
    """The Run of a folder whose config.json names trigger, class noun and base model. Problem if this computer can't do it."""
    facts, project = read_run_facts(run_dir), project_of(run_dir)
    base, deadline = find_model(facts.base_model, project.workspace), Deadline(config.finish_by)
    config = fit_to_experts(fit_to_material(config, base.preset)[0], base.experts)
    world, device = World.join(config, len(base.experts)), pick_device()
    if not world.process_group.is_main:
        report = _keep_quiet
    dtype = dtype_of(config.memory.precision if device.type != "cpu" else "fp32")
    require_usable(config.optimizer.name, device.type)
    if device.type == "cpu" and config.memory.precision == "bf16":
        say(report, "There is no GPU: the model is kept as fp32 instead of bf16.")
    fallback = Fallback(config.memory, base.num_blocks, report)
    if config.memory.compile_blocks:
        if why := _why_not_compiled(config.memory, device):
            fallback.stop_compiling(0, why)
        else:
            say(report, "The blocks are compiled during the first steps, and at a new size of picture; each time that takes minutes.")
    return Run(
        config=config,
        run_dir=run_dir,
        project=project,
        base=base,
        trigger=facts.trigger,
        class_noun=facts.class_noun,
        device=device,
        dtype=dtype,
        report=report,
        should_stop=lambda: should_stop() or deadline.is_near,
        should_save=should_save,
        deadline=deadline,
        world=world,
        fallback=fallback,
        words=words,
    )


def _keep_quiet(event: str, /, **fields: Any) -> None:
    """For a process whose group's main one tells the same."""


def _why_not_compiled(memory: MemoryConfig, device: torch.device) -> str:
    """Why blocks that are to be compiled are not, or ""; tried out on the device, so that it shows now and not in the night."""
    keeps = memory.blocks_kept or not memory.gradient_checkpointing
    if keeps and memory.blocks_swapped:
        return "that does not go together with blocks in RAM of which intermediate results are kept"
    return why_not_compiled(device)


def _is_finished(run: Run, state: State) -> bool:
    steps = run.config.steps
    return state.step > steps or (state.step == steps and read_pair(pair_folder(run.run_dir, steps)) is not None)


def _check_continuation(run: Run, state: State) -> None:
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
        say(run.report, f"Settings changed since the last safety copy: {', '.join(changed)}.")
    tell(run.report, Resumed(step=state.step))


def _what_does_not_fit(before: TrainConfig, now: TrainConfig, same_base: bool) -> str:
    """What of a run must stay as it was begun, and did not, in words; "" if all did."""
    if not same_base:
        return "another base model"
    fixed = {
        "LoRA size": (before.lora.rank, now.lora.rank),
        "number format of the LoRA": (before.lora.precision, now.lora.precision),
        "optimizer": (before.optimizer.name, now.optimizer.name),
    }
    return next((f"{what} {old}, not {new}" for what, (old, new) in fixed.items() if old != new), "")


def _changes(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted names of the settings that differ."""
    for key, value in after.items():
        if isinstance(value, dict):
            yield from _changes(before[key], value, f"{prefix}{key}.")
        elif before[key] != value:
            yield prefix + key


def _save_pair(run: Run, state: State, saved_by: str = "schedule", waiting: ProcessGroup = ALONE) -> None:
    """By the main process; waiting: the processes that wait for it here."""

    def save() -> int | None:
        return run.world.save_pair(run.run_dir, state, run.config, run.base, saved_by)

    step = when_there_is_space(run, state.step, save, waiting)
    if step is not None:
        tell(run.report, PairSaved(step=step))


def _stopped(run: Run, state: State) -> TrainReport:
    """The result of a run that ends before it is done; with a pair, if that is for its "finish by"."""
    is_due = run.deadline.is_near_for_loading
    if is_due and state.step:
        _save_pair(run, state, saved_by=FINISH_BY)
    why = f", to be finished by {run.config.finish_by}" if is_due else ""
    say(run.report, f"Stopped after step {state.step} of {run.config.steps}{why}; everything learned so far is saved.")
    return replace(_report_on(run, state), stopped=True, stopped_by=FINISH_BY if is_due else REQUEST)


def _report_on(run: Run, state: State) -> TrainReport:
    pairs = tuple(pair.id for pair in list_run_pairs(run.run_dir))
    return TrainReport(step=state.step, steps=run.config.steps, pairs=pairs)
