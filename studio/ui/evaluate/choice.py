"""What a person chose for the next comparison: pairs, strengths, seeds, prompts, sizes. Kept in project.json."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from studio.config import SweepConfig, to_dict
from studio.errors import Problem
from studio.evaluation import sweeps
from studio.evaluation.drawing_time import estimate_drawing
from studio.evaluation.first_pictures import describe_first_pictures
from studio.evaluation.guests.guest_list import list_guests
from studio.evaluation.prompts import standard_prompts
from studio.evaluation.rest import Rest, what_is_left
from studio.evaluation.sweep_facts import DONE, Sweep
from studio.evaluation.sweep_plan import plan_sweep
from studio.jobs import state
from studio.jobs.kinds.sweep import SweepJob
from studio.machine import read_machine
from studio.models.preset import model_preset
from studio.training.pairs import damaged_pairs, list_pairs
from studio.ui import actions
from studio.ui import formatting as f
from studio.ui.settings_form import check_limits
from studio.workspace import Project

STRENGTHS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 1.0, 1.2)
ASKED_APART = ("strengths", "seeds", "prompts")  # settings with a field of their own above the others


def read_choice(project: Project) -> tuple[SweepConfig, list[str] | None]:
    """(SweepConfig with the prompts written out, pair ids or None for all)."""
    data = project.facts()
    choice = data.sweep_choice
    config = model_preset(data.base_model).sweep_config(choice.settings)
    if not config.prompts:
        prompts = list(standard_prompts(project, data.base_model))
        config = model_preset(data.base_model).sweep_config(choice.settings | {"prompts": prompts})
    pairs = [id for id in choice.pairs or () if id in known_pairs(project)]
    return config, pairs or None


def save_choice(project: Project, **changes: Any) -> None:
    """Check and note what was changed in the form: pairs, strengths, seeds, prompts, or a setting by its name. What is not named stays.

    ValueError in words; nothing is changed then.
    """
    data = project.facts()
    choice, preset = data.sweep_choice, model_preset(data.base_model)
    pairs = choose_pairs(project, changes.pop("pairs")) if "pairs" in changes else choice.pairs
    settings = {name: READERS.get(name, lambda value: value)(value) for name, value in changes.items()}
    if settings.get("prompts") == list(standard_prompts(project, data.base_model)):
        settings["prompts"] = []
    check_limits(SweepConfig, settings)
    config = to_dict(preset.sweep_config(choice.settings | settings))
    usual = to_dict(preset.sweep_config())
    changed = {name: value for name, value in config.items() if value != usual[name]}
    project.update(sweep_choice=replace(choice, settings=changed, pairs=None if pairs is None else tuple(pairs)))


def choose_pairs(project: Project, pairs: Sequence[str] | None) -> list[str] | None:
    """Ids of the ticked pairs, None where they are all of the person's own, and no guest."""
    own = [pair.id for pair in list_pairs(project)]
    if known_pairs(project) and not pairs:
        raise Problem("No checkpoint pair is chosen.", fix="Choose at least one; the base is always drawn beside it.")
    return None if set(pairs or []) == set(own) else list(pairs or [])


def known_pairs(project: Project) -> list[str]:
    """Ids of the person's own pairs and of the guests."""
    return [*(pair.id for pair in list_pairs(project)), *(guest.id for guest in list_guests(project))]


def parse_lines(text: str | None) -> list[str]:
    return [line.strip() for line in (text or "").splitlines() if line.strip()]


def parse_numbers(text: str | None) -> list[int]:
    """ "42, 43" -> [42, 43]."""
    words = [word for word in re.split(r"[\s,;]+", str(text or "")) if word]
    if not words or not all(word.isdigit() for word in words):
        raise Problem("Seeds must be whole numbers.", fix="For example 42, or 42, 43.")
    return [int(word) for word in words]


READERS = {  # what a field of the form shows -> the setting
    "strengths": lambda ticked: sorted(float(strength) for strength in ticked or []),
    "seeds": parse_numbers,
    "prompts": parse_lines,
}


def what_prevents(project: Project) -> str:
    """Why no comparison can be started, or ""."""
    if not known_pairs(project):
        if damaged := damaged_pairs(project):
            return damaged[-1].message
        return "There is no checkpoint pair yet; train first."
    if damaged := sweeps.damaged_sweeps(project):
        return damaged[0].message
    if any(job.kind == "sweep" and not job.is_over for job in state.list_jobs(project.workspace, project)):
        return "A comparison is being drawn."
    return ""


def estimate(project: Project) -> str:
    """How many clips, how many of them exist, how long the rest takes: a sentence. What can't be drawn as it is chosen is said instead."""
    config, pairs = read_choice(project)
    try:
        plan = plan_sweep(project, config, pairs)
    except ValueError as e:  # the photo that a prompt names may be gone since; the tab must still be there to choose another
        return " ".join(f.sentence(part) for part in (str(e), getattr(e, "fix", "")) if part)
    there = {cell.key for folder in sweeps.list_sweeps(project) for cell in sweeps.read_sweep(folder).cells if cell.is_done}
    plan = plan.with_cells(lambda cell: replace(cell, state=DONE) if cell.key in there else cell)
    missing = sum(not cell.is_done for cell in plan.cells)
    total = f.count(len(plan.cells), "clip")
    if not missing:
        return f"{total}; all of them are there already.{_remeasure(project, plan)}"
    found = estimate_drawing(project, plan, read_machine())
    time = found.how_sure if found.seconds is None else f"about {f.duration(found.seconds)} ({found.how_sure})"
    old = f", {len(plan.cells) - missing} of them are there already" if missing < len(plan.cells) else ""
    return f"{total}{old}; {time}. {describe_first_pictures(plan.prompts)}".strip()


def _remeasure(project: Project, plan: Sweep) -> str:
    """What is to be done although every clip is there, or "": the photos that likeness is measured against have changed."""
    folder = sweeps.find_sweep(project, plan)
    stale = sweeps.count_unmeasured(project, sweeps.read_sweep(folder)) if folder else 0
    return f" {f.count(stale, 'clip')} will be measured again: the photos have changed, or they were never measured." if stale else ""


def describe_rest(rest: Rest) -> str:
    """What is left to do of a comparison whose clips are drawn."""
    parts = [f"{f.count(rest.unmeasured, 'clip')} will be measured"] if rest.unmeasured else []
    parts += [f"{f.count(rest.videos, 'side-by-side video')} will be made"] if rest.videos else []
    return f"{', '.join(parts) or 'The report will be written'}; no clip has to be drawn."


def start(project: Project) -> str:
    """Open (or go on with) the comparison and queue its drawing; a sentence."""
    reason = what_prevents(project)
    if reason:
        raise Problem(reason, action="" if list_pairs(project) else "open-train")
    config, pairs = read_choice(project)
    folder = sweeps.open_sweep(project, config, pairs, sample=False)
    sweep = sweeps.read_sweep(folder)
    rest = what_is_left(project, folder)
    if rest.is_nothing:
        return "All of these clips are there already."
    job = SweepJob(config=to_dict(config), pairs=None if pairs is None else tuple(pairs), sweep=folder.name)
    seconds = estimate_drawing(project, sweep, read_machine()).seconds
    actions.queue(project, job, f"Draw and compare {project.facts().name}", seconds)
    if not rest.clips:
        return describe_rest(rest)
    return f"{f.count(rest.clips, 'clip')} will be drawn; you may close this window, it goes on."
