"""What the Evaluate tab shows, as JSON for its component; only reads."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from studio.config import USUAL_STRENGTH
from studio.errors import Problem
from studio.evaluation import sweeps
from studio.evaluation.diagnosis.file_facts import SAME_FILE, SAME_PAIR
from studio.evaluation.guests.guest_list import list_guests
from studio.evaluation.judge.row import Row, number
from studio.evaluation.judge.shown.chart import clip_note, draw_chart
from studio.evaluation.judge.table import describe_rows
from studio.evaluation.judge.verdict import CLEAR, NOT_MEASURED, verdict
from studio.evaluation.report import has_current_report
from studio.evaluation.sweep_facts import DONE, Cell, ComparedPair, Sweep
from studio.jobs import state
from studio.jobs.kind import read_config
from studio.jobs.kinds.sweep import SweepJob
from studio.training.pairs import damaged_pairs, list_pairs
from studio.ui import actions
from studio.ui import formatting as f
from studio.ui.actions import find_button
from studio.ui.evaluate import comfyui_fold as evaluate_comfyui
from studio.ui.evaluate.clip_grid import (
    ChartPoint,
    ChartView,
    ChosenView,
    ClipsView,
    ClipView,
    Column,
    DrawingProgress,
    PromptRow,
    SweepChoice,
    VerdictView,
)
from studio.ui.evaluate.faces_strip import find_face, find_own_faces
from studio.ui.evaluate.standings import describe_standings, order_rows
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


def pair_choices(project: Project) -> list[tuple[str, str]]:
    pairs = list_pairs(project)
    runs = {pair.run for pair in pairs}
    own = [(f"Step {pair.step:,}" + (f" of {pair.run}" if len(runs) > 1 else ""), pair.id) for pair in pairs]
    return [*own, *((f"{guest.facts.title} (guest)", guest.id) for guest in list_guests(project))]


def newest_job(project: Project) -> state.JobStatus | None:
    """The newest job that draws a comparison; samples of a training are shown where that is."""
    jobs = (job for job in state.list_jobs(project.workspace, project) if job.kind == "sweep")
    configs = ((job, read_config(SweepJob, job.run_dir)) for job in jobs)
    return next((job for job, config in configs if not config.sample and not config.probe), None)


def has_sweep(project: Project) -> bool:
    return bool(sweeps.list_sweeps(project, sample=False))


def odd_pairs(project: Project | None) -> list[Problem]:
    """What is wrong with the files of the pairs that were compared last. That two hold the same file is told among the reasons alone."""
    folder = find_sweep(project, "") if project else None
    findings = sweeps.read_sweep(folder).findings if folder else ()
    return [Problem(finding.words, fix=finding.fix) for finding in findings if finding.code not in (SAME_PAIR, SAME_FILE)]


def find_sweep(project: Project, name: str) -> Path | None:
    """The sweep asked for, else the one of the newest job, else the last one; None without any."""
    folders = {folder.name: folder for folder in sweeps.list_sweeps(project, sample=False)}
    job = newest_job(project)
    of_job = str(read_config(SweepJob, job.run_dir).sweep) if job else ""
    return folders.get(name) or folders.get(of_job) or next(reversed(folders.values()), None)


def read_clips(project: Project | None, name: str) -> ClipsView | None:
    """The grid: rows are prompts, columns the base and the pairs, one layer for each seed and strength."""
    folder = find_sweep(project, name) if project else None
    if project is None or folder is None:
        return None
    sweep, job = sweeps.read_sweep(folder), newest_job(project)
    config, chosen = sweep.config, project.facts().chosen
    drawing = job if job and not job.is_over and read_config(SweepJob, job.run_dir).sweep == folder.name else None
    address = f"/media/{project.slug}/sweeps/{folder.name}"
    columns = [None, *[pair.id for pair in sweep.pairs]]
    told = describe_verdict(project, sweep) if sweep.count_states()[DONE] and not drawing else None
    order, differs = order_rows(sweep, told.strength if told else None)
    return ClipsView(
        sweep=folder.name,
        sweeps=tuple(SweepChoice(other.name, other.name.replace("-", " ")) for other in sweeps.list_sweeps(project, sample=False)),
        address=address,
        verdict=told,
        report=f"{address}/report.html" if has_current_report(folder) else "",
        progress=describe_drawing(drawing) if drawing else None,
        columns=describe_columns(sweep),
        rows=tuple(describe_row(folder, address, sweep, number) for number in range(len(sweep.prompts))),
        order=order,
        differs=differs,
        strengths=tuple(sorted({cell.strength for cell in sweep.cells if cell.pair})),
        seeds=tuple(config.seeds),
        cells=tuple(describe_cell(cell, columns, folder, address) for cell in sweep.cells),
        fps=sweep.fps,
        ratio=config.width / config.height,
        people=find_own_faces(project),
        chosen=ChosenView(chosen.pair, chosen.step, chosen.strength, chosen.folder) if chosen else None,
    )


def describe_drawing(job: state.JobStatus) -> DrawingProgress:
    progress = job_progress(job)
    return DrawingProgress(progress.share, progress.counted, progress.stage, progress.left, f.STATES[job.state])


def describe_row(folder: Path, address: str, sweep: Sweep, number: int) -> PromptRow:
    """A prompt, with the address of its side-by-side video once that is made."""
    video, prompt = sweeps.comparison_file(folder, number, sweep.config.seeds[0]), sweep.prompts[number]
    return PromptRow(prompt.label, prompt.text, prompt.kind, f"{address}/comparisons/{video.name}" if video.is_file() else "")


def describe_columns(sweep: Sweep) -> tuple[Column, ...]:
    pairs = [Column(pair.id, pair.label, _run_beside(sweep, pair), bool(pair.title)) for pair in sweep.pairs]
    return (Column("", "Base"), *pairs)


def describe_cell(cell: Cell, columns: Sequence[str | None], folder: Path, address: str) -> ClipView:
    return ClipView(
        column=columns.index(cell.pair),
        row=cell.prompt,
        seed=cell.seed,
        strength=cell.strength,
        state=cell.state,
        key=cell.key,
        error=cell.error,
        note=clip_note(cell.scores) if cell.is_done else "",
        face=f"{address}/{find_face(folder, cell)}" if cell.is_done else "",
        identity=number(cell.scores, "identity"),
    )


def describe_verdict(project: Project, sweep: Sweep) -> VerdictView:
    """What to use and why, in a line and a list; where likeness was measured, its charts and numbers."""
    found = verdict(project, sweep)
    if found.sure == NOT_MEASURED:
        usual = min((row.strength for row in found.table), key=lambda strength: abs(strength - USUAL_STRENGTH))
        text = "Likeness was not measured: look at the faces, and use the pair you like best."
        return VerdictView(text, tuple(found.why), strength=usual)
    if found.pair is None:
        return VerdictView("No pair can be named yet.", tuple(found.why))
    pair, titles = sweep.find_pair(found.pair), pair_titles(sweep)
    sure = "" if found.sure == CLEAR else " It is too close to call; trust your eye."
    named = f'the guest "{pair.title}" is the best' if pair.title else f"Use step {pair.step:,}"
    text = f"{named[0].upper()}{named[1:]} at {found.strength:g}. {found.summary}".rstrip() + sure
    heads, rows = describe_rows(found.table, titles)
    return VerdictView(
        text=text,
        why=tuple(found.reasons),
        pair="" if pair.title else found.pair,
        strength=found.strength,
        charts=describe_charts(found.table, titles),
        heads=tuple(heads),
        rows=tuple(tuple(row) for row in rows),
        standings=describe_standings(sweep, found),
        is_sure=found.sure == CLEAR,
    )


def pair_titles(sweep: Sweep) -> dict[str, str]:
    return {pair.id: f"{pair.label} of {run}" if (run := _run_beside(sweep, pair)) else pair.label for pair in sweep.pairs}


def _run_beside(sweep: Sweep, pair: ComparedPair) -> str:
    """The run that tells it from a pair of the same step, "" where nothing has to be told."""
    return pair.run if sweep.has_several_runs and not pair.title else ""


def describe_charts(table: Sequence[Row], titles: Mapping[str, str]) -> tuple[ChartView, ...]:
    """A chart for each strength that has one, whose points know their column. titles: of the pairs, in the order of the columns."""
    places = {pair: number for number, pair in enumerate(titles, 1)}  # the base stands first
    charts = []
    for strength in sorted({row.strength for row in table}):
        if chart := draw_chart(table, strength, titles):
            points = tuple(ChartPoint(point.at, point.label, places[point.pair]) for point in chart.points)
            charts.append(ChartView(strength, chart.svg, chart.legend, points))
    return tuple(charts)
