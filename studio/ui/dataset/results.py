"""How the last import, captioning and check of photos ended, in words: from the jobs' results on disk, until the person dismisses it."""

from studio.jobs import state
from studio.ui import formatting as f
from studio.ui import uploads

KINDS = ("import", "caption", "curate")
MOST_LINES = 200  # of one group; the rest is counted


def read_results(project):
    """{"reports": [...]} of the newest job of each kind, the newest first; {} if there is nothing to say (any more)."""
    jobs = state.list_jobs(project.workspace, project) if project else []
    newest = {kind: next((job for job in jobs if job.kind == kind), None) for kind in KINDS}
    over = sorted((job for job in newest.values() if job and job.is_over), key=lambda job: -job.queued_at)
    dismissed = set(project.facts().dismissed) if over else set()
    last = next((job for job in jobs if job.kind in KINDS), None)
    reports = [describe(project, job) for job in over if stamp(job) not in dismissed]
    # a plain success is news until the next job; what a person should look at stays until they dismiss it
    reports = [report for report in reports if report["groups"] or report["tone"] == "bad" or report["name"] == last.name]
    return {"reports": reports} if reports else {}


def dismiss(project, job):
    """Remember that this result was read; a job that runs again speaks again. Only the newest jobs' results are ever shown."""
    named = {stamp(other): other for other in state.list_jobs(project.workspace, project) if other.kind in KINDS}
    if job in named:
        kept = [old for old in project.facts().dismissed if old in named and named[old].kind != named[job].kind]
        project.update(dismissed=(*kept, job))


def stamp(job):
    return f"{job.name}@{job.queued_at:.3f}"


def describe(project, job):
    """One report: a sentence, lists of what to know, a button or none."""
    report = {"job": stamp(job), "name": job.name, "title": job.title, "tone": "done", "text": "", "fix": "", "groups": []}
    result = job.result
    if job.kind == "import":
        report["groups"] = import_groups(result)
    elif job.kind == "caption":
        report["groups"] = caption_groups(result)
    if job.state == "done":
        return report | {"text": SENTENCES[job.kind](result)}
    if job.error:
        text, rest = job.error["message"], (job.error.get("cost"), job.error.get("fix"))
        report |= {"text": f.sentence(text), "fix": " ".join(f.sentence(part) for part in rest if part), "tone": "bad"}
    else:
        report |= {"text": f"{job.title}: {f.STATES[job.state]}.", "fix": "What was done is kept."}
    return report | again(project, job)


def again(project, job):
    """The button of a job that did not finish; files from a browser are gone, so they have to be dropped once more."""
    if job.kind == "import" and uploads.is_upload(project, state.read_config(job.run_dir)["paths"]):
        sentence = "The files sent by the browser were deleted again; drop them once more, and those that are here are skipped."
        return {"fix": sentence, "action": "click:#upload button, #upload input", "label": "Choose photos and clips"}
    return {"action": f"resume:{job.name}", "label": "Try again"}


def import_sentence(result):
    added, rejected = len(result.get("added", [])), len(result.get("rejected", []))
    missed = f" {f.count(rejected, 'file')} could not be used." if rejected else ""
    return (f"Imported {f.count(added, 'item')}." if added else "Nothing new was imported.") + missed


def import_groups(result):
    groups = [
        ("Could not be used", [line(f"{name}: {f.sentence(reason)}") for name, reason in result.get("rejected", [])]),
        ("Already there", [line(f"{name} is the same as item {id}.", id) for name, id in result.get("duplicates", [])]),
        ("Good to know", [line(f"{name}: {f.sentence(note)}") for name, note in result.get("notes", [])]),
    ]
    return [group(title, lines) for title, lines in groups if lines]


def caption_sentence(result):
    written, kept = result.get("written", 0), result.get("kept", 0)
    stay = f" {f.count(kept, 'caption')} stayed as {'it was' if kept == 1 else 'they were'}." if kept else ""
    if not written:
        return f"No caption was written.{stay}"
    return (
        f"{f.count(written, 'caption')} {'was' if written == 1 else 'were'} written. Read them: what a caption says stays changeable.{stay}"
    )


def caption_groups(result):
    lines = [line(f"{note['id']}: {f.sentence(note['text'])}", note["id"]) for note in result.get("notes", [])]
    return [group("Please look at these", lines)] if lines else []


def curate_sentence(result):
    return "The photos are checked. Those left out say why; Undo takes it back."


def line(text, item=""):
    """One line; with an item it can be pressed to see that item."""
    return {"text": text, "item": item}


def group(title, lines):
    return {"title": title, "count": len(lines), "lines": lines[:MOST_LINES], "more": max(0, len(lines) - MOST_LINES)}


SENTENCES = {"import": import_sentence, "caption": caption_sentence, "curate": curate_sentence}
