"""What a person chose for the next training: a recipe and the settings they changed. Kept in project.json, so that a reload loses nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from studio.config import TIME_OF_DAY, DataConfig, TrainConfig, flatten, from_dict, nest
from studio.data.captions.rules import check_trigger
from studio.data.curation import usual_data_config
from studio.data.dataset import kept_items
from studio.errors import Problem
from studio.export.reading import taking_over
from studio.jobs import state
from studio.jobs.kind import GPU
from studio.jobs.kinds.rehearse import RehearseJob
from studio.jobs.kinds.train import TrainJob
from studio.machine import read_machine
from studio.models.preset import model_preset
from studio.project_facts import TrainChoice
from studio.training.material import learnable, why_nothing_to_learn
from studio.training.plan.optimizer_facts import how_to_use, why_not_usable
from studio.training.plan.planner import Plan, propose
from studio.ui import actions, download_view, uploads
from studio.ui import formatting as f
from studio.ui.settings_form import check_limits
from studio.workspace import Project, Workspace


def read_choice(project: Project) -> tuple[str, dict[str, Any]]:
    """(recipe or "", {dotted name: value})."""
    choice = project.facts().train_choice
    return choice.recipe, dict(choice.overrides)


def make_plan(project: Project) -> Plan:
    """The Plan for what is chosen. An override that is no longer legal is named, not ignored."""
    recipe, overrides = read_choice(project)
    return propose(project, read_machine(), workspace=project.workspace, recipe=recipe, overrides=nest(overrides))


def data_settings(project: Project) -> DataConfig:
    """How photos and clips are trained here, as the plan has it; where there is none, as usual."""
    try:
        return make_plan(project).config.data
    except ValueError:  # a setting that is not legal any more, or an unknown base model: the Train tab says which
        return usual_data_config(project)


def choose_recipe(project: Project, recipe: str) -> None:
    _, overrides = read_choice(project)
    project.update(train_choice=TrainChoice(recipe=recipe, overrides=overrides))


def save_edits(project: Project, values: dict[str, Any]) -> None:
    """Note what differs from what the form showed. ValueError names a value that is out of its limits; nothing is changed then."""
    recipe, overrides = read_choice(project)
    shown = flatten(make_plan(project).config)
    edits = {name: value for name, value in values.items() if value != shown.get(name)}
    if edits:
        check_limits(TrainConfig, edits)
        if edits.get("finish_by") and not TIME_OF_DAY.fullmatch(edits["finish_by"]):
            raise Problem(f"Finish by must be a time of day, got {edits['finish_by']!r}.", fix="For example 07:00 or 23:30.")
        from_dict(TrainConfig, nest(shown | edits), "settings")
        project.update(train_choice=TrainChoice(recipe=recipe, overrides=overrides | edits))


def forget_edits(project: Project) -> str:
    recipe, _ = read_choice(project)
    project.update(train_choice=TrainChoice(recipe=recipe), train_import=None)
    return "All settings are the recipe's again."


def forget_config(workspace: Workspace, files: str | Sequence[str] | None) -> None:
    """Delete configs that a browser sent."""
    uploads.forget(workspace, [files] if isinstance(files, str) else files or [])


def take_config(project: Project, files: str | Sequence[str] | None) -> str:
    """Fill the form from configs of other trainers that a browser sent; a sentence. What has no counterpart is noted in project.json."""
    files = [files] if isinstance(files, str) else files or []
    try:
        found = taking_over.take_over(project, files)
    finally:
        uploads.forget(project.workspace, files)
    without = f"; {f.count(len(found.without), 'value')} of {found.program} {'has' if len(found.without) == 1 else 'have'} no counterpart"
    return f"{f.count(len(found.settings), 'setting')} taken over{without if found.without else ''}."


def what_is_missing(project: Project) -> str:
    """What the Dataset tab must still be given before a training, as a sentence, or ""."""
    data, kept = project.facts(), kept_items(project)
    preset = model_preset(data.base_model)
    bare = sum(not item.caption for item in learnable(kept, preset))
    if not kept:
        return "There are no photos or clips to train with yet."
    if reason := why_nothing_to_learn(kept, preset):
        return reason
    if not data.is_permitted:
        return "No permission of the person is written down for this project."
    if remarks := check_trigger(data.trigger):
        return f"The trigger word does not do: {remarks[0].words}"
    have = "has" if bare == 1 else "have"
    return f"{f.count(bare, 'item')} {have} no caption yet." if bare else ""


def what_prevents(project: Project, plan: Plan) -> tuple[str, str]:
    """(why training cannot start, the action that helps) or ("", "")."""
    missing = what_is_missing(project)
    if missing:
        return missing, "open-dataset"
    not_ready, action = download_view.why_not_ready(project.facts().base_model, project.workspace)
    if not_ready:
        return not_ready, action
    optimizer = plan.config.optimizer.name
    if reason := why_not_usable(optimizer, plan.device):
        return f"{reason} {how_to_use(optimizer, plan.device)}", ""
    if not plan.fits and plan.device == "cpu":
        return plan.reasons[-1], ""
    return "", ""


def rehearse(project: Project) -> str:
    """Queue a rehearsal of what is chosen; a sentence about it."""
    plan = make_plan(project)
    reason, action = what_prevents(project, plan)
    if reason:
        raise Problem(reason, action=action)
    if actions.is_busy(project, "rehearse"):
        raise Problem("It is being rehearsed already.")
    actions.queue(project, RehearseJob(**plan.job_config(project)), f"Rehearse {project.facts().name}")
    return "Ten real steps are taken now; then the plan says what they measured."


def start(project: Project) -> str:
    """Queue a training with what is chosen; a sentence about it."""
    plan = make_plan(project)
    reason, action = what_prevents(project, plan)
    if reason:
        raise Problem(reason, action=action)
    busy = state.current_job(project.workspace, GPU)
    hours = plan.predicted.hours
    seconds = None if hours is None else hours * 3600
    actions.queue(project, TrainJob(**plan.job_config(project)), f"Train {project.facts().name}", seconds)
    return f"Added to the queue, after: {busy.title}." if busy else "Training starts now; you may close this window, it goes on."
