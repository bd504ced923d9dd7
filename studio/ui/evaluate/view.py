"""What the Evaluate tab shows, as JSON for its component; only reads."""

from studio.config import USUAL_STRENGTH
from studio.evaluation import sweeps
from studio.evaluation.judge.chart import clip_note, draw_chart
from studio.evaluation.judge.table import describe_rows
from studio.evaluation.judge.verdict import CLEAR, NOT_MEASURED, verdict
from studio.evaluation.report import has_current_report
from studio.jobs import state
from studio.training.pairs import damaged_pairs, list_pairs
from studio.ui import actions
from studio.ui import formatting as f
from studio.ui.train.view import job_progress


def next_step(project):
    if project is None:
        return {"text": "make a project with New person, at the left.", "action": "click:#new-person", "label": "New person"}
    job = newest_job(project)
    if job and not job.is_over:
        return {"text": "wait while the clips are drawn; the ones that are ready can be watched below."}
    if sweeps.damaged_sweeps(project) or (damaged_pairs(project) and not list_pairs(project)):
        return actions.MEND_FIRST
    if not list_pairs(project):
        return {"text": "train first; every checkpoint pair can then be compared here.", **actions.button("open-train")}
    if not has_sweep(project):
        return {"text": "draw the same test clips with every pair.", **actions.button("start-sweep")}
    if job and job.can_resume:
        error = " ".join(f.sentence((job.error or {}).get(part, "")) for part in ("message", "fix")).strip()
        return {"text": f"go on drawing; the comparison was {f.STATES[job.state]}.", "reason": error, **actions.button("start-sweep")}
    if project.facts().chosen:
        return {
            "text": "load the pair in ComfyUI: the high noise file into the high noise LoRA loader, the low noise file into the low noise one."
        }
    return {"text": "compare the clips and use the pair you like best."}


def remark(text, kind="remark"):
    return f'<p class="{kind}">{f.escape(text)}</p>'


def pair_choices(project):
    pairs = list_pairs(project)
    runs = {pair.run for pair in pairs}
    return [(f"Step {pair.step:,}" + (f" of {pair.run}" if len(runs) > 1 else ""), pair.id) for pair in pairs]


def newest_job(project):
    """The newest job that draws a comparison; samples of a training are shown where that is."""
    jobs = (job for job in state.list_jobs(project.workspace, project) if job.kind == "sweep")
    return next((job for job in jobs if not state.read_config(job.run_dir).get("sample")), None)


def has_sweep(project):
    return bool(sweeps.list_sweeps(project, sample=False))


def find_sweep(project, name):
    """The sweep asked for, else the one of the newest job, else the last one; None without any."""
    folders = {folder.name: folder for folder in sweeps.list_sweeps(project, sample=False)}
    job = newest_job(project)
    of_job = state.read_config(job.run_dir).get("sweep") if job else None
    return folders.get(name) or folders.get(of_job) or next(reversed(folders.values()), None)


def read_clips(project, name):
    """The grid: rows are prompts, columns the base and the pairs, one layer for each seed and strength."""
    folder = find_sweep(project, name) if project else None
    if folder is None:
        return {}
    sweep, job = sweeps.read_sweep(folder), newest_job(project)
    settings, counts, chosen = sweep["settings"], sweeps.count_states(sweep), project.facts().chosen
    running = bool(job) and not job.is_over and state.read_config(job.run_dir).get("sweep") == folder.name
    address = f"/media/{project.slug}/sweeps/{folder.name}"
    columns = [None, *[pair["id"] for pair in sweep["pairs"]]]
    return {
        "sweep": folder.name,
        "sweeps": [{"id": other.name, "label": other.name.replace("-", " ")} for other in sweeps.list_sweeps(project, sample=False)],
        "address": address,
        "verdict": describe_verdict(project, sweep) if counts["done"] and not running else None,
        "report": f"{address}/report.html" if has_current_report(folder) else "",
        "progress": job_progress(job) | {"state": f.STATES[job.state]} if running else None,
        "counts": counts,
        "columns": describe_columns(sweep),
        "rows": [describe_row(folder, address, sweep, number) for number in range(len(sweep["prompts"]))],
        "strengths": sorted({cell["strength"] for cell in sweep["cells"] if cell["pair"]}),
        "seeds": settings["seeds"],
        "cells": [describe_cell(cell, columns) for cell in sweep["cells"]],
        "fps": sweep.get("fps", 16),
        "ratio": settings["width"] / settings["height"],
        "chosen": chosen.to_json() if chosen else None,
    }


def describe_row(folder, address, sweep, number):
    """A prompt, with the address of its side-by-side video once that is made."""
    video = sweeps.comparison_file(folder, number, sweep["settings"]["seeds"][0])
    return sweep["prompts"][number] | {"video": f"{address}/comparisons/{video.name}" if video.is_file() else ""}


def describe_columns(sweep):
    runs = {pair["run"] for pair in sweep["pairs"]}
    pairs = [{"id": p["id"], "label": f"Step {p['step']:,}", "run": p["run"] if len(runs) > 1 else ""} for p in sweep["pairs"]]
    return [{"id": "", "label": "Base", "run": ""}, *pairs]


def describe_cell(cell, columns):
    """One clip; its key stands for the address, which changes when the pixels do."""
    short = {"column": columns.index(cell["pair"]), "row": cell["prompt"], "seed": cell["seed"], "strength": cell["strength"]}
    note = clip_note(cell["scores"]) if cell["state"] == "done" else ""
    return short | {"state": cell["state"], "key": cell["key"], "error": cell["error"], "note": note}


def describe_verdict(project, sweep):
    """What to use and why, in a line and a list; where likeness was measured, its charts and numbers."""
    found = verdict(project, sweep)
    if found["sure"] == NOT_MEASURED:
        usual = min((row["strength"] for row in found["table"]), key=lambda strength: abs(strength - USUAL_STRENGTH))
        text = "Likeness was not measured: look at the faces, and use the pair you like best."
        return {"pair": "", "strength": usual, "text": text, "why": found["why"]}
    if found["pair"] is None:
        return {"pair": "", "text": "No pair can be named yet.", "why": found["why"]}
    measured = describe_measures(sweep, found["table"])
    pair = next(p for p in sweep["pairs"] if p["id"] == found["pair"])
    sure = "" if found["sure"] == CLEAR else " It is too close to call; trust your eye."
    why = [sentence for sentence in found["why"] if sentence != found["summary"]]
    text = f"Use step {pair['step']:,} at {found['strength']:g}. {found['summary']}".rstrip() + sure
    return {"pair": found["pair"], "strength": found["strength"], "text": text, "why": why} | measured


def describe_measures(sweep, table):
    """A chart for each strength, whose points know their column, and a table of words."""
    columns = describe_columns(sweep)
    titles = {column["id"]: column["label"] + (f" of {column['run']}" if column["run"] else "") for column in columns}
    places = {column["id"]: number for number, column in enumerate(columns)}
    charts = []
    for strength in sorted({row["strength"] for row in table}):
        chart = draw_chart(table, strength, titles)
        for point in chart.get("points", []):
            point["column"] = places[point["pair"]]
        charts += [{"strength": strength} | chart] if chart else []
    heads, rows = describe_rows(table, titles)
    return {"charts": charts, "heads": heads, "rows": rows}
