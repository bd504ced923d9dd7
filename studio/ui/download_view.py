"""A base model or captioner that is not on this computer: what a download takes, from where, how far it is, how it ended; and its buttons."""

import os

from studio.data.dataset import kept_items
from studio.errors import Problem
from studio.jobs import launcher, state
from studio.models.catalogue import find_model
from studio.models.fetch import offers as sources
from studio.models.fetch.fetchable import describe, find_fetchable, kind_of
from studio.models.fetch.offers import RESERVE_GB, describe_download
from studio.models.presence import Presence
from studio.models.preset import model_preset
from studio.ui import formatting as f

USUAL_MBIT = 100  # a second; only to give an idea of the time


def read_download(project):
    """What the Train tab shows about the project's base model; {} if it is there."""
    return {} if project is None else read_model(project.facts().base_model, project.workspace)


def read_captioner(project):
    """What the Dataset tab shows about the captioner, while there is something to caption or it is on its way; {} if there is nothing to say."""
    if project is None or not (name := captioner_of(project)):
        return {}
    found = read_model(name, project.workspace)
    is_wanted = bool(found) and (found["state"] != "missing" or any(not item.caption for item in kept_items(project)))
    is_wanted = is_wanted and not lies_in_base_model(project)
    return found | {"about": find_fetchable(name).about.description} if is_wanted else {}


def captioner_of(project):
    """The name of the captioner that the project's base model asks for; "" if it brings its own."""
    return model_preset(project.facts().base_model).captioner_to_fetch


def lies_in_base_model(project):
    """Whether somebody put the captioner into the base model's own folder."""
    try:
        return find_model(project.facts().base_model, project.workspace).captioner.parent != project.workspace.models_dir
    except Problem:  # no base model yet
        return False


def read_model(name, workspace):
    """What is shown about a model that is not there: what a download takes, or how far it is; {} if it is there."""
    model, job = describe(name, workspace), newest_job(name, workspace)
    if model.available:
        return {}
    what = {"what": kind_of(name).ID}
    if job and not job.is_over:
        return what | {"title": job.title, **describe_running(job)}
    ended = job if job and job.state != "done" else None
    title = f"{model.title} is not on this computer" if not ended else f"{ended.title}: {f.STATES[ended.state]}"
    offered = offer(name, workspace)
    reason = "" if offered and not offered["here"] else model.reason  # what is said beside the button need not be said twice
    return what | {"title": title, "state": "missing", "sentence": how_it_ended(ended) or reason, "hub": read_hub(workspace), **offered}


def read_hub(workspace):
    """{"mirror", "offline", "fixed"}: where downloads come from; fixed: why that can't be changed here, or ""."""
    mirror, is_offline = workspace.facts().hub_mirror, sources.is_offline(workspace)
    fixed = []
    if os.environ.get("HF_ENDPOINT"):
        fixed.append("HF_ENDPOINT of this computer names the address, and comes before this one.")
    if is_offline and not workspace.facts().hub_offline:
        fixed.append("HF_HUB_OFFLINE of this computer keeps the studio offline; start it without.")
    return {"mirror": mirror, "offline": is_offline, "fixed": " ".join(fixed)}


def save_hub(workspace, mirror, is_offline):
    """Remember from where downloads come, and whether there are any; a sentence about it."""
    sources.set_hub(workspace, mirror=str(mirror or ""), offline=bool(is_offline))
    if sources.is_offline(workspace):
        return "The offline mode is on: nothing is downloaded."
    return f"Downloads come from {sources.endpoint(workspace)}."


def why_not_ready(model: Presence, workspace):
    """(sentence, action) for a training that can't begin because its base model is not there; ("", "") if it is."""
    if model.available:
        return "", ""
    job = newest_job(model.name, workspace)
    if job and not job.is_over:
        return f"{model.title} is being downloaded.", ""
    offered = offer(model.name, workspace)
    if offered and not offered["here"]:
        return f"{model.title} is not ready: it is not on this computer yet.", "download-model"
    return f"{model.title} is not ready. {model.reason}", "download-model" if offered else ""


def newest_job(name, workspace):
    jobs = state.list_jobs(workspace.downloads, workspace.download_jobs(name))
    return jobs[0] if jobs else None


def describe_running(job):
    progress = job.progress
    counted = f"{progress['done']:g} of {progress['total']:g} {progress['unit']}" if progress.get("total") else "Begins"
    return {
        "state": f.STATES[job.state],
        "run": job.name,
        "share": None if job.fraction is None else round(job.fraction, 3),
        "counted": counted,
        "message": progress.get("message", ""),
        "left": f.time_left(job.seconds_left) if job.state == "running" else "",
        "can_stop": job.state in ("queued", "running"),
    }


def how_it_ended(job):
    if job is None:
        return ""
    if job.state == "stopped":
        return "You stopped it; what was fetched is kept."
    return " ".join(f.sentence(job.error[part]) for part in ("message", "cost", "fix") if (job.error or {}).get(part))


def offer(name, workspace):
    """{"model", "here", "label", "facts", "prevented"} of a download that has not begun, or broke off; {} for a model that comes from nowhere."""
    offered = describe_download(name, workspace)
    about = offered.about
    if not about.repository:
        return {}
    size, here, free = about.download_gb, offered.here_gb, offered.free_gb
    left = max(0.0, size - here)
    has_part = here >= 0.1
    facts = [
        ["Size", f"about {f.gigabytes(size)}" + (f", {f.gigabytes(here)} of it are here" if has_part else "")],
        ["Free space", f"{f.gigabytes(float(round(free)))}; {RESERVE_GB:g} GB of it stay free"],
        ["Time", f"about {f.duration(left * 8e3 / USUAL_MBIT)} at {USUAL_MBIT} Mbit/s; you may stop it, and close this window"],
        ["From", f"{offered.host or 'nowhere: offline'}, {about.repository}"],
        ["Into", str(offered.folder)],
        ["Licence", about.licence or f"see the page of {about.repository}"],
    ]
    label = f"Go on with the download ({f.gigabytes(left)} left)" if has_part else f"Download it ({f.gigabytes(size)})"
    return {"model": name, "here": here > 0, "label": label, "facts": facts, "prevented": offered.prevented}


def start(name, workspace):
    """Put the download in its queue, or go on with the one that broke off; a sentence about it."""
    title = find_fetchable(name).about.title
    if describe(name, workspace).available:
        return f"{title} is here already."
    job = newest_job(name, workspace)
    if job and not job.is_over:
        raise Problem(f"{title} is being downloaded already.")
    if prevented := describe_download(name, workspace).prevented:
        raise Problem(prevented)
    if job and job.can_resume:
        launcher.resume(job.run_dir)
    else:
        launcher.enqueue(workspace.download_jobs(name), "download", {"model": name}, f"Download {title}")
    launcher.ensure_worker(workspace.downloads)
    return f"{title} is being downloaded; you may close this window, it goes on."


def connect(page, panel, name_of):
    """The panel's buttons; name_of(project): the model that it is about."""
    page.acts(panel.start, lambda project, event: start(name_of(project), project.workspace))
    page.acts(panel.stop, lambda project, event: stop(name_of(project), project.workspace))
    page.acts(panel.hub, lambda project, event: save_hub(project.workspace, event.mirror, event.offline))


def stop(name, workspace):
    job = newest_job(name, workspace)
    if job:
        launcher.cancel(job.run_dir)
