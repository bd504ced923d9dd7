"""A base model or captioner that is not on this computer: what a download takes, from where, how far it is, how it ended; and its buttons."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace

import gradio as gr

from studio.data.dataset import kept_items
from studio.errors import Problem
from studio.jobs import launcher, state
from studio.jobs.kind import read_config
from studio.jobs.kinds.download import DownloadJob
from studio.machine import read_machine
from studio.models.captioners.opening import find_wanted
from studio.models.catalogue import describe_model, find_model
from studio.models.fetch import offers as sources
from studio.models.fetch.fetchable import About, describe, find_fetchable, is_fetchable, kind_of
from studio.models.fetch.offers import RESERVE_GB, describe_download
from studio.models.preset import model_preset
from studio.ui import formatting as f
from studio.ui.views import ActingPage, View
from studio.workspace import Project, Workspace

USUAL_MBIT = 100  # a second; only to give an idea of the time
MISSING = "missing"  # the state of a panel whose download has not begun, or broke off; else it is the job's


@dataclass(frozen=True)
class Hub(View):
    """Where downloads come from. fixed: why that can't be changed here, or ""."""

    mirror: str
    offline: bool
    fixed: str


@dataclass(frozen=True)
class Offer(View):
    """A download that has not begun, or broke off. here: part of it is; facts: (what, how much); prevented: why it can't be started, or ""."""

    model: str
    here: bool
    label: str
    facts: tuple[tuple[str, str], ...]
    prevented: str


@dataclass(frozen=True)
class Running(View):
    """A download that waits or runs. state: in words; share: 0 to 1, None while it is not known."""

    run: str
    state: str
    is_running: bool
    share: float | None
    counted: str
    message: str
    left: str
    can_stop: bool


@dataclass(frozen=True)
class ModelPanel(View):
    """What is shown about a model that is not there. what: "model" or "captioner"; state: MISSING, or the download's."""

    what: str
    title: str
    state: str
    about: str = ""
    sentence: str = ""
    hub: Hub | None = None
    offer: Offer | None = None
    running: Running | None = None

    @property
    def is_missing(self) -> bool:
        return self.state == MISSING


def read_download(project: Project | None) -> ModelPanel | None:
    """What the Train tab shows about the project's base model; None if it is there."""
    if project is None:
        return None
    preset = model_preset(project.facts().base_model)  # Problem in the words of every other part where it is not known
    return read_model(preset.name, project.workspace)


def read_captioner(project: Project | None) -> ModelPanel | None:
    """What the Dataset tab shows about the captioner, while there is something to caption or it is on its way; None if there is nothing to say."""
    if project is None or not (name := captioner_of(project)):
        return None
    found = read_model(name, project.workspace)
    if found is None or lies_in_base_model(project):
        return None
    is_wanted = not found.is_missing or any(not item.caption for item in kept_items(project))
    return replace(found, about=find_fetchable(name).about.description) if is_wanted else None


def captioner_of(project: Project) -> str:
    """The name of the captioner that the project uses and that can be fetched; "" if its base model brings one, or the person has their own."""
    facts = project.facts()
    name = find_wanted(str(facts.caption_choice.get("captioner", "")), facts.base_model, read_machine()).name
    return name if name and is_fetchable(name) else ""


def lies_in_base_model(project: Project) -> bool:
    """Whether somebody put the captioner into the base model's own folder."""
    try:
        return find_model(project.facts().base_model, project.workspace).captioner.parent != project.workspace.models_dir
    except Problem:  # no base model yet
        return False


def read_model(name: str, workspace: Workspace) -> ModelPanel | None:
    """What is shown about a model that is not there: what a download takes, or how far it is; None if it is there."""
    model, job = describe(name, workspace), newest_job(name, workspace)
    if model.available:
        return None
    what = kind_of(name).ID
    if job and not job.is_over:
        return ModelPanel(what, job.title, job.state, running=describe_running(job))
    ended = job if job and job.state != "done" else None
    title = f"{ended.title}: {f.STATES[ended.state]}" if ended else f"{model.title} is not on this computer"
    offered = offer(name, workspace)
    reason = "" if offered and not offered.here else model.reason  # what is said beside the button need not be said twice
    return ModelPanel(what, title, MISSING, sentence=how_it_ended(ended) or reason, hub=read_hub(workspace), offer=offered)


def read_hub(workspace: Workspace) -> Hub:
    """Where downloads come from, and why that can't be changed here."""
    mirror, is_offline = workspace.facts().hub_mirror, sources.is_offline(workspace)
    fixed = []
    if os.environ.get("HF_ENDPOINT"):
        fixed.append("HF_ENDPOINT of this computer names the address, and comes before this one.")
    if is_offline and not workspace.facts().hub_offline:
        fixed.append("HF_HUB_OFFLINE of this computer keeps the studio offline; start it without.")
    return Hub(mirror, is_offline, " ".join(fixed))


def save_hub(workspace: Workspace, mirror: object, is_offline: object) -> str:
    """Remember from where downloads come, and whether there are any; a sentence about it."""
    sources.set_hub(workspace, mirror=str(mirror or ""), offline=bool(is_offline))
    if sources.is_offline(workspace):
        return "The offline mode is on: nothing is downloaded."
    return f"Downloads come from {sources.endpoint(workspace)}."


def why_not_ready(name: str, workspace: Workspace) -> tuple[str, str]:
    """(sentence, action) for a training that can't begin because its base model is not there; ("", "") if it is."""
    model = describe_model(name, workspace)
    if model.available:
        return "", ""
    job = newest_job(name, workspace)
    if job and not job.is_over:
        return f"{model.title} is being downloaded.", ""
    offered = offer(name, workspace)
    if offered and not offered.here:
        return f"{model.title} is not ready: it is not on this computer yet.", "download-model"
    return f"{model.title} is not ready. {model.reason}", "download-model" if offered else ""


def newest_job(name: str, workspace: Workspace) -> state.JobStatus | None:
    jobs = state.list_jobs(workspace.downloads, workspace.download_jobs(name))
    return jobs[0] if jobs else None


def describe_running(job: state.JobStatus) -> Running:
    progress = job.progress
    counted = f"{progress.done or 0:g} of {progress.total:g} {progress.unit}" if progress.total else "Begins"
    is_running = job.state == "running"
    return Running(
        run=job.name,
        state=f.STATES[job.state],
        is_running=is_running,
        share=None if job.fraction is None else round(job.fraction, 3),
        counted=counted,
        message=progress.message or "",
        left=f.time_left(job.seconds_left) if is_running else "",
        can_stop=job.state in ("queued", "running"),
    )


def how_it_ended(job: state.JobStatus | None) -> str:
    if job is None:
        return ""
    if job.state == "stopped":
        return "You stopped it; what was fetched is kept."
    return f.in_sentences(job.error)


def offer(name: str, workspace: Workspace) -> Offer | None:
    """What a download takes that has not begun, or broke off; None for a model that comes from nowhere."""
    offered = describe_download(name, workspace)
    about = offered.about
    if not about.repository:
        return None
    size, here, free = about.download_gb, offered.here_gb, offered.free_gb
    left = max(0.0, size - here)
    has_part = here >= 0.1
    facts = (
        ("Size", f"about {f.gigabytes(size)}" + (f", {f.gigabytes(here)} of it are here" if has_part else "")),
        ("Free space", f"{f.gigabytes(float(round(free)))}; {RESERVE_GB:g} GB of it stay free"),
        ("Time", f"about {f.duration(left * 8e3 / USUAL_MBIT)} at {USUAL_MBIT} Mbit/s; you may stop it, and close this window"),
        ("From", f"{offered.host or 'nowhere: offline'}, {about.repository}"),
        ("Into", str(offered.folder)),
        ("Licence", about.licence or f"see the page of {about.repository}"),
    )
    if sources.needs_a_look(about):
        return offer_a_look(name, about, offered)
    label = f"Go on with the download ({f.gigabytes(left)} left)" if has_part else f"Download it ({f.gigabytes(size)})"
    return Offer(name, here > 0, label, facts, offered.prevented)


def offer_a_look(name: str, about: About, offered: sources.Offer) -> Offer:
    """Of a repository that nobody here knows: first the hub is asked what it is."""
    facts = (
        ("Size", "not known before the hub is asked"),
        ("Licence", "not known before the hub is asked"),
        ("From", f"{offered.host or 'nowhere: offline'}, {about.repository}"),
        ("Into", str(offered.folder)),
    )
    return Offer(name, False, "Look it up (size and licence)", facts, offered.prevented)


def start(name: str, workspace: Workspace) -> str:
    """Put the download in its queue, or go on with the one that broke off; a sentence about it."""
    title = find_fetchable(name).about.title
    if describe(name, workspace).available:
        return f"{title} is here already."
    job = newest_job(name, workspace)
    if job and not job.is_over:
        raise Problem(f"{title} is being downloaded already.")
    if prevented := describe_download(name, workspace).prevented:
        raise Problem(prevented)
    if sources.needs_a_look(sources.find_about(name, workspace)):
        launcher.enqueue(workspace.download_jobs(name), DownloadJob(model=name, look_only=True), f"Look up {title}")
        launcher.ensure_worker(workspace.downloads)
        return f"{title} is being looked up; nothing is fetched yet."
    if job and job.can_resume and not read_config(DownloadJob, job.run_dir).look_only:
        launcher.resume(job.run_dir)
    else:
        launcher.enqueue(workspace.download_jobs(name), DownloadJob(model=name), f"Download {title}")
    launcher.ensure_worker(workspace.downloads)
    return f"{title} is being downloaded; you may close this window, it goes on."


def connect(page: ActingPage, panel: gr.HTML, name_of: Callable[[Project], str]) -> None:
    """The panel's buttons; name_of(project): the model that it is about."""
    page.acts(panel.start, lambda project, event: start(name_of(project), project.workspace))
    page.acts(panel.stop, lambda project, event: stop(name_of(project), project.workspace))
    page.acts(panel.hub, lambda project, event: save_hub(project.workspace, event.mirror, event.offline))


def stop(name: str, workspace: Workspace) -> None:
    job = newest_job(name, workspace)
    if job:
        launcher.cancel(job.run_dir)
