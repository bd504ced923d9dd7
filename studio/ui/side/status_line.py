"""The left side: what this computer is doing: its meters, the jobs that run, and those that wait, for what and until when."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from studio.errors import Problem
from studio.jobs import launcher, state
from studio.jobs.kind import DOWNLOADS
from studio.jobs.turns import Turn, all_turns
from studio.machine import Gpu, Machine, free_disk_gb, read_machine
from studio.ui import actions, uploads
from studio.ui import formatting as f
from studio.ui.components import component
from studio.ui.page import Page
from studio.ui.views import View
from studio.workspace import Workspace

OF_NOBODY = f"{DOWNLOADS}:"  # before the id of a job that belongs to no project


@dataclass(frozen=True)
class Meter(View):
    """share: of what there is, 0 to 1, None for what has no limit; title: what is told when the mouse rests there."""

    label: str
    text: str
    share: float | None = None
    title: str = ""


@dataclass(frozen=True)
class JobLine(View):
    """A job that runs, as the status line tells of it. state: in words; verb: what its button says."""

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
class WaitingLine(View):
    """A job that waits. waits: for what, and until when; takes: how long it will take, or ""; up, down: whether it can be moved there."""

    id: str
    title: str
    project: str
    waits: str
    takes: str
    up: bool
    down: bool


@dataclass(frozen=True)
class StatusLine(View):
    """jobs: those that run, the GPU's first; waiting: those that wait, the next first; held: the queue of the GPU is paused."""

    meters: tuple[Meter, ...]
    jobs: tuple[JobLine, ...]
    waiting: tuple[WaitingLine, ...]
    held: bool


def build(page: Page) -> None:
    status = component("status")
    page.acts(status.go_on, lambda project: actions.go_on_with_queue(page, project), needs_project=False)
    page.acts(status.stop, lambda project, event: stop_job(page.workspace, event), needs_project=False)
    page.acts(status.move, lambda project, event: move_job(page.workspace, event), needs_project=False)
    page.reads(lambda project: [read_status_line(page.workspace)], [status], blank=[None])


def read_status_line(workspace: Workspace) -> StatusLine:
    """What the status line shows, with numbers rounded so that it changes only when a person would see it."""
    lines, waiting = [], []
    for home, prefix in ((workspace, ""), (workspace.downloads, OF_NOBODY)):
        jobs = state.list_jobs(home)
        lines += [job_line(job, prefix) for job in sorted(jobs, key=by_queue) if job.is_running or waits_elsewhere(job)]
        waiting += [waiting_line(turn, prefix) for turn in all_turns(home, jobs)]
    held = any(turn.held for turn in all_turns(workspace))
    return StatusLine(read_meters(workspace, read_machine()), tuple(lines), tuple(waiting), held)


def by_queue(job: state.JobStatus) -> tuple[str, tuple[float, float, str]]:
    return job.queue, job.order


def waits_elsewhere(job: state.JobStatus) -> bool:
    """Whether it waits in a terminal of its own."""
    return job.state == "queued" and not job.waits


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
    return JobLine(
        id=f"{prefix}{job.project.slug}/{job.name}",
        title=job.title,
        project=project_name(job),
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
    return "Stop and save" if job.kind == "train" else "Stop"


def waiting_line(turn: Turn, prefix: str = "") -> WaitingLine:
    job = turn.job
    takes = f"takes about {f.duration(job.expected_seconds)}" if job.expected_seconds else ""
    name = project_name(job)
    return WaitingLine(
        f"{prefix}{job.project.slug}/{job.name}", job.title, name, turn.words(), takes, turn.number > 1, turn.number < turn.of
    )


def project_name(job: state.JobStatus) -> str:
    project = job.project.facts_or_none()
    return project.name if project else ""


def job_of(workspace: Workspace, event: gr.EventData) -> state.JobStatus:
    """The job that an event of the status line is about. Problem where it is not there any more."""
    slug, _, run = str(event.id).removeprefix(OF_NOBODY).partition("/")
    project = workspace.download_jobs(slug) if str(event.id).startswith(OF_NOBODY) else workspace.project(slug)
    try:
        return state.read_status(project.run_dir(run))
    except FileNotFoundError as e:
        raise Problem("That job is not there any more.") from e


def stop_job(workspace: Workspace, event: gr.EventData) -> None:
    job = job_of(workspace, event)
    launcher.cancel(job.run_dir)
    if not job.project.workspace.is_downloads:
        uploads.clear(job.project)


def move_job(workspace: Workspace, event: gr.EventData) -> None:
    """Move a waiting job one place up (places -1) or down (1)."""
    if event.places not in (-1, 1):
        raise Problem("A job moves one place up or down.")
    launcher.move(job_of(workspace, event).run_dir, event.places)
