"""What the Train tab shows of runs: the next step, the newest run, the list of all; only reads."""

from __future__ import annotations

import collections
import time
from dataclasses import dataclass, replace

from studio.data.dataset import kept_items
from studio.jobs import launcher, state
from studio.jobs.kind import read_config
from studio.jobs.kinds.train import TrainJob
from studio.models.preset import model_preset
from studio.training.pairs import Pair, list_pairs, list_run_pairs
from studio.training.plan.run_reports import FINISH_BY, TrainReport
from studio.ui import actions, download_view
from studio.ui import formatting as f
from studio.ui.actions import find_button
from studio.ui.evaluate import sample_clips as train_samples
from studio.ui.evaluate.sample_clips import SavedPair
from studio.ui.train import choice as train_choice
from studio.ui.train.expert_progress import Figure, Lane, RunNote, read_lanes, read_notes
from studio.ui.views import Button, NextStep, View
from studio.workspace import Project

PAUSED = " when the GPU is to be used again (no waiting job begins before)"
LOG_BYTES = 6000  # a page of the log


@dataclass(frozen=True)
class LookedAt:
    """The run that a window looks at instead of the newest one: while `newest` was that."""

    run: str = ""
    newest: str = ""


@dataclass(frozen=True)
class LogPage:
    """The page of a run's log that a window looks at: the lines before the byte `end`; the last ones for None."""

    run: str = ""
    end: int | None = None


@dataclass(frozen=True)
class JobProgress(View):
    """share: 0 to 1, None while it is not known; counted: so much of so much; stage: what is done now; left: how long it still takes."""

    share: float | None
    counted: str
    stage: str
    left: str


@dataclass(frozen=True)
class LogView(View):
    """begin: where the page before it ends, 0 for the first; end: where this one ends, None for the last."""

    text: str
    begin: int
    end: int | None


@dataclass(frozen=True)
class RunLine(View):
    """A run in the list of all. state: in words; resume: from which step it can go on, in words, or ""."""

    name: str
    when: str
    state: str
    steps: str
    pairs: str
    resume: str


@dataclass(frozen=True)
class Ending:
    """How a run stands: what ended it, what that cost, and the one thing to do. tone: "good", "bad" or ""."""

    title: str
    sentence: str
    tone: str = ""
    button: Button | None = None


@dataclass(frozen=True)
class RunView(View):
    """One run. state: of its job, as a name; state_words: the same for a person; pairs: the newest first, the base last."""

    run: str
    state: str
    state_words: str
    title: str
    sentence: str
    tone: str
    button: Button | None
    progress: JobProgress
    numbers: tuple[Figure, ...]
    lanes: tuple[Lane, ...]
    notes: tuple[RunNote, ...]
    pairs: tuple[SavedPair, ...]
    log: LogView | None
    is_newest: bool = True
    runs: tuple[RunLine, ...] = ()


# -- what to do next


def next_step(project: Project | None) -> NextStep:
    if project is None:
        return actions.next_new_person()
    job = actions.newest_train(project)
    if job and not job.is_over:
        return next_of_unfinished(project, job)
    if not kept_items(project):
        what = "clips" if model_preset(project.facts().base_model).takes_first_picture else "photos"
        return NextStep(f"add {what} first.", button=find_button("open-dataset"))
    if job and job.state != "done":
        return next_after_end(job)
    if actions.is_busy(project, "rehearse"):
        return NextStep("wait for the rehearsal; it takes minutes.")
    if list_pairs(project):
        return NextStep("compare the checkpoint pairs and choose the best one.", button=find_button("open-evaluate"))
    if missing := train_choice.what_is_missing(project):
        return NextStep(f"go on in Dataset. {missing}", button=find_button("open-dataset"))
    if missing := download_view.read_download(project):
        return wait_for_model(missing)
    return NextStep("check the plan, then start.", button=find_button("start-training"))


def next_of_unfinished(project: Project, job: state.JobStatus) -> NextStep:
    """The next step while a training waits or runs."""
    if job.is_running:
        return NextStep("wait; you may close this window, the training goes on.")
    if launcher.is_held(project.workspace):
        return NextStep("let the queue go on; it is paused.", button=find_button("go-on-queue"))
    return NextStep("wait for the job before this one.")


def next_after_end(job: state.JobStatus) -> NextStep:
    """The next step after a training that ended too early: the one that its error names, or that gets on."""
    action = way_on(job)
    words = {
        "resume": f"resume {job.name}{PAUSED if launcher.is_held(job.project.workspace) else ''}, or start anew below.",
        "halve-learning-rate": f"let {job.name} go on with half the learning speed, or start anew below.",
        "use-fewer-cards": f"let {job.name} go on with the graphics cards that there are, or start anew below.",
        "open-log": f"see why {job.name} ended; it can be resumed, or started anew below.",
    }
    button = find_button("unfold-log" if action == "open-log" else action)
    return NextStep(words.get(action, f"see why {job.name} ended, then start anew."), button=button)


def way_on(job: state.JobStatus) -> str:
    """The action that helps after a run: what its error names, else to go on where that is possible, else to begin anew."""
    if job.state == "done":
        return "open-evaluate"
    named = job.error.action if job.error else ""
    if job.state == "failed" and find_button(named):
        return named
    return "resume" if job.state in ("stopped", "crashed") or can_go_on(job) else "start-training"


def wait_for_model(missing: download_view.ModelPanel) -> NextStep:
    """The next step while the base model is not there."""
    if not missing.is_missing:
        return NextStep("wait for the base model; you may close this window, the download goes on.")
    if missing.offer and not missing.offer.prevented:
        return NextStep("get the base model.", button=find_button("download-model", label=missing.offer.label))
    return NextStep("get the base model; below is said what it needs.", button=find_button("link-model"))


# -- running and after


def read_run(project: Project | None, chosen: LookedAt | None = None, log: LogPage | None = None) -> RunView | None:
    """The newest training of the project, or the one chosen while that was the newest, with the list of all; None if there is none.

    A training that was started since comes to the front by itself. Without a page of the log, or with one of another run: its end.
    """
    jobs, chosen, log = list_trainings(project) if project else [], chosen or LookedAt(), log or LogPage()
    if project is None or not jobs:
        return None
    job = next((job for job in jobs if job.name == chosen.run and jobs[0].name == chosen.newest), jobs[0])
    view = describe_run(project, job, log.end if log.run == job.name else None)
    view = replace(view, is_newest=job == jobs[0], runs=describe_trainings(project, jobs))
    if view.is_newest and is_same(view.button, next_step(project).button):
        return replace(view, button=None)  # one button is enough, and it stands in "Next"
    return view


def is_same(first: Button | None, second: Button | None) -> bool:
    """Whether two buttons do the same, one of them perhaps of a run that the other one has in mind."""
    if first is None or second is None:
        return False
    return first.name == second.name or first.place == second.place != ""


def list_trainings(project: Project) -> list[state.JobStatus]:
    return [job for job in state.list_jobs(project.workspace, project) if job.kind == "train"]


def describe_trainings(project: Project, jobs: list[state.JobStatus]) -> tuple[RunLine, ...]:
    """The list of runs, the newest first: name, when, state, steps, pairs, and whether each can go on."""
    if len(jobs) < 2 and not can_go_on(jobs[0]):
        return ()  # the one there is stands above already
    pairs = collections.Counter(pair.run for pair in list_pairs(project))
    return tuple(describe_training(job, pairs[job.name]) for job in jobs)


def describe_training(job: state.JobStatus, num_pairs: int) -> RunLine:
    report = job.read_result(TrainReport)
    done, total = (report and report.step) or job.progress.done or 0, job.progress.total
    step = state.last_safe_step(job.run_dir) if can_go_on(job) else 0
    return RunLine(
        name=job.name,
        when=when(job.started_at or job.queued_at),
        state=f.STATES[job.state],
        steps=f"{done:,} of {total:,} steps" if total else "no steps yet",
        pairs=f.count(num_pairs, "pair") if num_pairs else "no pairs",
        resume=f"from step {step:,}" if step else "",
    )


def can_go_on(job: state.JobStatus) -> bool:
    """Whether a training ended too early and has a safety copy to go on from."""
    return job.can_resume and state.last_safe_step(job.run_dir) > 0


def when(seconds: float) -> str:
    return time.strftime("%d %b %H:%M", time.localtime(seconds)).lstrip("0")


def describe_run(project: Project, job: state.JobStatus, log_end: int | None = None) -> RunView:
    """One run by itself; log_end: where the page of the log ends that is looked at."""
    lanes, numbers = read_lanes(job, read_config(TrainJob, job.run_dir))
    ending = describe_end(project, job)
    return RunView(
        run=job.name,
        state=job.state,
        state_words=f.STATES[job.state],
        title=ending.title,
        sentence=ending.sentence,
        tone=ending.tone,
        button=ending.button,
        progress=job_progress(job),
        numbers=numbers,
        lanes=lanes,
        notes=read_notes(job),
        pairs=train_samples.describe_pairs(project, list_run_pairs(job.run_dir), describe_pair),
        log=describe_log(job, log_end),
    )


def describe_log(job: state.JobStatus, end: int | None) -> LogView | None:
    """A page of the log; None while there is none."""
    end = end if end and end > 0 else None
    text, begin = state.read_log_page(job.run_dir, end, LOG_BYTES)
    return LogView(text, begin, end) if text or end else None


def job_progress(job: state.JobStatus) -> JobProgress:
    words = [job.progress.stage or "", job.progress.message or ""]
    return JobProgress(
        share=None if job.fraction is None else round(job.fraction, 3),
        counted=count_progress(job.progress),
        stage=" · ".join(word for word in words if word),
        left=f.time_left(job.seconds_left) if job.is_running else "",
    )


def count_progress(progress: state.Progress) -> str:
    """Step 120 of 500; a training is at a step, other jobs have done so many of what they count."""
    done, total, unit = progress.done, progress.total, progress.unit or "steps"
    if not total or done is None:
        return ""
    word = "Step" if unit == "steps" else unit[:1].upper() + unit[1:]
    return f"{word} {f.amount(done)} of {f.amount(total)}"


def describe_pair(pair: Pair) -> SavedPair:
    folder = pair.folder
    made = time.strftime("%a %H:%M", time.localtime(folder.stat().st_mtime)) if folder.exists() else ""
    size = sum(path.stat().st_size for path in pair.files.values() if path.exists())
    return SavedPair(pair.id, f"Step {pair.step:,}", pair.run, made, f.file_size(size))


def ended_in_time(job: state.JobStatus) -> bool:
    """Whether it was stopped by its "finish by"."""
    report = job.read_result(TrainReport)
    return report is not None and report.stopped_by == FINISH_BY


def describe_end(project: Project, job: state.JobStatus) -> Ending:
    name = job.title
    if job.state == "queued":
        is_held = launcher.is_held(project.workspace)
        button = find_button("go-on-queue") if is_held else None
        return Ending(name, "Waits: the queue is paused." if is_held else "Waits in the queue.", button=button)
    if job.is_running:
        return Ending(name, "Saves a safety copy and stops." if job.state == "stopping" else job.notice)
    if job.state == "done":
        took = f" in {f.duration(job.seconds)}" if job.seconds else ""
        return Ending(f"{name}: finished{took}", "Now compare the pairs.", "good", find_button(way_on(job)))
    if job.state == "stopped" and ended_in_time(job):
        sentence = "It was to be finished by now; a pair is saved, and it can go on."
        return Ending(f"{name}: ended in time", sentence, "good", find_button("resume", job.name))
    if job.state == "stopped":
        return Ending(f"{name}: stopped", "It was stopped and saved; nothing is lost.", "", find_button(way_on(job), job.name))
    return Ending(f"{name}: {f.STATES[job.state]}", f.in_sentences(job.error), "bad", find_button(way_on(job), job.name))
