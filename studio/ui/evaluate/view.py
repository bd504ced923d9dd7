"""What the Evaluate tab shows, as JSON for its component; only reads."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from studio.config import USUAL_STRENGTH
from studio.evaluation import sweeps
from studio.evaluation.judge.chart import clip_note, draw_chart
from studio.evaluation.judge.row import Row
from studio.evaluation.judge.table import describe_rows
from studio.evaluation.judge.verdict import CLEAR, NOT_MEASURED, verdict
from studio.evaluation.report import has_current_report
from studio.evaluation.sweep_facts import DONE, Cell, Sweep
from studio.jobs import state
from studio.jobs.kind import read_config
from studio.jobs.kinds.sweep import SweepJob
from studio.training.pairs import damaged_pairs, list_pairs
from studio.ui import actions
from studio.ui import formatting as f
from studio.ui.actions import find_button
from studio.ui.evaluate import comfyui as evaluate_comfyui
from studio.ui.train.view import job_progress
from studio.ui.views import NextStep
from studio.workspace import Project


def next_step(project: Project | None) -> NextStep:
    if project is None:
        return actions.next_new_person()
    job = newest_job(project)
    if job and not job.is_over:
        return NextStep("wait while the clips are drawn; the ones that are ready can be watched below.")
    if sweeps.damaged_sweeps(project) or (damaged_pairs(project) and not list_pairs(project)):
        return actions.MEND_FIRST
    if not list_pairs(project):
        return NextStep("train first; every checkpoint pair can then be compared here.", button=find_button("open-train"))
    if not has_sweep(project):
        return NextStep("draw the same test clips with every pair.", button=find_button("start-sweep"))
    if job and job.can_resume:
        error = f.in_sentences(job.error, with_cost=False)
        return NextStep(f"go on drawing; the comparison was {f.STATES[job.state]}.", error, find_button("start-sweep"))
    if project.facts().chosen:
        return evaluate_comfyui.next_step(project)
    return NextStep("compare the clips and use the pair you like best.")


def remark(text: str, kind: str = "remark") -> str:
    return f'<p class="{kind}">{f.escape(text)}</p>'


def pair_choices(project: Project) -> list[tuple[str, str]]:
    pairs = list_pairs(project)
    runs = {pair.run for pair in pairs}
    return [(f"Step {pair.step:,}" + (f" of {pair.run}" if len(runs) > 1 else ""), pair.id) for pair in pairs]


def newest_job(project: Project) -> state.JobStatus | None:
    """The newest job that draws a comparison; samples of a training are shown where that is."""
    jobs = (job for job in state.list_jobs(project.workspace, project) if job.kind == "sweep")
    return next((job for job in jobs if not read_config(SweepJob, job.run_dir).sample), None)


def has_sweep(project: Project) -> bool:
    return bool(sweeps.list_sweeps(project, sample=False))


def find_sweep(project: Project, name: str) -> Path | None:
    """The sweep asked for, else the one of the newest job, else the last one; None without any."""
    folders = {folder.name: folder for folder in sweeps.list_sweeps(project, sample=False)}
    job = newest_job(project)
    of_job = str(read_config(SweepJob, job.run_dir).sweep) if job else ""
    return folders.get(name) or folders.get(of_job) or next(reversed(folders.values()), None)


def read_clips(project: Project | None, name: str) -> dict[str, Any]:
    """The grid: rows are prompts, columns the base and the pairs, one layer for each seed and strength."""
    folder = find_sweep(project, name) if project else None
    if project is None or folder is None:
        return {}
    sweep, job = sweeps.read_sweep(folder), newest_job(project)
    config, counts, chosen = sweep.config, sweep.count_states(), project.facts().chosen
    drawing = job if job and not job.is_over and read_config(SweepJob, job.run_dir).sweep == folder.name else None
    address = f"/media/{project.slug}/sweeps/{folder.name}"
    columns = [None, *[pair.id for pair in sweep.pairs]]
    return {
        "sweep": folder.name,
        "sweeps": [{"id": other.name, "label": other.name.replace("-", " ")} for other in sweeps.list_sweeps(project, sample=False)],
        "address": address,
        "verdict": describe_verdict(project, sweep) if counts[DONE] and not drawing else None,
        "report": f"{address}/report.html" if has_current_report(folder) else "",
        "progress": job_progress(drawing).to_json() | {"state": f.STATES[drawing.state]} if drawing else None,
        "counts": counts,
        "columns": describe_columns(sweep),
        "rows": [describe_row(folder, address, sweep, number) for number in range(len(sweep.prompts))],
        "strengths": sorted({cell.strength for cell in sweep.cells if cell.pair}),
        "seeds": list(config.seeds),
        "cells": [describe_cell(cell, columns) for cell in sweep.cells],
        "fps": sweep.fps,
        "ratio": config.width / config.height,
        "chosen": chosen.to_json() if chosen else None,
    }


def describe_row(folder: Path, address: str, sweep: Sweep, number: int) -> dict[str, Any]:
    """A prompt, with the address of its side-by-side video once that is made."""
    video = sweeps.comparison_file(folder, number, sweep.config.seeds[0])
    return sweep.prompts[number].to_json() | {"video": f"{address}/comparisons/{video.name}" if video.is_file() else ""}


def describe_columns(sweep: Sweep) -> list[dict[str, str]]:
    pairs = [{"id": pair.id, "label": f"Step {pair.step:,}", "run": pair.run if sweep.has_several_runs else ""} for pair in sweep.pairs]
    return [{"id": "", "label": "Base", "run": ""}, *pairs]


def describe_cell(cell: Cell, columns: Sequence[str | None]) -> dict[str, Any]:
    """One clip; its key stands for the address, which changes when the pixels do."""
    place = {"column": columns.index(cell.pair), "row": cell.prompt, "seed": cell.seed, "strength": cell.strength}
    note = clip_note(cell.scores) if cell.is_done else ""
    return place | {"state": cell.state, "key": cell.key, "error": cell.error, "note": note}


def describe_verdict(project: Project, sweep: Sweep) -> dict[str, Any]:
    """What to use and why, in a line and a list; where likeness was measured, its charts and numbers."""
    found = verdict(project, sweep)
    if found.sure == NOT_MEASURED:
        usual = min((row.strength for row in found.table), key=lambda strength: abs(strength - USUAL_STRENGTH))
        text = "Likeness was not measured: look at the faces, and use the pair you like best."
        return {"pair": "", "strength": usual, "text": text, "why": found.why}
    if found.pair is None:
        return {"pair": "", "text": "No pair can be named yet.", "why": found.why}
    pair, measured = sweep.find_pair(found.pair), describe_measures(sweep, found.table)
    sure = "" if found.sure == CLEAR else " It is too close to call; trust your eye."
    text = f"Use step {pair.step:,} at {found.strength:g}. {found.summary}".rstrip() + sure
    return {"pair": found.pair, "strength": found.strength, "text": text, "why": list(found.reasons)} | measured


def describe_measures(sweep: Sweep, table: Sequence[Row]) -> dict[str, Any]:
    """A chart for each strength, whose points know their column, and a table of words."""
    columns = [(pair.id, f"Step {pair.step:,}" + (f" of {pair.run}" if sweep.has_several_runs else "")) for pair in sweep.pairs]
    titles = dict(columns)
    places = {pair: number for number, (pair, _) in enumerate(columns, 1)}  # the base stands first
    charts = []
    for strength in sorted({row.strength for row in table}):
        if chart := draw_chart(table, strength, titles):
            points = [asdict(point) | {"column": places[point.pair]} for point in chart.points]
            charts.append({"strength": strength, "svg": chart.svg, "legend": chart.legend, "points": points})
    heads, rows = describe_rows(table, titles)
    return {"charts": charts, "heads": heads, "rows": rows}
