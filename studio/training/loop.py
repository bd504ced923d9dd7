"""Training: the cache, then the experts in phases; every step can be stopped after, killed in, and gone on from exactly."""

import sys
import time
from contextlib import contextmanager
from pathlib import Path

from studio.config import TrainConfig, from_dict, to_dict
from studio.errors import Problem
from studio.models.catalogue import find_model
from studio.models.compiled import why_not_compiled
from studio.models.loading import dtype_of, load_expert, pick_device, release
from studio.models.lora import add_lora
from studio.training import checkpoints
from studio.training.endure.deadline import Deadline
from studio.training.endure.fallback import Backoff, is_out_of_memory
from studio.training.endure.process_group import Team
from studio.training.endure.waiting import ALONE, when_there_is_space
from studio.training.material import fit_to_material
from studio.training.pairs import list_run_pairs, pair_folder, read_pair
from studio.training.run_facts import read_run_facts
from studio.training.samples import prepare_samples
from studio.training.schedule import fit_to_experts, list_spans, plan_phases
from studio.training.step.optimizers import require_usable
from studio.training.step.randomness import seed_of
from studio.training.work import Run, Work
from studio.workspace import project_of


def print_event(event, **fields):
    """Events as lines on stderr, for use without a job around."""
    print(event, *(f"{key}={value}" for key, value in fields.items()), file=sys.stderr)


def train(config, run_dir, *, report=print_event, should_stop=lambda: False, should_save=lambda: False):
    """Train the pair of LoRAs of a run folder, or go on where it stands. Returns {"step", "steps", "stopped", "pairs", ...}.

    run_dir/config.json names trigger, class_noun and base_model. Checkpoint pairs go to run_dir/checkpoints, what is needed to go on to
    run_dir/resume. A run that was killed and one that was not end with the same numbers, bit for bit (on a CPU).
    Problem if it can't go on: no photos, the loss broke down, the disk is full, the settings don't fit what was begun.
    """
    run = open_run(config, Path(run_dir), report, should_stop, should_save)
    report = run.report
    with run.team.in_turn():
        if run.team.is_main:
            checkpoints.remove_leftovers(run.run_dir)
        state = checkpoints.load_state(run.run_dir, report)
    if _is_finished(run, state):
        report("note", message=f"Nothing to do: all {config.steps} steps of this run are done.")
        return _result(run, state, nothing_to_do=True)
    _check_continuation(run, state)
    if run.deadline.at:
        report("note", message=f"It ends with a saved pair before {time.strftime('%a %H:%M', time.localtime(run.deadline.at))}.")
    with run.team.in_turn():
        samples = prepare_samples(run)
    if run.team.mates.any(samples is None):
        return _stopped(run, state)
    return _train_spans(run, state, samples)


def _train_spans(run, state, samples):
    """Span by span: the experts that this process trains, and then the pair of both."""
    for end in list_spans(run.config, state.step):
        for phase in plan_phases(run.config, end, state.expert_steps):
            if not run.team.trains(phase.expert):
                continue
            if run.team.mates.any(run.should_stop() or run.deadline.is_near_for_loading):
                return _stopped(run, state)
            state = _train_phase(run, phase, state, samples)
            if state.expert_steps[phase.expert] < phase.last_expert_step:
                return _stopped(run, state)
        closed = run.team.close_span(run, state, end, lambda state: _save_pair(run, state))
        if closed is None:
            return _stopped(run, state)
        state = closed
    return _result(run, state)


def _train_phase(run, phase, state, samples):
    """Train one expert up to the end of its phase, or to a request to stop; what was learned is saved in either case.

    Memory that runs out while the expert is loaded is this process's own affair; later its mates would wait for it at another step.
    """
    mates = run.team.mates
    run.report("phase", expert=phase.expert, first_step=phase.first_step, last_step=phase.last_step)
    while True:
        is_loaded = False
        try:
            with opened_expert(run, phase.expert, state, samples) as work:
                is_loaded = True
                state = _learn(run, phase, work)
        except RuntimeError as e:
            if not is_out_of_memory(e) or (is_loaded and mates.count > 1):
                raise
        else:
            if not work.must_reload or mates.any(run.should_stop()):
                return state
            continue
        # not in the handler, whose traceback holds the model; the step that was being taken may be there in part
        state = checkpoints.newest_state(run.run_dir) if is_loaded else state
        run.backoff.swap_more(state.step + 1)
        run.report("resume", step=state.step)


def _learn(run, phase, work):
    """Steps up to the end of the phase, to a request to stop, or until the expert must be loaded again; saves, and returns the state."""
    mates = run.team.mates
    if work.expert_step == 0:
        work.check_held_out()
    while work.expert_step < phase.last_expert_step and not mates.any(run.should_stop()) and work.train_step():
        if work.step % run.config.held_out_every == 0 or work.expert_step == phase.last_expert_step:
            work.check_held_out()
        if work.step % run.config.resume_every == 0 and work.monitor.is_calm:
            work.save()
        if mates.any(run.should_save()):
            _save_pair(run, work.save(), "hand", mates)
    return work.save()


@contextmanager
def opened_expert(run, expert, state, samples):
    """The Work of an expert in memory, as it was when its last phase ended; its memory is given back before the next one comes."""
    memory = run.backoff.memory
    run.report("progress", stage="Training", done=state.step, total=run.config.steps, unit="steps", message=f"Loading {expert}")
    with run.deadline.measure("loading_seconds"):
        model = load_expert(
            run.base,
            expert,
            dtype=run.dtype,
            device=run.device,
            blocks_swapped=memory.blocks_swapped,
            precision=memory.precision,
            multiply=memory.multiply,
        )
    if changed := model.storage.describe():
        run.report("note", message=changed)
    if memory.multiply == "8bit" and not model.storage.num_multiplied:
        run.report(
            "note", message="Products stay exact: for products of 8-bit numbers the base model must be int8 or fp8, and the card able to."
        )
    try:
        add_lora(model, run.config.lora.rank, seed_of(run.config.seed, expert, "lora"))
        yield Work(run, expert, model, state, samples)
    finally:
        release(model)


# -- beginning and end of a run


def open_run(config, run_dir, report, should_stop, should_save=lambda: False):
    """The Run of a folder whose config.json names trigger, class noun and base model. Problem if this computer can't do it."""
    facts, project = read_run_facts(run_dir), project_of(run_dir)
    base, deadline = find_model(facts.base_model, project.workspace), Deadline(config.finish_by)
    config = fit_to_experts(fit_to_material(config, base.preset)[0], base.experts)
    team, device = Team.join(config, len(base.experts)), pick_device()
    if not team.mates.is_lead:
        report = _keep_quiet
    dtype = dtype_of(config.memory.precision if device.type != "cpu" else "fp32")
    require_usable(config.optimizer.name, device.type)
    if device.type == "cpu" and config.memory.precision == "bf16":
        report("note", message="There is no GPU: the model is kept as fp32 instead of bf16.")
    backoff = Backoff(config.memory, base.num_blocks, report)
    if config.memory.compile_blocks:
        if why := _why_not_compiled(config.memory, device):
            backoff.stop_compiling(0, why)
        else:
            report(
                "note",
                message="The blocks are compiled during the first steps, and at a new size of picture; each time that takes minutes.",
            )
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
        team=team,
        backoff=backoff,
    )


def _keep_quiet(event, **fields):
    """For a process whose lead tells the same."""


def _why_not_compiled(memory, device):
    """Why blocks that are to be compiled are not, or ""; tried out on the device, so that it shows now and not in the night."""
    keeps = memory.blocks_kept or not memory.gradient_checkpointing
    if keeps and memory.blocks_swapped:
        return "that does not go together with blocks in RAM of which intermediate results are kept"
    return why_not_compiled(device)


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


def _save_pair(run, state, saved_by="schedule", mates=ALONE):
    """By the main process; mates: who wait for it here."""
    step = when_there_is_space(run, state.step, lambda: run.team.save_pair(run, state, saved_by), mates)
    if step is not None:
        run.report("checkpoint", step=step)


def _stopped(run, state):
    """The result of a run that ends before it is done; with a pair, if that is for its "finish by"."""
    is_due = run.deadline.is_near_for_loading
    if is_due and state.step:
        _save_pair(run, state, saved_by="finish-by")
    why = f", to be finished by {run.config.finish_by}" if is_due else ""
    run.report("note", message=f"Stopped after step {state.step} of {run.config.steps}{why}; everything learned so far is saved.")
    return _result(run, state, stopped=True, stopped_by="finish-by" if is_due else "request")


def _result(run, state, **more):
    pairs = [pair.id for pair in list_run_pairs(run.run_dir)]
    return {"step": state.step, "steps": run.config.steps, "stopped": False, "nothing_to_do": False, "pairs": pairs} | more
