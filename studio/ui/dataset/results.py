"""How the last import, captioning and check of photos ended, in words: from the jobs' results on disk, until the person dismisses it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from studio.data.reports.caption_report import CaptionReport
from studio.data.reports.import_report import ImportReport
from studio.facts import Facts
from studio.jobs import state
from studio.jobs.kind import find_kind, read_config
from studio.jobs.kinds.import_media import ImportJob
from studio.jobs.state import JobStatus
from studio.ui import formatting as f
from studio.ui import uploads
from studio.ui.actions import find_button
from studio.ui.views import Button, View
from studio.workspace import Project

KINDS = ("import", "caption", "curate")
MOST_LINES = 200  # of one group; the rest is counted


@dataclass(frozen=True)
class Line(View):
    """One line; with an item it can be pressed to see that item."""

    text: str
    item: str = ""


@dataclass(frozen=True)
class Group(View):
    title: str
    count: int
    lines: tuple[Line, ...]
    more: int  # lines that are only counted


@dataclass(frozen=True)
class Report(View):
    """How one job ended: a sentence, lists of what to know, a button or none."""

    job: str  # its `stamp`
    name: str
    title: str
    tone: str = "done"
    text: str = ""
    fix: str = ""
    groups: tuple[Group, ...] = ()
    button: Button | None = None


def read_results(project: Project | None) -> dict[str, Any]:
    """{"reports": [...]} of the newest job of each kind, the newest first; {} if there is nothing to say (any more)."""
    if project is None:
        return {}
    jobs = [job for job in state.list_jobs(project.workspace, project) if job.kind in KINDS]
    newest = {job.kind: job for job in reversed(jobs)}
    over = sorted((job for job in newest.values() if job.is_over), key=lambda job: -job.queued_at)
    dismissed = set(project.facts().dismissed) if over else set()
    reports = [describe(project, job) for job in over if stamp(job) not in dismissed]
    # a plain success is news until the next job; what a person should look at stays until they dismiss it
    reports = [report for report in reports if report.groups or report.tone == "bad" or report.name == jobs[0].name]
    return {"reports": [report.to_json() for report in reports]} if reports else {}


def dismiss(project: Project, job: str) -> None:
    """Remember that this result was read; a job that runs again speaks again. Only the newest jobs' results are ever shown."""
    named = {stamp(other): other for other in state.list_jobs(project.workspace, project) if other.kind in KINDS}
    if job in named:
        kept = [old for old in project.facts().dismissed if old in named and named[old].kind != named[job].kind]
        project.update(dismissed=(*kept, job))


def stamp(job: JobStatus) -> str:
    return f"{job.name}@{job.queued_at:.3f}"


def describe(project: Project, job: JobStatus) -> Report:
    kind = find_kind(job.kind)
    result = job.read_result(kind.Result)
    report = Report(stamp(job), job.name, job.title, groups=tuple(groups_of(result)))
    if job.state == "done" and result is not None:
        return replace(report, text=kind.describe_end(result))
    if job.state == "done":
        return replace(report, text=f"{job.title}: {f.STATES[job.state]}.")
    if job.error:
        rest = [f.sentence(part) for part in (job.error.cost, job.error.fix) if part]
        report = replace(report, text=f.sentence(job.error.message), fix=" ".join(rest), tone="bad")
    else:
        report = replace(report, text=f"{job.title}: {f.STATES[job.state]}.", fix="What was done is kept.")
    return with_button(project, job, report)


def with_button(project: Project, job: JobStatus, report: Report) -> Report:
    """The report of a job that did not finish; files from a browser are gone, so they have to be dropped once more."""
    if job.kind == "import" and uploads.is_upload(project, read_config(ImportJob, job.run_dir).paths):
        sentence = "The files sent by the browser were deleted again; drop them once more, and those that are here are skipped."
        return replace(report, fix=sentence, button=find_button("upload"))
    return replace(report, button=find_button("resume", job.name, "Try again"))


def groups_of(result: Facts | None) -> list[Group]:
    """What to know of what a job did; nothing where the dataset itself shows it."""
    if isinstance(result, ImportReport):
        return import_groups(result)
    return caption_groups(result) if isinstance(result, CaptionReport) else []


def import_groups(report: ImportReport) -> list[Group]:
    return [
        *group("Could not be used", [Line(f"{file.name}: {f.sentence(file.words)}") for file in report.rejected]),
        *group("Already there", [Line(f"{same.name} is the same as item {same.item_id}.", same.item_id) for same in report.duplicates]),
        *group("Good to know", [Line(f"{file.name}: {f.sentence(file.words)}") for file in report.notes]),
    ]


def caption_groups(report: CaptionReport) -> list[Group]:
    return group("Please look at these", [Line(f"{note.id}: {f.sentence(note.text)}", note.id) for note in report.notes])


def group(title: str, lines: Sequence[Line]) -> list[Group]:
    """A group of lines; none where there are none."""
    return [Group(title, len(lines), tuple(lines[:MOST_LINES]), max(0, len(lines) - MOST_LINES))] if lines else []
