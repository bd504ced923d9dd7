"""The chosen pair in ComfyUI: where that is, what was put there with what was said of it, and the way back out."""

from typing import Any

import gradio as gr

from studio.errors import Problem
from studio.evaluation import sweeps
from studio.evaluation.sweep_facts import Sweep
from studio.export.comfy import sentences
from studio.export.comfy.placing import Placed, read_notes, take_back
from studio.export.comfy.use import Used, choose_installation, put_into_comfyui
from studio.export.lora_format import DESCRIBED, find_format
from studio.export.targets import find_target
from studio.project_facts import ChosenPair
from studio.training.pairs import Pair, find_pair
from studio.ui import uploads
from studio.ui.actions import find_button
from studio.ui.components import component
from studio.ui.page import Page
from studio.ui.views import NextStep, Remark, Remarks
from studio.workspace import Project

NOT_CHOSEN = (
    "Press Use it above, or choose a pair below its clips: it goes into ComfyUI's folder for LoRA files, with workflows that draw with it."
)
NOT_THERE = "The chosen pair is not in ComfyUI. Name ComfyUI's folder, if it was not found, and put the pair into it."


def build(page: Page, tab: str) -> None:
    with gr.Accordion("ComfyUI", open=False, elem_id="comfyui", elem_classes="fold"):
        told = component("remarks", elem_id="comfyui-told")
        info = "The one with ComfyUI's main.py or models in it, or its folder for LoRA files. Empty: where the base models are linked from."
        folder = gr.Textbox(label="ComfyUI's folder", info=info, elem_id="comfyui-folder")
        with gr.Row(elem_classes="start-row"):
            put = gr.Button("Put the pair into ComfyUI", elem_id="put-comfyui", scale=0, min_width=220)
            take = gr.Button("Take it back out", elem_id="take-back-comfyui", scale=0, min_width=180)
        lora_format = gr.Dropdown(
            [(f"{name}: {words}", name) for name, words in DESCRIBED.items()],
            label="Number format of the LoRA files",
            info="How exactly they are written; the difference is measured for your pair, and said.",
            elem_id="lora-format",
        )
    page.acts(lora_format.input, save_lora_format, [lora_format])
    page.reads(lambda project: [read_lora_format(project)], [lora_format], tab=tab)
    page.acts(put.click, put_chosen, [folder])
    page.acts(take.click, lambda project: sentences.tell_taken_back(take_back(project)))
    page.reads(read_comfyui, [told, folder, put, take], tab=tab)


def save_lora_format(project: Project, name: str) -> None:
    project.update(lora_format=find_format(name))


def read_lora_format(project: Project | None) -> str:
    return (project.facts().lora_format if project else "") or find_target("comfyui").lora_format


def put_chosen(project: Project, folder: str) -> str:
    """Put the pair that was chosen last into the ComfyUI of that folder."""
    chosen = project.facts().chosen
    if chosen is None:
        raise Problem("No pair is chosen yet.", fix="Press Use it, or choose a pair below its clips.")
    named = str(uploads.check_folder(folder)) if folder.strip() else ""
    sweep = sweeps.find_last_with(project, chosen.pair)
    return _first_of(_put(project, find_pair(project, chosen.pair), chosen.strength, sweep, named))


def put_if_found(project: Project, pair: Pair, strength: float, sweep: Sweep) -> str:
    """What became of a pair in ComfyUI, in words. That it can't be put there does not undo the choice of it."""
    try:
        return _first_of(_put(project, pair, strength, sweep))
    except Problem as e:
        return e.in_words()


def next_step(project: Project) -> NextStep:
    """What to do with the chosen pair."""
    notes, chosen = read_notes(project), project.facts().chosen
    if chosen and notes.pair == chosen.pair and notes.workflows:
        return NextStep(f"open a workflow in ComfyUI, and draw: {notes.workflows[0]}.", reason=notes.comfyui)
    return NextStep(
        "load the pair in ComfyUI: the high noise file into the high noise LoRA loader, the low noise file into the low noise one.",
        button=find_button("open-comfyui"),
    )


def read_comfyui(project: Project | None) -> list[Any]:
    if project is None:
        return [_remarks([NOT_CHOSEN]), "", gr.update(interactive=False), gr.update(interactive=False)]
    notes, chosen = read_notes(project), project.facts().chosen
    known = project.workspace.facts().comfyui
    return [_remarks(_tell(notes, chosen)), known, gr.update(interactive=chosen is not None), gr.update(interactive=bool(notes.files))]


def _put(project: Project, pair: Pair, strength: float, sweep: Sweep | None, named: str = "") -> Used:
    return put_into_comfyui(project, choose_installation(project.workspace, named), pair, strength, sweep)


def _first_of(used: Used) -> str:
    return " ".join(used.said[: used.num_first])


def _tell(notes: Placed, chosen: ChosenPair | None) -> list[str]:
    """What is in ComfyUI, of the chosen pair and of one before."""
    if notes.said and (chosen is None or notes.pair == chosen.pair):
        return [f"In {notes.comfyui}:", *notes.said]
    earlier = [f"{notes.pair} is in {notes.comfyui}."] if notes.pair else []
    return [*earlier, NOT_THERE if chosen else NOT_CHOSEN]


def _remarks(told: list[str]) -> Remarks:
    return Remarks(tuple(Remark(sentence) for sentence in told))
