"""Guests on the Evaluate tab: LoRA files dropped or named, another person's pair, and which guests there are."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import Problem
from studio.evaluation.guests.guest_list import find_guest, list_guests, remove_guest
from studio.jobs import state
from studio.jobs.kinds.guest import GuestJob, GuestReport
from studio.training.pairs import list_pairs
from studio.ui import actions, uploads
from studio.ui import formatting as f
from studio.ui.components import component
from studio.ui.page import Page
from studio.ui.views import Remark, Remarks
from studio.workspace import Project

FOLDER = "guest"  # of an upload
BETWEEN = "|"  # of a project's slug and a pair's id, in the list of other people's pairs
EMPTY = "Drop the LoRA file of a guest, or the two of a pair; or name them, or choose another person's pair."


def build_guests(page: Page) -> None:
    with gr.Accordion("Guests: pairs made elsewhere, or another person's", open=False, elem_id="guests", elem_classes="fold"):
        with gr.Row(equal_height=True):
            files = gr.File(
                label="Drop one LoRA file, or the two of a pair", file_count="multiple", elem_id="guest-upload", height=120, scale=3
            )
            with gr.Column(scale=2, min_width=240):
                info = "One a line; they are copied. Any trainer's .safetensors of plain LoRA will do."
                named = gr.Textbox(label="Or files on this computer", info=info, lines=2, elem_id="guest-files")
                others = gr.Dropdown([], label="Or another person's pair", elem_id="guest-of")
        with gr.Row():
            info = "trigger: what called the person when it was trained. Empty: as its file says."
            trigger = gr.Textbox(label="Its trigger word", info=info, elem_id="guest-trigger")
            no_trigger = gr.Checkbox(False, label="It was trained without a trigger", elem_id="guest-no-trigger")
        with gr.Row(elem_classes="start-row"):
            add = gr.Button("Take it in", elem_id="add-guest", scale=0, min_width=200)
            said = component("remarks", elem_id="guests-said")
        with gr.Row():
            known = gr.Dropdown([], label="Guests there are", elem_id="guest-known")
            away = gr.Button("Take it away", elem_id="remove-guest", scale=0, min_width=160)
    page.takes(files, take_files, lambda sent: uploads.forget(page.workspace, [file.path for file in sent or []]))
    page.acts(add.click, add_guest, [named, others, trigger, no_trigger], [named, trigger, no_trigger])
    page.acts(away.click, take_away, [known])
    page.reads(read_guests, [others, known, said, add], tab="evaluate")


def take_files(project: Project, files: list[uploads.Sent]) -> str:
    """Keep dropped files until they are taken in; those of an earlier drop are gone then."""
    if actions.is_busy(project, GuestJob.KIND):
        raise Problem("A guest is being taken in already.", fix="Wait for it, then drop these again.")
    earlier = upload_folders(project)
    taken = uploads.take(project, files or [], FOLDER)
    for folder in earlier:
        shutil.rmtree(folder, ignore_errors=True)
    names = ", ".join(path.name for path in _files_in(taken.folder))
    return f"{names}: say what its trigger is, then take it in."


def add_guest(project: Project, named: str | None, other: str | None, trigger: str | None, no_trigger: bool) -> list[Any]:
    """Queue the taking in of what was named, chosen or dropped, in this order."""
    if actions.is_busy(project, GuestJob.KIND):
        raise Problem("A guest is being taken in already.", fix="Wait for it.")
    word = (trigger or "").strip()
    said = "" if no_trigger else word or None
    paths = [str(uploads.check_folder(line)) for line in (named or "").splitlines() if line.strip()]
    folders = upload_folders(project)
    if paths:
        job = GuestJob(files=tuple(paths), trigger=said)
    elif other:
        slug, _, pair = other.partition(BETWEEN)
        job = GuestJob(of=slug, pair=pair)
    elif folders:
        job = GuestJob(files=tuple(map(str, _files_in(folders[-1]))), trigger=said, delete_after=str(folders[-1]))
    else:
        raise Problem("There is no file yet.", fix=EMPTY)
    actions.queue(project, job)
    return ["", "", False]


def take_away(project: Project, guest: str | None) -> str:
    if not guest:
        raise Problem("No guest is chosen.", fix="Choose one in the list.")
    title = find_guest(project, guest).facts.title
    remove_guest(project, guest)
    return f"{title} is no guest any more; clips that were drawn with it stay."


def upload_folders(project: Project) -> list[Path]:
    """What was dropped and not taken in yet, oldest first."""
    return sorted(uploads.incoming_dir(project).glob(f"{FOLDER}-*"))


def _files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def read_guests(project: Project | None) -> list[Any]:
    if project is None:
        return [gr.update(choices=[], value=None), gr.update(choices=[], value=None), None, gr.update(interactive=False)]
    known = [(f"{guest.facts.title} ({called(guest.facts.trigger)})", guest.id) for guest in list_guests(project)]
    busy = actions.is_busy(project, GuestJob.KIND)
    return [
        gr.update(choices=[("", ""), *pairs_of_others(project)]),
        gr.update(choices=known, value=None),
        Remarks(tuple(remarks(project))),
        gr.update(interactive=not busy),
    ]


def called(trigger: str) -> str:
    return f"trigger {trigger}" if trigger else "no trigger"


def pairs_of_others(project: Project) -> list[tuple[str, str]]:
    """(title, slug and id) of the pairs of other projects with the same base model."""
    found, base = [], project.facts().base_model
    for other in project.workspace.list_projects():
        facts = other.facts_or_none()
        if other.slug != project.slug and facts and facts.base_model == base:
            found += [(f"{facts.name}, step {pair.step:,} of {pair.run}", f"{other.slug}{BETWEEN}{pair.id}") for pair in list_pairs(other)]
    return found


def remarks(project: Project) -> Iterator[Remark]:
    """How the last taking in stands, and what was dropped and waits."""
    job = next((job for job in state.list_jobs(project.workspace, project) if job.kind == GuestJob.KIND), None)
    if job and not job.is_over:
        yield Remark("A guest is being taken in.")
        return
    waits = [path.name for folder in upload_folders(project)[-1:] for path in _files_in(folder)]
    if job and job.state != "done":
        yield Remark(f.in_sentences(job.error, with_cost=False) or f"The guest was not taken in: {f.STATES[job.state]}.", "remark")
    elif job and not waits and (report := job.read_result(GuestReport)):
        yield Remark(report.words)
    if waits:
        yield Remark(f"Waiting to be taken in: {', '.join(waits)}.")
    elif not job and not list_guests(project):
        yield Remark(EMPTY)
