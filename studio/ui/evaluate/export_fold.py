"""The export of a pair: for which program, which pair, with or without photos; how it goes, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from studio.config import USUAL_STRENGTH
from studio.errors import Problem
from studio.export.exporting import read_export as read_record
from studio.export.exporting import settings_left_out
from studio.export.readme import show_value
from studio.export.target import Target
from studio.export.targets import all_targets, find_target
from studio.jobs import state
from studio.jobs.kind import read_config
from studio.jobs.kinds.export import ExportJob, ExportReport
from studio.models.preset import model_preset
from studio.project_facts import ExportChoice
from studio.training.pairs import damaged_pairs, find_pair, list_pairs
from studio.ui import actions
from studio.ui import formatting as f
from studio.ui.components import component
from studio.ui.evaluate import view as evaluate_view
from studio.ui.file_manager import open_folder
from studio.ui.page import Page
from studio.ui.views import Remark, Remarks, View
from studio.workspace import Project

GOES_ALONG = {
    "always": "Photos, clips and captions always go along.",
    "asked": "Photos, clips and captions go along if you say so.",
    "never": "No photos go along.",
}


@dataclass(frozen=True)
class Exported(View):
    """The newest export. tone: "busy", "done" or "bad"; share: 0 to 1 while it is made, None while nobody knows; left: what the program does
    not get (setting, value, why); folder: where it lies, "" while it does not."""

    title: str
    tone: str
    text: str = ""
    share: float | None = None
    folder: str = ""
    lines: tuple[str, ...] = ()
    private: str = ""
    left: tuple[tuple[str, ...], ...] = ()


def build_export(page: Page) -> None:
    with gr.Accordion("Export", open=False, elem_id="export", elem_classes="fold"):
        to = gr.Radio([], label="For", elem_id="export-to")
        pair = gr.Dropdown([], label="Checkpoint pair", elem_id="export-pair", min_width=220)
        info = "Where who draws with it begins: the guide that goes along says it."
        strength = gr.Slider(0.1, 2, USUAL_STRENGTH, step=0.05, label="Strength (LoRA scale)", info=info, elem_id="export-strength")
        photos = gr.Checkbox(False, label="With photos, clips and captions", elem_id="export-photos")
        about = component("remarks", elem_id="export-about")
        with gr.Row(elem_classes="start-row"):
            start = gr.Button("Export", elem_id="start-export", scale=0, min_width=200)
        exported = component("exported", elem_id="exported")
    page.acts(to.input, lambda project, value: save_choice(project, to=value), [to])
    page.acts(pair.input, lambda project, value: save_choice(project, pair=value), [pair])
    page.acts(strength.release, save_strength, [strength])
    page.acts(photos.input, lambda project, value: save_choice(project, photos=value), [photos])
    page.acts(start.click, start_export)
    page.acts(exported.open, open_newest)
    page.reads(read_export, [to, pair, strength, photos, about, start, exported], tab="evaluate")


# -- what was chosen


def served_targets(project: Project) -> list[Target]:
    preset = model_preset(project.facts().base_model)
    return [target for target in all_targets() if target.serves(preset)]


def save_choice(project: Project, **changes: Any) -> None:
    project.update(export_choice=replace(project.facts().export_choice, **changes))


def save_strength(project: Project, strength: float) -> None:
    save_choice(project, strength=round(float(strength), 2), strength_of=read_choice(project).pair)


def strength_of(project: Project, choice: ExportChoice) -> float:
    """That the person chose for this pair: here, else when they took it for their own; else where one begins."""
    if choice.strength is not None and choice.strength_of == choice.pair:
        return choice.strength
    in_use = project.facts().chosen
    return in_use.strength if in_use and in_use.pair == choice.pair else USUAL_STRENGTH


def read_choice(project: Project) -> ExportChoice:
    """The choice with a target that serves the base model, and the pair that is meant: the one in use, else the last one; "" without any."""
    choice, known = project.facts().export_choice, [pair.id for pair in list_pairs(project)]
    served = [target.name for target in served_targets(project)]
    in_use = project.facts().chosen
    meant = [id for id in (choice.pair, in_use.pair if in_use else "") if id in known]
    return replace(choice, to=choice.to if choice.to in served else served[0], pair=(meant or known[-1:] or [""])[0])


# -- doing it


def start_export(project: Project) -> None:
    choice = read_choice(project)
    if not choice.pair:
        raise damaged_pairs(project)[-1] if damaged_pairs(project) else Problem(NOTHING_YET, action="open-train")
    if actions.is_busy(project, "export"):
        raise Problem("An export is being made already.")
    target = find_target(choice.to)
    strength = strength_of(project, choice)
    with_photos = choice.photos and target.dataset == "asked"
    job = ExportJob(
        to=choice.to, pair=choice.pair, strength=strength, include_photos=with_photos, lora_format=format_for(project, choice.to)
    )
    actions.queue(project, job, f"Export for {target.title}")


def format_for(project: Project, to: str) -> str:
    """The number format that the person chose for files to draw with; "" for what suits the target."""
    return project.facts().lora_format if to == "comfyui" else ""


NOTHING_YET = "There is no checkpoint pair yet."


def newest_export(project: Project) -> state.JobStatus | None:
    return next((job for job in state.list_jobs(project.workspace, project) if job.kind == "export"), None)


def folder_of(project: Project, job: state.JobStatus | None) -> Path | None:
    """The folder that a job made, if it is still there."""
    report = job.read_result(ExportReport) if job and job.state == "done" else None
    folder = project.exports_dir / Path(report.folder).name if report and report.folder else None
    return folder if folder and folder.is_dir() else None


def open_newest(project: Project) -> str:
    folder = folder_of(project, newest_export(project))
    if folder is None:
        raise Problem("The folder of the last export is gone.", fix="Export again.")
    open_folder(folder)
    return f"The folder {folder} is opened on the computer that the studio runs on."


# -- what is shown


def read_export(project: Project | None) -> list[Any]:
    """Values of the radio, the pairs, the slider, the box, the remarks, the button and what came of the newest export."""
    if project is None:
        empty = gr.update(choices=[], value=None)
        hidden = gr.update(visible=False)
        return [empty, empty, hidden, gr.update(value=False, visible=False), None, gr.update(interactive=False), None]
    choice, pairs = read_choice(project), evaluate_view.pair_choices(project)
    target = find_target(choice.to)
    targets = [(served.title[0].upper() + served.title[1:], served.name) for served in served_targets(project)]
    return [
        gr.update(choices=targets, value=choice.to),
        gr.update(choices=pairs, value=choice.pair or None),
        gr.update(value=strength_of(project, choice), visible=target.dataset != "always"),  # a trainer's folder names none
        gr.update(value=choice.photos, visible=target.dataset == "asked"),
        describe_target(target, bool(pairs)),
        gr.update(interactive=bool(pairs)),
        describe_newest(project),
    ]


def describe_target(target: Target, has_pairs: bool) -> Remarks:
    """What is written, what goes along, and what in it is private."""
    lines = [Remark(f.sentence(f"{target.writes}")), Remark(GOES_ALONG[target.dataset])]
    lines += [Remark(f"Private in it: {target.private}", "")] if target.private else []
    lines += [] if has_pairs else [Remark(f"{NOTHING_YET} Train first; a pair is saved at every save interval.", "remark")]
    return Remarks(tuple(lines))


def describe_newest(project: Project) -> Exported | None:
    job = newest_export(project)
    if job is None:
        return None
    config = read_config(ExportJob, job.run_dir)
    title = f"{config.pair.replace('/step-', ', step ')} for {find_target(config.to).title}"
    if not job.is_over:
        return Exported(title, "busy", job.progress.message or f.STATES[job.state], job.fraction)
    if job.state == "done":
        return describe_folder(project, job, config, title)
    said = f.sentence(job.error.message) if job.error else "It was stopped; nothing is left of it."
    fix = " ".join(f.sentence(part) for part in (job.error.fix,) if part) if job.error else ""
    return Exported(title, "bad", f"{said} {fix}".strip())


def describe_folder(project: Project, job: state.JobStatus, config: ExportJob, title: str) -> Exported:
    folder, target = folder_of(project, job), find_target(config.to)
    if folder is None:
        return Exported(title, "bad", "Its folder is gone. Export again.")
    record = read_record(folder)
    promise, pair = record.promise, record.pair
    known = {pair.id for pair in list_pairs(project)}
    left = settings_left_out(find_pair(project, pair), config.to) if pair in known else ()
    lines = (*(promise.in_words() if promise else ()), *([record.in_words] if record.in_words else []))
    rows = tuple((entry.name, show_value(entry.value), entry.why) for entry in left)
    return Exported(title, "done", "", None, str(folder), lines, target.private, rows)
