"""What the Train tab shows before a training: the plan, the recipe, what was taken over, and why it can or can't start; only reads."""

from __future__ import annotations

import time
from dataclasses import dataclass

from studio.config import TrainConfig
from studio.jobs import state
from studio.jobs.kind import GPU
from studio.machine import read_machine
from studio.training.endure.deadline import next_time
from studio.training.plan.plan_presets import hardware_preset, read_recipe
from studio.training.plan.planner import Plan
from studio.training.plan.prediction import Prediction
from studio.training.schedule import steps_in_turn
from studio.ui import formatting as f
from studio.ui.settings_form import as_words, label_of
from studio.ui.train import choice as train_choice
from studio.ui.views import Remark, Remarks, View
from studio.workspace import Project

MAX_IMPORT_ROWS = 100  # of values without a counterpart
PLACES = {"open-dataset": "See the Dataset tab.", "download-model": "The button for it is above."}  # action -> where its button is


@dataclass(frozen=True)
class PlanRow(View):
    """A line of the plan. term: the field's word, or ""; share: of what is free, 0 to 1, None without a bar; over: it is too much."""

    label: str
    term: str
    text: str
    share: float | None = None
    over: bool = False


@dataclass(frozen=True)
class PlanView(View):
    """The plan as a panel: what it takes of what there is, and why."""

    rows: tuple[PlanRow, ...]
    fits: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class TakenOver(View):
    """What was taken from another trainer's config, and each value that has no counterpart: (where, value, why). more: rows not shown."""

    title: str
    about: str
    rows: tuple[tuple[str, ...], ...]
    more: int


@dataclass(frozen=True)
class StartButton:
    """What the start button says, why it can't be pressed or what is to be known before, and whether it can."""

    label: str
    remark: Remark | None
    interactive: bool


def start_button(project: Project, plan: Plan) -> StartButton:
    reason, action = train_choice.what_prevents(project, plan)
    if reason:
        return StartButton("Start training", Remark(f"{reason} {PLACES.get(action, '')}".strip(), "remark"), False)
    current = state.current_job(project.workspace, GPU)
    if current:
        return StartButton("Add to the queue", Remark(f"Now: {current.title}. One job at a time uses the graphics card."), True)
    if not plan.fits:
        return StartButton("Start anyway", Remark(plan.reasons[-1], "remark"), True)
    return StartButton("Start training", None, True)


def describe_choice(project: Project, plan: Plan) -> Remarks:
    """What the recipe is for, and what differs from it."""
    _, overrides = train_choice.read_choice(project)
    about = read_recipe(plan.recipe).description
    changed = ", ".join(f"{label_of(TrainConfig, name).lower()} {as_words(value)}" for name, value in overrides.items())
    usual = "The base model and this computer may ask for other numbers; the plan shows what will run."
    return Remarks((Remark(about, ""), Remark(f"Changed by you: {changed}." if changed else usual)))


def describe_import(project: Project | None) -> TakenOver | None:
    """What was taken from another trainer's config, and each value that has no counterpart."""
    note = project.facts().train_import if project else None
    if note is None:
        return None
    program, without = note.program, note.without
    title = f"{f.count(len(note.settings), 'setting')} from {', '.join(note.files or [program])}"
    left = f"{len(without):,} without a counterpart" if without else "nothing left out"
    rows = tuple(tuple(str(text) for text in entry) for entry in without[:MAX_IMPORT_ROWS])
    return TakenOver(title, f"{program}, {left}", rows, max(0, len(without) - MAX_IMPORT_ROWS))


def describe_plan(plan: Plan) -> PlanView:
    p = plan.predicted
    gpu = meter("GPU memory", "VRAM", p.vram_gb, p.vram_free_gb)
    rows = [
        PlanRow("This computer", "", describe_machine(plan)),
        gpu if plan.device == "cuda" else PlanRow("GPU memory", "VRAM", "none: the processor does it"),
        meter("Memory", "RAM", p.ram_gb, p.ram_free_gb),
        meter("Disk", "", p.disk_gb, p.disk_free_gb),
        PlanRow("Time", "", time_text(p, plan.config.steps)),
        *([PlanRow("Finish by", "", finish_text(plan))] if plan.config.finish_by else []),
        PlanRow("Steps", "", f"{plan.config.steps:,}, a checkpoint pair every {plan.config.save_every:,}"),
    ]
    return PlanView(tuple(rows), plan.fits, tuple(plan.reasons))


def describe_machine(plan: Plan) -> str:
    """The GPU and the preset chosen for it, or the processor."""
    machine = read_machine()
    if plan.device == "cpu":
        return f"{machine.cpu_name}, {f.count(machine.cpu_cores, 'core')}"
    gpu = machine.gpus[0]
    return f"{gpu.name}, {gpu.vram_total_gb:.0f} GB; preset {hardware_preset(plan.hardware).title}"


def time_text(predicted: Prediction, steps: int) -> str:
    if predicted.hours is None:
        return f"not known yet: {predicted.pace.advice or predicted.pace.source}"
    speed = f.seconds_per_step(predicted.seconds_per_step)
    return f"about {f.duration(predicted.hours * 3600)}, {speed} ({predicted.pace.source})"


def finish_text(plan: Plan, now: float | None = None) -> str:
    """How far a training that starts now gets before its "finish by"."""
    config, predicted = plan.config, plan.predicted
    if predicted.hours is None or predicted.seconds_per_step is None:
        return f"{config.finish_by}, with a saved pair"
    now = time.time() if now is None else now
    seconds = next_time(config.finish_by, now) - now
    if seconds >= predicted.hours * 3600:
        return f"{config.finish_by}; there is time for all of it"
    learning = predicted.seconds_per_step * steps_in_turn(config)
    beside_steps = predicted.hours * 3600 - learning
    steps = max(0.0, (seconds - beside_steps) / learning * config.steps)
    coarse = int(float(f"{steps:.1e}"))  # two digits: it must not change with every look
    return f"{config.finish_by}; from now until then there is time for about {coarse:,} of {config.steps:,} steps"


def meter(label: str, term: str, need: float | None, free: float | None) -> PlanRow:
    """Need against what is free, in steps coarse enough not to change with every look."""
    if need is None:
        return PlanRow(label, term, "not known yet")
    if not free:
        return PlanRow(label, term, f"about {f.gigabytes(need)}")
    free = round(free) if free >= 4 else round(free, 1)
    return PlanRow(label, term, f"{f.gigabytes(need)} of {free:g} GB free", share=min(1.0, need / free), over=need > free)
