"""The left side: which person, a new person, and what the computer is doing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.data.captions.rules import check_trigger, suggest_trigger
from studio.errors import NewerFormat, Problem
from studio.jobs import launcher, state
from studio.machine import Gpu, Machine, free_disk_gb, read_machine
from studio.models.catalogue import models_to_choose
from studio.models.presence import Presence
from studio.models.preset import list_models, model_preset
from studio.project_facts import Permission
from studio.ui import actions, download_view, uploads
from studio.ui import formatting as f
from studio.ui.components import component
from studio.ui.page import Page, Seen, quietly
from studio.ui.views import View
from studio.workspace import Project, Workspace

PERMISSION = "I am this person, or they agreed that I train a model of them and make pictures with it."
CLASSES = ("person", "woman", "man", "girl", "boy")
CLIPS_ALONE = "It carries first pictures on, and learns from clips alone."
DOWNLOADS = "downloads:"  # before the id of a job that belongs to no project


@dataclass(frozen=True)
class ModelChoice(View):
    """A base model in the dialog. reason: what is to be known of it, in sentences."""

    name: str
    title: str
    available: bool
    reason: str
    download: download_view.Offer | None = None


@dataclass(frozen=True)
class NewPersonDialog(View):
    models: tuple[ModelChoice, ...]
    classes: tuple[str, ...]
    permission: str


@dataclass(frozen=True)
class Meter(View):
    """share: of what there is, 0 to 1, None for what has no limit; title: what is told when the mouse rests there."""

    label: str
    text: str
    share: float | None = None
    title: str = ""


@dataclass(frozen=True)
class JobLine(View):
    """A job, as the status line tells of it. state: in words; verb: what its button says."""

    id: str
    title: str
    project: str
    state: str
    share: float | None
    counted: str
    message: str
    left: str
    can_stop: bool
    verb: str


@dataclass(frozen=True)
class StatusLine(View):
    """waiting: how many jobs after the shown one; held: the queue is paused."""

    meters: tuple[Meter, ...]
    job: JobLine | None
    waiting: int
    held: bool
    download: JobLine | None


def build(page: Page) -> None:
    gr.HTML('<h1 class="brand">Likeness Studio</h1>', apply_default_css=False)
    page.project = gr.Dropdown([], label="Project", elem_id="project", container=True, filterable=False)

    def list_models_live(_: str) -> list[dict[str, Any]]:
        """The base models as they are now: one may have come since the page was made."""
        return [choice.to_json() for choice in model_choices(page.workspace)]

    live = [check_trigger_live, suggest_trigger_live, list_models_live]
    dialog = component("new_person", new_person_options(page.workspace), server_functions=live)
    status = component("status")
    page.acts(dialog.create, lambda project, event: open_new(page.workspace, event), [], [page.project], needs_project=False)
    page.acts(dialog.download, lambda project, event: start_download(page.workspace, event), needs_project=False)
    page.acts(status.go_on, lambda project: actions.go_on_with_queue(page, project), needs_project=False)
    page.acts(status.stop, lambda project, event: stop_job(page.workspace, event), needs_project=False)
    page.reads(lambda project: [read_chooser(page.workspace, project)], [page.project], blank=[gr.skip()])
    page.reads(lambda project: [read_status_line(page.workspace)], [status], blank=[None])
    page.warns(why_read_only, tab="")


def restore(page: Page, demo: gr.Blocks, tabs: gr.Tabs) -> None:
    """At page load: the project and the tab that this browser showed last, if they still exist."""
    first = {"project": "", "tab": page.tab_items[0].id}
    remembered = gr.BrowserState(first, storage_key="likeness-studio", secret="likeness-studio")  # which project was open; nothing private

    def open_page(last: dict[str, Any]) -> tuple[Any, ...]:
        choices = project_choices(page.workspace)
        slugs = [slug for _, slug in choices]
        slug = last.get("project") if last.get("project") in slugs else (slugs or [None])[0]
        tab = next((tab.id for tab in page.tab_items if tab.id == last.get("tab")), page.tab_items[0].id)
        return gr.update(choices=choices, value=slug), tab, gr.update(selected=tab), Seen(slug, fresh=True)

    page.done.append(quietly(demo.load, open_page, remembered, [page.project, page.tab, tabs, page.seen]))

    def note(slug: str | None, tab: str, seen: Seen | None) -> Any:
        return {"project": slug, "tab": tab} if slug and seen else gr.skip()

    shown = [page.project, page.tab, page.seen]
    quietly(page.project.change, note, shown, remembered)
    for tab in page.tab_items:
        opened = quietly(tab.select, lambda name=tab.id: name, None, page.tab)
        quietly(opened.then, note, shown, remembered)
        page.done.append(opened)


def read_chooser(workspace: Workspace, project: Project | None) -> Any:
    """The projects there are now; the first one is chosen where none is (any more)."""
    choices = project_choices(workspace)
    return gr.update(choices=choices, value=choices[0][1]) if project is None and choices else gr.update(choices=choices)


def why_read_only(project: Project | None) -> list[Problem]:
    """That a newer version of the studio made the project, so that it can only be looked at."""
    facts = project.facts_or_none() if project else None
    return [NewerFormat(facts.name)] if facts and facts.is_newer else []


def project_choices(workspace: Workspace) -> list[tuple[str, str]]:
    """(name, slug) of every project; two of the same name are told apart by their folder. A damaged one comes last: its page says what to do."""
    found = [(project.facts_or_none(), project.slug) for project in workspace.list_projects()]
    named = [(facts.name if facts else slug, slug) for facts, slug in found]
    names = [name for name, _ in named]
    damaged = [(f"{damaged.name} (damaged)", damaged.name) for damaged in workspace.damaged_projects()]
    return [(name if names.count(name) == 1 else f"{name} ({slug})", slug) for name, slug in named] + damaged


# -- a new person


def new_person_options(workspace: Workspace) -> NewPersonDialog:
    return NewPersonDialog(tuple(model_choices(workspace)), CLASSES, PERMISSION)


def model_choices(workspace: Workspace) -> list[ModelChoice]:
    return [describe_choice(model, workspace) for model in sorted(models_to_choose(workspace), key=rank_of_choice)]


def rank_of_choice(model: Presence) -> tuple[bool, bool, bool]:
    """What is here comes first, then what knows real people, then what learns from photos too."""
    preset = model_preset(model.name)
    return not model.available, preset.is_built_in, preset.takes_first_picture


def describe_choice(model: Presence, workspace: Workspace) -> ModelChoice:
    reason, offered = model.reason, None
    if not model.available:
        told, offered = offer_download(model.name, workspace)
        reason = told or reason
    if model_preset(model.name).takes_first_picture:
        reason = f"{reason or 'Ready to use.'} {CLIPS_ALONE}"
    return ModelChoice(model.name, model.title, model.available, reason, offered)


def offer_download(name: str, workspace: Workspace) -> tuple[str, download_view.Offer | None]:
    """(what is said of a model that is not here, or "" for what the catalogue says; the download). One that runs already has no button."""
    job = download_view.newest_job(name, workspace)
    if job and not job.is_over:
        running = download_view.describe_running(job)
        return f"It is being downloaded: {running.counted}. {running.left}".strip(), None
    offered = download_view.offer(name, workspace)
    return "Not on this computer yet." if offered and not offered.here else "", offered


def start_download(workspace: Workspace, event: gr.EventData) -> str:
    if event.model not in list_models():
        raise Problem("There is no such base model.")
    return download_view.start(event.model, workspace)


def check_trigger_live(trigger: str) -> list[str]:
    """What is wrong with a trigger, while it is typed; [] when it is good."""
    text = str(trigger or "").strip()
    return [remark.words for remark in check_trigger(text)] if text else []


def suggest_trigger_live(name: str) -> str:
    """A made-up word for that name."""
    return suggest_trigger(str(name or ""))


def open_new(workspace: Workspace, event: gr.EventData) -> list[Any]:
    """Make the project and show it."""
    slug = create(workspace, event)
    return [gr.update(choices=project_choices(workspace), value=slug)]


def create(workspace: Workspace, event: gr.EventData) -> str:
    """A project from the dialog's answers; its slug."""
    name, trigger, noun, base = (str(getattr(event, part)).strip() for part in ("name", "trigger", "class_noun", "base_model"))
    if remarks := check_trigger(trigger):
        raise Problem(remarks[0].words, fix="Choose another trigger word.")
    if event.permission is not True:
        raise Problem("A model of a person needs that person's permission.", fix="Tick the box if you have it.")
    if base not in list_models():
        raise Problem(f"There is no base model {base!r}.")
    permission = Permission(granted=True, statement=PERMISSION, time=time.time())
    made = workspace.create_project(name, trigger=trigger, class_noun=noun or "person", base_model=base, permission=permission)
    return made.slug


# -- the status line


def read_status_line(workspace: Workspace) -> StatusLine:
    """What the status line shows, with numbers rounded so that it changes only when a person would see it."""
    waiting = len(state.queued_jobs(workspace))
    job = state.current_job(workspace)
    download = state.current_job(workspace.downloads)  # it runs beside the others
    return StatusLine(
        meters=read_meters(workspace, read_machine()),
        job=job_line(job) if job else None,
        waiting=waiting - bool(job and job.state == "queued"),
        held=bool(waiting) and launcher.is_held(workspace),
        download=job_line(download, DOWNLOADS) if download else None,
    )


def read_meters(workspace: Workspace, machine: Machine) -> tuple[Meter, ...]:
    used = machine.ram_total_gb - machine.ram_free_gb
    ram = Meter("RAM", f"{used:.1f} of {machine.ram_total_gb:.0f} GB", round(used / machine.ram_total_gb, 2))
    gpus = [meter for gpu in machine.gpus for meter in gpu_meters(gpu)] or [Meter("GPU", "none found; the processor is used")]
    return (*gpus, ram, Meter("Disk", f"{free_disk_gb(workspace.home):.0f} GB free"))


def gpu_meters(gpu: Gpu) -> tuple[Meter, Meter]:
    """Its name and its memory; which programs hold it is told when the mouse rests there."""
    used, name, title = gpu.vram_total_gb - gpu.vram_free_gb, gpu.name.removeprefix("NVIDIA ").removeprefix("GeForce "), gpu.describe()
    memory = Meter("VRAM", f"{used:.1f} of {gpu.vram_total_gb:.0f} GB", round(used / gpu.vram_total_gb, 2), title)
    return Meter("GPU", name, title=title), memory


def job_line(job: state.JobStatus, prefix: str = "") -> JobLine:
    """prefix: before its id, for a job that belongs to no project."""
    project = job.project.facts_or_none()
    return JobLine(
        id=f"{prefix}{job.project.slug}/{job.name}",
        title=job.title,
        project=project.name if project else "",
        state=f.STATES[job.state],
        share=None if job.fraction is None else round(job.fraction, 3),
        counted=count_done(job.progress),
        message=job.progress.message or "",
        left=f.time_left(job.seconds_left) if job.state == "running" else "",
        can_stop=job.state in ("queued", "running"),
        verb=verb_of(job),
    )


def count_done(progress: state.Progress) -> str:
    """120 of 500 steps"""
    if not progress.total:
        return ""
    return f"{f.amount(progress.done or 0)} of {f.amount(progress.total)} {progress.unit}".strip()


def verb_of(job: state.JobStatus) -> str:
    """What the button says that ends a job."""
    if job.state == "queued":
        return "Take out of the queue"
    return "Stop and save" if job.kind == "train" else "Stop"


def stop_job(workspace: Workspace, event: gr.EventData) -> None:
    slug, _, run = str(event.id).removeprefix(DOWNLOADS).partition("/")
    if str(event.id).startswith(DOWNLOADS):
        launcher.cancel(workspace.download_jobs(slug).run_dir(run))
    else:
        project = workspace.project(slug)
        launcher.cancel(project.run_dir(run))
        uploads.clear(project)
