"""How the last import, captioning and check of photos ended, in words: from the jobs' results on disk, until the person dismisses it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from studio.data.captions.caption_report import REFUSED, CaptionNote, CaptionReport
from studio.data.incoming.import_report import FileGroup, ImportReport, LeftOut, Question, describe_group
from studio.data.incoming.survey import ENCODING, FOR_ALL
from studio.data.pieces.piece_report import PiecesReport, VideoReport
from studio.errors import Problem
from studio.facts import Facts
from studio.jobs import state
from studio.jobs.kind import find_kind, read_config
from studio.jobs.kinds.import_media import ImportJob
from studio.jobs.state import JobStatus
from studio.ui import formatting as f
from studio.ui import uploads
from studio.ui.actions import ask_about, find_button, queue
from studio.ui.uploads import stamp
from studio.ui.views import Button, View
from studio.workspace import Project

KINDS = ("import", "caption", "curate", "pieces", "stills")
KEPT = "The files that you dropped are kept until you go on with them, dismiss this, or drop others."
MOST_LINES = 200  # of one group; the rest is counted


@dataclass(frozen=True)
class Line(View):
    """One line; with an item it can be pressed to see that item, with answers it waits for one of them."""

    text: str
    item: str = ""
    files: tuple[str, ...] = ()  # that it is about
    answers: tuple["Choice", ...] = ()


@dataclass(frozen=True)
class Choice(View):
    """A button that answers what an import asked. name: of what it asked about; take: whether it comes in; encoding: how it is to be read."""

    label: str
    name: str
    take: bool
    encoding: str = ""


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


@dataclass(frozen=True)
class Reports(View):
    """How the newest job of each kind ended, the newest first."""

    reports: tuple[Report, ...]


def read_results(project: Project | None) -> Reports | None:
    """None if there is nothing to say (any more)."""
    if project is None:
        return None
    jobs = [job for job in state.list_jobs(project.workspace, project) if job.kind in KINDS]
    newest = {job.kind: job for job in reversed(jobs)}
    over = sorted((job for job in newest.values() if job.is_over), key=lambda job: -job.queued_at)
    dismissed = set(project.facts().dismissed) if over else set()
    reports = [describe(project, job) for job in over if stamp(job) not in dismissed]
    # a plain success is news until the next job; what a person should look at stays until they dismiss it
    told = tuple(report for report in reports if report.groups or report.tone == "bad" or report.name == jobs[0].name)
    return Reports(told) if told else None


def dismiss(project: Project, job: str) -> None:
    """Remember that this result was read; a job that runs again speaks again. Only the newest jobs' results are ever shown."""
    named = {stamp(other): other for other in state.list_jobs(project.workspace, project) if other.kind in KINDS}
    if job in named:
        kept = [old for old in project.facts().dismissed if old in named and named[old].kind != named[job].kind]
        project.update(dismissed=(*kept, job))


def describe(project: Project, job: JobStatus) -> Report:
    kind = find_kind(job.kind)
    result = job.read_result(kind.Result)
    report = Report(stamp(job), job.name, job.title, groups=tuple(groups_of(project, result)))
    if job.state == "done" and result is not None:
        again = isinstance(result, CaptionReport) and result.refused + result.failed > 1
        return replace(report, text=kind.describe_end(result), button=find_button("ask-again", job.name) if again else None)
    if job.state == "done":
        return replace(report, text=f"{job.title}: {f.STATES[job.state]}.")
    if job.error:
        rest = [f.sentence(part) for part in (job.error.cost, job.error.fix) if part]
        report = replace(report, text=f.sentence(job.error.message), fix=" ".join(rest), tone="bad")
    else:
        report = replace(report, text=f"{job.title}: {f.STATES[job.state]}.", fix="What was done is kept.")
    return with_button(project, job, report)


def with_button(project: Project, job: JobStatus, report: Report) -> Report:
    """The report of a job that did not finish. Files from a browser wait for it to go on; it is said how long."""
    paths = read_config(ImportJob, job.run_dir).paths if job.kind == "import" else ()
    if uploads.is_upload(project, paths) and not all(Path(path).exists() for path in paths):
        sentence = "The files that you dropped are not here any more; drop them once more, and those that are in are skipped."
        return replace(report, fix=sentence, button=find_button("upload"))
    if uploads.is_upload(project, paths):
        report = replace(report, fix=f"{report.fix} {KEPT}".strip())
    return replace(
        report, button=find_button("resume", job.name, "Go on" if job.kind == "caption" and job.state == "stopped" else "Try again")
    )


def groups_of(project: Project, result: Facts | None) -> list[Group]:
    """What to know of what a job did; nothing where the dataset itself shows it."""
    if isinstance(result, ImportReport):
        return import_groups(result, project.facts().name)
    if isinstance(result, PiecesReport):
        return group("Every second of it", video_lines(result.videos))
    return caption_groups(result) if isinstance(result, CaptionReport) else []


def import_groups(report: ImportReport, name: str) -> list[Group]:
    return [
        *group("Please say what these are", [question_line(question, name) for question in report.asked]),
        *group("Could not be used", [Line(f"{file.name}: {f.sentence(file.words)}") for file in report.rejected]),
        *group("Left out", [left_out_line(part) for part in report.left_out]),
        *group("Already there", [Line(f"{same.name} is the same as item {same.item_id}.", same.item_id) for same in report.duplicates]),
        *group("Long clips, second by second", video_lines(report.videos)),
        *group("Good to know", [Line(f"{file.name}: {f.sentence(file.words)}") for file in report.notes]),
    ]


def video_lines(videos: Sequence[VideoReport]) -> list[Line]:
    return [Line(f"{video.name}: {' '.join(video.sentences())}", video.item) for video in videos]


def question_line(question: Question, name: str) -> Line:
    is_text = question.code == FOR_ALL
    yes, no = ("It is their caption", "Leave it out") if is_text else (f"They show {name}", "Leave them out")
    choices = (Choice(yes, question.name, True), Choice(no, question.name, False))
    if question.code == ENCODING:
        ways = [Choice(f"{way.encoding}: {way.sample}", question.name, True, way.encoding) for way in question.readings]
        choices = (*ways, Choice("Leave out", question.name, False))
    return Line(f"{describe_group(question)}: {question.words}.", files=names_of(question), answers=choices)


def left_out_line(part: LeftOut) -> Line:
    choices = (Choice("Take them in", part.name, True),) if part.can_come else ()
    return Line(f"{describe_group(part)}: {f.sentence(part.words)}", files=names_of(part), answers=choices)


def names_of(part: FileGroup) -> tuple[str, ...]:
    """The files of a line that does not name them itself."""
    if part.files == (part.name,):
        return ()
    more = len(part.files) - MOST_LINES
    return (*part.files[:MOST_LINES], *([f"and {more:,} more"] if more > 0 else []))


def answer(project: Project, job: str, name: str, take: bool, encoding: str = "") -> str:
    """Go on with what an import left out or asked about, as the person says. `job` is the stamp of the report that they saw."""
    shown = next((other for other in state.list_jobs(project.workspace, project) if stamp(other) == job), None)
    if shown is not None and shown.kind == "caption":
        return ask_about(shown, (name,))
    if shown is None or shown.kind != "import":
        raise Problem("That import is not the last one any more.", fix="Look at the page, then do it again.")
    config, chosen = read_config(ImportJob, shown.run_dir), (name,)
    if not all(Path(path).exists() for path in config.paths):
        raise Problem("The files are not there any more.", fix="Import them again.")
    take_now, leave_now = (chosen, ()) if take else ((), chosen)
    config = replace(
        config,
        take=_with(config.take, take_now, leave_now),
        leave=_with(config.leave, leave_now, take_now),
        encodings={**config.encodings, name: encoding} if encoding else config.encodings,
        earlier=shown.name,
        created=0.0,
    )
    queue(project, config)
    return "They are being imported." if take else "They stay outside."


def _with(said: tuple[str, ...], more: tuple[str, ...], not_any_more: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in (*said, *more) if name not in not_any_more))


def caption_groups(report: CaptionReport) -> list[Group]:
    no_use = [note for note in report.notes if note.code == REFUSED]
    others = [note for note in report.notes if note.code != REFUSED]
    return [
        *group("The captioner's answer was no use", [refused_line(note) for note in no_use]),
        *group(
            "Please look at these",
            [Line(f"{note.id}: {f.sentence(note.text)}" if note.id else f.sentence(note.text), note.id) for note in others],
        ),
    ]


def refused_line(note: CaptionNote) -> Line:
    said = f" It said: {note.answer}" if note.answer else ""
    return Line(f"{note.id}: {f.sentence(note.text)}{said}", note.id, answers=(Choice("Ask again", note.id, True),))


def group(title: str, lines: Sequence[Line]) -> list[Group]:
    """A group of lines; none where there are none."""
    return [Group(title, len(lines), tuple(lines[:MOST_LINES]), max(0, len(lines) - MOST_LINES))] if lines else []
