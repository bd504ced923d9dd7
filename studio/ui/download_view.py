"""A base model that is not on this computer: what a download takes, how far it is, how it ended; and the two buttons that start and stop it."""

from studio.errors import Problem
from studio.jobs import launcher, state
from studio.models.catalogue import describe_model, model_preset
from studio.models.sources import RESERVE_GB, describe_download
from studio.ui import formatting as f

USUAL_MBIT = 100  # a second; only to give an idea of the time


def read_download(project):
    """What the Train tab shows about the project's base model; {} if it is there."""
    if project is None:
        return {}
    name, workspace = project.read()["base_model"], project.workspace
    model, job = describe_model(name, workspace), newest_job(name, workspace)
    if model["available"]:
        return {}
    if job and not job.is_over:
        return {"title": job.title, **describe_running(job)}
    ended = job if job and job.state != "done" else None
    title = f"{model['title']} is not on this computer" if not ended else f"{ended.title}: {f.STATES[ended.state]}"
    offered = offer(name, workspace)
    reason = "" if offered and not offered["here"] else model["reason"]  # what is said beside the button need not be said twice
    return {"title": title, "state": "missing", "sentence": how_it_ended(ended) or reason, **offered}


def why_not_ready(model, workspace):
    """(sentence, action) for a training that can't begin because its base model is not there; ("", "") if it is."""
    if model["available"]:
        return "", ""
    job = newest_job(model["name"], workspace)
    if job and not job.is_over:
        return f"{model['title']} is being downloaded.", ""
    offered = offer(model["name"], workspace)
    if offered and not offered["here"]:
        return f"{model['title']} is not ready: it is not on this computer yet.", "download-model"
    return f"{model['title']} is not ready. {model['reason']}", "download-model" if offered else ""


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
    about = describe_download(name, workspace)
    if not about["repository"]:
        return {}
    size, here, free = about["size_gb"], about["here_gb"], about["free_gb"]
    left = max(0.0, size - here)
    has_part = here >= 0.1
    facts = [
        ["Size", f"about {f.gigabytes(size)}" + (f", {f.gigabytes(here)} of it are here" if has_part else "")],
        ["Free space", f"{f.gigabytes(float(round(free)))}; {RESERVE_GB:g} GB of it stay free"],
        ["Time", f"about {f.duration(left * 8e3 / USUAL_MBIT)} at {USUAL_MBIT} Mbit/s; you may stop it, and close this window"],
        ["From", f"{about['host'] or 'nowhere: offline'}, {about['repository']}"],
        ["Into", about["folder"]],
        ["Licence", about["licence"] or f"see the page of {about['repository']}"],
    ]
    label = f"Go on with the download ({f.gigabytes(left)} left)" if has_part else f"Download it ({f.gigabytes(size)})"
    return {"model": name, "here": here > 0, "label": label, "facts": facts, "prevented": about["prevented"]}


def start(name, workspace):
    """Put the download in its queue, or go on with the one that broke off; a sentence about it."""
    title = model_preset(name)["title"]
    if describe_model(name, workspace)["available"]:
        return f"{title} is here already."
    job = newest_job(name, workspace)
    if job and not job.is_over:
        raise Problem(f"{title} is being downloaded already.")
    if prevented := describe_download(name, workspace)["prevented"]:
        raise Problem(prevented)
    if job and job.can_resume:
        launcher.resume(job.run_dir)
    else:
        launcher.enqueue(workspace.download_jobs(name), "download", {"model": name}, f"Download {title}")
    launcher.ensure_worker(workspace.downloads)
    return f"{title} is being downloaded; you may close this window, it goes on."


def stop(name, workspace):
    job = newest_job(name, workspace)
    if job:
        launcher.cancel(job.run_dir)
