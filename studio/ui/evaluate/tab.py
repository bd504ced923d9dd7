"""Tab 3: every checkpoint pair's clips side by side, the verdict, and the pair that is used from now on."""

from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.components import Component

from studio.config import SweepConfig
from studio.errors import Problem
from studio.evaluation.guests.guest_list import is_guest
from studio.evaluation.sweep_plan import select_pairs
from studio.evaluation.sweeps import check_compared, damaged_sweeps, newer_sweeps, read_sweep
from studio.export.exporting import export_pair, read_export
from studio.project_facts import ChosenPair
from studio.training.pairs import damaged_pairs, list_pairs
from studio.ui import actions
from studio.ui.components import component
from studio.ui.evaluate import choice as evaluate_choice
from studio.ui.evaluate import comfyui_fold as evaluate_comfyui
from studio.ui.evaluate import view as evaluate_view
from studio.ui.evaluate.blame_fold import build_blame
from studio.ui.evaluate.export_fold import build_export
from studio.ui.evaluate.guest_fold import build_guests
from studio.ui.evaluate.voting import build_votes
from studio.ui.page import Page
from studio.ui.settings_form import Form, build_form, show
from studio.ui.views import Remark, Remarks
from studio.workspace import Project

ID, TITLE, ORDER = "evaluate", "Evaluate", 30


def build(page: Page) -> None:
    next_step = component("next_step", elem_id="next-evaluate")
    page.acts(next_step.act, lambda project, event: actions.act(page, project, event.action))
    page.reads(lambda project: [evaluate_view.next_step(project)], [next_step], tab=ID, blank=[actions.MEND_FIRST])
    page.warns(damaged_pairs, tab=ID)
    page.warns(damaged_sweeps, tab=ID)
    page.warns(newer_sweeps, tab=ID)
    page.warns(evaluate_view.odd_pairs, tab=ID)
    build_clips(page)
    evaluate_comfyui.build(page, ID)
    build_choice(page)
    build_blame(page)
    build_guests(page)
    build_export(page)


def build_clips(page: Page) -> None:
    shown = page.remember("")
    clips = component("clips")
    page.acts(clips.show, lambda project, event: [str(event.sweep)], [], [shown])
    page.acts(clips.use, use_pair)
    page.reads(lambda project, name: [evaluate_view.read_clips(project, name)], [clips], [shown], tab=ID)
    page.acts(build_votes(page, shown, ID).use, use_pair)


def use_pair(project: Project, event: gr.EventData) -> str:
    """Choose a pair: export it for ComfyUI, remember it, and put it into the person's ComfyUI where that is found."""
    if is_guest(str(event.pair)):
        raise Problem(
            "A guest was made elsewhere, so its files are with you already.",
            cost="Nothing was changed.",
            fix="Use one of your own pairs here.",
        )
    pair = select_pairs(project, [str(event.pair)])[0]
    check_compared(project.sweep_dir(str(event.sweep)), pair)
    strength = float(event.strength)
    folder = export_pair(project, pair, "comfyui", strength, lora_format=project.facts().lora_format)
    project.update(chosen=ChosenPair(pair=pair.id, step=pair.step, strength=strength, folder=str(folder)))
    there = evaluate_comfyui.put_if_found(project, pair, strength, read_sweep(project.sweep_dir(str(event.sweep))))
    return f"Step {pair.step:,} at {strength:g} is yours now. Its files are in {folder}. {read_export(folder).in_words} {there}"


def build_choice(page: Page) -> None:
    """What the next comparison draws."""
    with gr.Accordion("Draw test clips", open=False, elem_id="new-comparison", elem_classes="fold") as fold:
        with gr.Row():
            pairs = gr.CheckboxGroup([], label="Checkpoint pairs", elem_id="sweep-pairs")
            strengths = gr.CheckboxGroup(
                list(evaluate_choice.STRENGTHS),
                label="Strengths",
                info="LoRA scale: how strongly the pair is applied",
                elem_id="sweep-strengths",
            )
        info = "One a line; [trigger] stands for the person, [class] for what they are. A short name and | may stand before it."
        prompts = gr.Textbox(label="Prompts", info=info, lines=5, max_lines=16, elem_id="sweep-prompts")
        seeds = gr.Textbox(label="Seeds", info="seeds: the same for every pair, so that only the pair differs", elem_id="sweep-seeds")
        with gr.Accordion("All settings", open=False, elem_id="sweep-settings", elem_classes="fold"):
            form = build_form(SweepConfig, "sweep", skip=evaluate_choice.ASKED_APART)
    with gr.Row(elem_classes="start-row"):
        start = gr.Button("Draw the test clips", elem_id="start-sweep", scale=0, min_width=200)
        estimate = component("remarks", elem_id="sweep-estimate")
    fields = {"pairs": pairs, "strengths": strengths, "seeds": seeds, "prompts": prompts}

    def save_one(event: Callable[..., Any], name: str, field: Component) -> None:
        def save(project: Project, value: Any) -> None:
            evaluate_choice.save_choice(project, **({name: value} if name in fields else form.parse({name: value})))

        page.acts(event, save, [field])

    def save_and_start(project: Project, *values: Any) -> str:
        if not evaluate_choice.what_prevents(project):
            evaluate_choice.save_choice(project, **dict(zip(fields, values)), **form.read(values[len(fields) :]))
        return evaluate_choice.start(project)

    for name, events in {"pairs": ("input",), "strengths": ("input",), "seeds": ("submit", "blur"), "prompts": ("blur",)}.items():
        for event in events:
            save_one(getattr(fields[name], event), name, fields[name])
    form.on_edit(save_one)
    page.acts(start.click, save_and_start, [*fields.values(), *form.components])
    page.reads(
        lambda project: read_choice(project, form), [fold, pairs, strengths, seeds, prompts, start, estimate, *form.components], tab=ID
    )


def read_choice(project: Project | None, form: Form) -> list[Any]:
    if project is None:
        nothing = [gr.update(open=False), gr.update(choices=[], value=[]), gr.update(value=[]), "", ""]
        return [*nothing, gr.update(interactive=False), None, *form.blank()]
    config, chosen = evaluate_choice.read_choice(project)
    choices = evaluate_view.pair_choices(project)
    chosen = chosen or [pair.id for pair in list_pairs(project)]
    reason = evaluate_choice.what_prevents(project)
    said = Remark(reason, "remark") if reason else Remark(evaluate_choice.estimate(project))
    strengths = sorted({*evaluate_choice.STRENGTHS, *config.strengths})
    return [
        gr.update(open=bool(choices) and not evaluate_view.has_sweep(project)),
        gr.update(choices=choices, value=chosen),
        gr.update(choices=strengths, value=list(config.strengths)),
        show(config.seeds),
        "\n".join(config.prompts),
        gr.update(interactive=not reason),
        Remarks((said,)),
        *[show(getattr(config, name)) for name in form.fields],
    ]
