"""Sample clips of a training's pairs, drawn when wanted with one of the test prompts through the sweep's own code, as a job that waits its turn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from studio.config import SweepConfig, to_dict
from studio.errors import Problem
from studio.evaluation import sweeps
from studio.evaluation.sweep_facts import WAITING, Cell, Sweep
from studio.evaluation.sweep_plan import plan_sweep
from studio.jobs import state
from studio.jobs.kinds.sweep import SweepJob
from studio.training.pairs import Pair
from studio.ui import actions
from studio.ui.evaluate import choice as evaluate_choice
from studio.ui.views import View
from studio.workspace import Project

WAITS = "It is drawn when its turn comes; a training that runs is not disturbed. Pause or stop it to see the clip sooner."


@dataclass(frozen=True)
class Sample(View):
    """A test clip of a pair, or of the base. clip, poster: their addresses, "" while it is not drawn; error: why it could not be."""

    clip: str = ""
    poster: str = ""
    prompt: str = ""
    error: str = ""


@dataclass(frozen=True)
class SavedPair(View):
    """A pair in the list of a run. can_draw: whether its clip can be asked for; waits: it was asked for and is not drawn yet."""

    id: str
    label: str
    run: str = ""
    made: str = ""
    size: str = ""
    sample: Sample | None = None
    can_draw: bool = False
    waits: bool = False


def sample_config(project: Project) -> SweepConfig:
    """The comparison's settings with one prompt, one seed and one strength: a clip of the pair and one of the base."""
    config, _ = evaluate_choice.read_choice(project)
    return replace(config, prompts=(chosen_prompt(project, config),), seeds=config.seeds[:1], strengths=config.strengths[:1])


def chosen_prompt(project: Project, config: SweepConfig) -> str:
    """The test prompt that a person chose for sample clips; the first one if it is not among the test prompts (any more)."""
    chosen = project.facts().sample_prompt
    return chosen if chosen in config.prompts else config.prompts[0]


def choose_prompt(project: Project, prompt: str | None) -> None:
    project.update(sample_prompt=str(prompt or ""))


def read_prompts(project: Project | None) -> dict[str, Any]:
    """The test prompts to choose from, by their short names."""
    if project is None:
        return gr.update(choices=[], value=None)
    config, _ = evaluate_choice.read_choice(project)
    named = [(prompt.partition("|")[0].strip()[:60], prompt) for prompt in config.prompts]
    return gr.update(choices=named, value=chosen_prompt(project, config))


def draw(project: Project, pair_id: str) -> str:
    """Queue the drawing of a pair's clip; a sentence."""
    if actions.is_busy(project, "sweep"):
        raise Problem("Clips are being drawn already.", fix="Wait for them; this one may be among them.")
    config = sample_config(project)
    plan = plan_sweep(project, config, [pair_id])
    earlier = find_samples(project, plan)
    known = {pair.id for pair in plan_sweep(project, config).pairs}
    pairs = [*(pair.id for pair in earlier.pairs if pair.id in known), pair_id] if earlier else [pair_id]
    folder = sweeps.open_sweep(project, config, list(dict.fromkeys(pairs)), sample=True)
    if not sweeps.read_sweep(folder).count_states()[WAITING]:
        return "This clip is there already."
    job = SweepJob(config=to_dict(config), pairs=tuple(pairs), sweep=folder.name, sample=True)
    actions.queue(project, job, f"Draw a test clip of {project.facts().name}")
    running = any(job.kind == "train" and job.is_running for job in state.list_jobs(project.workspace, project))
    return WAITS if running else "The clip is being drawn."


def find_samples(project: Project, plan: Sweep) -> Sweep | None:
    """The newest sweep of samples that were drawn as this plan asks, or None."""
    for folder in reversed(sweeps.list_sweeps(project, sample=True)):
        sweep = sweeps.read_sweep(folder)
        if sweeps.asks_the_same(sweep, plan):
            return sweep
    return None


def read_samples(project: Project) -> dict[str, Sample]:
    """{pair id, or "" for the base: its sample} of the clips drawn last; one that waits has no clip."""
    folders = sweeps.list_sweeps(project, sample=True)
    if not folders:
        return {}
    sweep, address = sweeps.read_sweep(folders[-1]), f"/media/{project.slug}/sweeps/{folders[-1].name}"
    return {cell.pair or "": describe_sample(cell, address, sweep.prompt_of(cell).text) for cell in sweep.cells}


def describe_sample(cell: Cell, address: str, prompt: str) -> Sample:
    if not cell.is_done:
        return Sample(prompt=prompt, error=cell.error)
    version = f"?v={cell.key}"
    return Sample(f"{address}/{cell.clip}{version}", f"{address}/{cell.poster}{version}", prompt)


def describe_pairs(project: Project, pairs: Sequence[Pair], describe: Callable[[Pair], SavedPair]) -> tuple[SavedPair, ...]:
    """The saved pairs, the newest first, each with its sample and whether one can be asked for; the base's clip comes last."""
    samples, busy = read_samples(project) if pairs else {}, actions.is_busy(project, "sweep")
    shown = []
    for pair in reversed(pairs):
        sample = samples.get(pair.id)
        can_draw = not (sample and sample.clip) and not busy
        shown.append(replace(describe(pair), sample=sample, can_draw=can_draw, waits=sample is not None and busy))
    base = samples.get("")
    return (*shown, *([SavedPair(id="", label="Base", sample=base)] if base and base.clip else []))
