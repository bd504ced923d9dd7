"""What actions do. Everybody else knows an action by its name; here it gets the words of its button, and where it leads or what it does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from studio.config import CaptionConfig, TrainConfig, from_dict, merge, to_dict
from studio.data.captions.caption_report import FAILED, REFUSED, CaptionReport
from studio.errors import Problem
from studio.jobs import launcher, state
from studio.jobs.kind import JobConfig, read_config
from studio.jobs.kinds.caption import CaptionJob, expect_seconds
from studio.jobs.kinds.curate import CurateJob
from studio.jobs.kinds.train import TrainJob
from studio.machine import read_machine
from studio.models.captioners.opening import why_not_ready
from studio.training.schedule import processes_for
from studio.ui import download_view
from studio.ui.views import ActingPage, Button, NextStep
from studio.workspace import Project

MEND_FIRST = NextStep("mend what is named above.")  # where the next step can't be read
# Actions of the browser: their words, and where they lead. "tab:train" shows a tab, "tab:dataset/about-person" opens a fold in it,
# "tab:dataset/about-person/model-folder" goes to a field in that, "click:" and a
# selector presses another control (components/shared.js).
IN_BROWSER = {
    "new-person": ("New person", "click:#new-person"),
    "open-dataset": ("Open Dataset", "tab:dataset"),
    "link-model": ("Choose its folder", "tab:dataset/about-person/model-folder"),
    "choose-model": ("Choose a base model", "tab:dataset/about-person"),
    "download-model": ("Download it", "click:#download-model"),
    "caption-settings": ("How captions are written", "tab:dataset/caption-settings"),
    "download-captioner": ("Download it", "click:#download-captioner"),
    "open-train": ("Open Train", "tab:train"),
    "open-evaluate": ("Open Evaluate", "tab:evaluate"),
    "open-comfyui": ("Choose ComfyUI's folder", "tab:evaluate/comfyui"),
    "guest-trigger": ("Say its trigger word", "tab:evaluate/guests/guest-trigger"),
    "guest-experts": ("Name its files", "tab:evaluate/guests/guest-files"),
    "open-settings": ("Open the settings", "tab:train/all-settings"),
    "open-log": ("Open the log", "tab:train"),
    "unfold-log": ("Open the log", "click:#train-log:not([open]) > summary"),
    "see-remarks": ("Show them", "click:#studio-grid [data-show=remark]"),
    "upload": ("Choose photos and clips", "click:#upload button, #upload input"),
    "start-training": ("Start training", "click:#start-training"),
    "new-sweep": ("Draw the test clips", "click:#start-sweep"),
    "start-sweep": ("Draw the test clips", "click:#start-sweep"),
}


def find_button(action: str, run: str = "", label: str = "") -> Button | None:
    """The button of an action by name; None for one that has none: another version of the studio may have written it.

    run: one that is about a run is about that one; label: other words than the usual ones.
    """
    if action in IN_BROWSER:
        usual, place = IN_BROWSER[action]
        return Button(action, label or usual, place=place)
    if action in ON_RUN:
        return Button(action, label or LABELS[action], run=run)
    return Button(action, label or LABELS[action]) if action in ON_SERVER else None


def next_new_person() -> NextStep:
    """The next step where there is no project."""
    return NextStep("make a project with New person, at the left.", button=find_button("new-person"))


def act(page: ActingPage, project: Project, action: str) -> str:
    """Do what an action names; its sentence. "resume:train-001" is about that run, "resume" alone about the newest training."""
    name, _, run = action.partition(":")
    if name in ON_RUN:
        job = state.read_status(project.run_dir(run)) if run else newest_train(project)
        if job is None:
            raise Problem("There is no training to go on with.")
        return ON_RUN[name](job)
    if action not in ON_SERVER:
        raise Problem(f"This button ({action}) is not known; reload the page.")
    return ON_SERVER[action](page, project)


def queue(project: Project, config: JobConfig, title: str = "", expected_seconds: float | None = None) -> Path:
    """Put a job in its queue and see that a worker takes it; its run folder. expected_seconds: how long it will take, None where nobody knows."""
    run_dir = launcher.enqueue(project, config, title, expected_seconds)
    launcher.ensure_worker(project.workspace)
    return run_dir


def is_busy(project: Project, kind: str) -> bool:
    """Whether a job of that kind waits or runs for this project: then a second one is not started."""
    return any(job.kind == kind and not job.is_over for job in state.list_jobs(project.workspace, project))


def write_captions(page: ActingPage, project: Project) -> str:
    if is_busy(project, "caption"):
        raise Problem("Captions are being written already.")
    if missing := download_view.read_captioner(project):
        raise Problem(f"{missing.title}.", fix="Get it with the button above, or write the captions by hand.", action="download-captioner")
    settings = caption_settings(project)
    if reason := why_not_ready(settings, project.facts().base_model, project.workspace, read_machine()):
        raise Problem(reason, fix="Choose another captioner, or write the captions by hand.", action="caption-settings")
    job = CaptionJob(config=to_dict(settings))
    queue(project, job, expected_seconds=expect_seconds(project, job))
    return "Captions are being written; the ones you wrote yourself stay as they are."


def ask_again(job: state.JobStatus) -> str:
    """Ask anew about every item of a caption job whose answer was no use."""
    result = job.read_result(CaptionReport)
    return ask_about(job, tuple(note.id for note in result.notes if note.code in (REFUSED, FAILED)) if result else ())


def ask_about(job: state.JobStatus, ids: tuple[str, ...]) -> str:
    """Ask anew about items of a caption job, in other words and for another answer than before."""
    if not ids:
        raise Problem("There is nothing left to ask about.")
    if is_busy(job.project, "caption"):
        raise Problem("Captions are being written already.", fix="Ask again when that is over.")
    asked = read_config(CaptionJob, job.run_dir)
    queue(job.project, CaptionJob(config=asked.config, only=ids, overwrite_auto=True, attempt=asked.attempt + 1))
    return "The captioner is asked again; captions that you wrote stay as they are."


def caption_settings(project: Project) -> CaptionConfig:
    """How captions are written: what the person chose, else as usual."""
    return from_dict(CaptionConfig, project.facts().caption_choice, "captions")


def check_photos(page: ActingPage, project: Project) -> str:
    if is_busy(project, "curate"):
        raise Problem("The photos are being checked already.")
    queue(project, CurateJob(), "Check photos")
    return "The photos are being checked; what you decided by hand stays as it is."


def go_on(job: state.JobStatus) -> str:
    """Put a job that ended too early back into the queue; a sentence about it."""
    launcher.resume(job.run_dir)
    launcher.ensure_worker(job.project.workspace)
    if job.kind != "train":
        return "It goes on."
    step = state.last_safe_step(job.run_dir)
    return f"{job.name} goes on from step {step:,}." if step else f"{job.name} starts over; it had no safety copy yet."


def halve_learning_rate(job: state.JobStatus) -> str:
    """Halve the learning speed of a training that broke down, and let it go on from its last safety copy."""
    settings = read_config(TrainJob, job.run_dir).config
    optimizer = settings["optimizer"]
    name = "prodigy_factor" if optimizer.get("name") == "prodigy" else "learning_rate"  # Prodigy finds the rate; the factor is the person's
    used = optimizer[name]
    change = {"optimizer": {name: used / 2}}
    from_dict(TrainConfig, merge(settings, change), "settings")  # its limits
    launcher.change_settings(job.run_dir, change)
    return f"The learning speed is {used / 2:g} now (it was {used:g}); {go_on(job)}"


def use_fewer_cards(job: state.JobStatus) -> str:
    """Let a training go on with the graphics cards that there are: one, or an even number of them."""
    count = processes_for(len(read_machine().gpus))
    launcher.change_settings(job.run_dir, {"processes": count})
    return f"It uses {count} graphics card{'s' if count > 1 else ''} now; {go_on(job)}"


def go_on_with_queue(page: ActingPage, project: Project | None) -> str:
    launcher.release_queue(page.workspace)
    launcher.ensure_worker(page.workspace)
    return "The queue goes on."


def newest_train(project: Project) -> state.JobStatus | None:
    jobs = [job for job in state.list_jobs(project.workspace, project) if job.kind == "train"]
    return jobs[0] if jobs else None


LABELS = {
    "write-captions": "Write captions",
    "check-photos": "Check photos",
    "resume": "Resume",
    "ask-again": "Ask again about all of these",
    "go-on-queue": "Let the queue go on",
    "halve-learning-rate": "Halve the learning speed and go on",
    "use-fewer-cards": "Go on with fewer graphics cards",
}
ON_SERVER: dict[str, Callable[[ActingPage, Project], str]] = {
    "write-captions": write_captions,
    "check-photos": check_photos,
    "go-on-queue": go_on_with_queue,
}
ON_RUN: dict[str, Callable[[state.JobStatus], str]] = {
    "resume": go_on,
    "ask-again": ask_again,
    "halve-learning-rate": halve_learning_rate,
    "use-fewer-cards": use_fewer_cards,
}
