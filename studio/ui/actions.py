"""What the buttons of a notice or a "Next" line do. "tab:" and "click:" happen in the browser; the others here, on the server."""

from studio.config import CaptionConfig, OptimizerConfig, to_dict
from studio.errors import Problem
from studio.jobs import launcher, state

IN_BROWSER = {
    "open-dataset": ("Open Dataset", "tab:dataset"),
    "link-model": ("Choose its folder", "tab:dataset"),
    "open-train": ("Open Train", "tab:train"),
    "open-evaluate": ("Open Evaluate", "tab:evaluate"),
    "open-settings": ("Open the settings", "click:#tab-train-button"),
    "open-log": ("Open the log", "tab:train"),
    "upload": ("Choose photos and clips", "click:#upload button, #upload input"),
    "start-training": ("Start training", "click:#start-training"),
    "new-sweep": ("Draw the test clips", "click:#start-sweep"),
    "start-sweep": ("Draw the test clips", "click:#start-sweep"),
}


def button(action):
    """{"action", "label"} of an action by name; {} for one that has no button."""
    if action in IN_BROWSER:
        label, where = IN_BROWSER[action]
        return {"action": where, "label": label}
    return {"action": action, "label": LABELS[action]} if action in LABELS else {}


def act(page, project, action):
    """Do one of ON_SERVER; its sentence."""
    if action.startswith("resume:"):
        launcher.resume(project.run_dir(action.removeprefix("resume:")))
        launcher.ensure_worker(project.workspace)
        return "It goes on."
    if action not in ON_SERVER:
        raise Problem(f"This button ({action}) is not known; reload the page.")
    return ON_SERVER[action](page, project)


def queue(project, kind, config, title=""):
    """Put a job in the queue and see that a worker takes it; its run folder."""
    run_dir = launcher.enqueue(project, kind, config, title)
    launcher.ensure_worker(project.workspace)
    return run_dir


def is_busy(project, kind):
    """Whether a job of that kind waits or runs for this project: then a second one is not started."""
    return any(job.kind == kind and not job.is_over for job in state.list_jobs(project.workspace, project))


def write_captions(page, project):
    if is_busy(project, "caption"):
        raise Problem("Captions are being written already.")
    queue(project, "caption", {"config": to_dict(CaptionConfig()), "only": None, "overwrite_auto": False}, "Write captions")
    return "Captions are being written; the ones you wrote yourself stay as they are."


def check_photos(page, project):
    if is_busy(project, "curate"):
        raise Problem("The photos are being checked already.")
    queue(project, "curate", {"keep": 24}, "Check photos")
    return "The photos are being checked; what you decided by hand stays as it is."


def resume(page, project):
    """Put the newest training that can go on back into the queue."""
    job = newest_train(project)
    if job is None:
        raise Problem("There is no training to resume.")
    launcher.resume(job.run_dir)
    launcher.ensure_worker(project.workspace)
    return "Training goes on from its last safety copy."


def lower_learning_rate(page, project):
    """Halve the learning speed for the next training of this project."""
    choice = project.read().get("train_choice") or {}
    overrides = dict(choice.get("overrides") or {})
    job = newest_train(project)
    used = state.read_config(job.run_dir)["config"]["optimizer"]["learning_rate"] if job else OptimizerConfig().learning_rate
    overrides["optimizer.learning_rate"] = used / 2
    project.update(train_choice=choice | {"overrides": overrides})
    return f"The learning speed is {used / 2:g} now (it was {used:g}). Press Start when you are ready."


def newest_train(project):
    jobs = [job for job in state.list_jobs(project.workspace, project) if job.kind == "train"]
    return jobs[0] if jobs else None


LABELS = {
    "write-captions": "Write captions",
    "check-photos": "Check photos",
    "resume": "Resume",
    "lower-learning-rate": "Halve the learning speed",
    "halve-learning-rate": "Halve the learning speed",
}
ON_SERVER = {
    "write-captions": write_captions,
    "check-photos": check_photos,
    "resume": resume,
    "lower-learning-rate": lower_learning_rate,
    "halve-learning-rate": lower_learning_rate,
}
