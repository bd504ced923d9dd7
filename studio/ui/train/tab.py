"""Tab 2: what this computer can do, the plan, the settings; then the run, watched and stopped."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.components import Component

from studio.config import TrainConfig, flatten
from studio.export.reading.taking_over import FILE_TYPES, readable_targets
from studio.jobs import launcher
from studio.training.pairs import damaged_pairs
from studio.training.plan.plan_presets import list_recipes
from studio.ui import actions, download_view
from studio.ui.components import component
from studio.ui.evaluate import sample_clips as train_samples
from studio.ui.page import Page, Trigger
from studio.ui.settings_form import Field, Form, build_form, place_field, search_index, show
from studio.ui.train import choice as train_choice
from studio.ui.train import plan as train_plan
from studio.ui.train import view as train_view
from studio.ui.train.rehearsals import read_rehearsal
from studio.ui.views import Remarks
from studio.workspace import Project

ID, TITLE, ORDER = "train", "Train", 20


def build(page: Page) -> None:
    next_step = component("next_step", elem_id="next-train")
    page.acts_by_name(next_step)
    page.reads(lambda project: [train_view.next_step(project)], [next_step], tab=ID, blank=[actions.MEND_FIRST])
    page.warns(damaged_pairs, tab=ID)
    build_download(page)
    build_run(page)
    build_plan(page)


def build_download(page: Page) -> None:
    """The base model, while it is not on this computer."""
    panel = component("download")
    download_view.connect(page, panel, lambda project: project.facts().base_model)
    page.reads(lambda project: [download_view.read_download(project)], [panel], tab=ID)


def build_run(page: Page) -> None:
    """The newest training of this project, running or how it ended; or an earlier one that is looked at."""
    run, chosen, log = component("training"), page.remember(None), page.remember(None)
    page.acts(run.show, look_at, [], [chosen])
    page.acts(run.stop, lambda project, event: launcher.cancel(project.run_dir(event.run)))
    page.acts(run.pause, pause)
    page.acts(run.draw, lambda project, event: train_samples.draw(project, str(event.pair)))
    page.acts(run.save, save_now)
    page.acts_by_name(run)
    page.acts(run.turn, turn_log, [], [log])
    page.reads(lambda project, chosen, log: [train_view.read_run(project, chosen, log)], [run], [chosen, log], tab=ID)


def look_at(project: Project, event: gr.EventData) -> list[train_view.LookedAt]:
    newest = actions.newest_train(project)
    return [train_view.LookedAt(str(event.run), newest.name if newest else "")]


def turn_log(project: Project, event: gr.EventData) -> list[train_view.LogPage]:
    return [train_view.LogPage(str(event.run), event.end if isinstance(event.end, int) else None)]


def pause(project: Project, event: gr.EventData) -> str:
    launcher.pause(project.run_dir(event.run))
    return "It saves after this step and frees the GPU; no other job begins until you resume it or start another."


def save_now(project: Project, event: gr.EventData) -> str:
    launcher.request_save(project.run_dir(event.run))
    return "A checkpoint pair is saved as soon as both experts have reached the same step."


def build_plan(page: Page) -> None:
    """What will be trained: the recipe and the plan, what is asked before the start, its two buttons, and all settings."""
    with gr.Row(elem_id="plan-row"):
        with gr.Column(scale=2, min_width=280):
            recipe = gr.Radio(recipe_choices(), label="Recipe", elem_id="recipe")
            choice = component("remarks", elem_id="recipe-remarks")
            build_take_over(page)
        with gr.Column(scale=3, min_width=280):
            plan = component("plan", elem_id="plan")
    with gr.Row(elem_classes="settings", elem_id="before-start"):
        finish_by = place_field(TrainConfig, "finish_by", "train")
        build_sample_prompt(page)
    with gr.Row(elem_classes="start-row"):
        start = gr.Button("Start training", elem_id="start-training", scale=0, min_width=200)
        rehearse = gr.Button("Rehearse", elem_id="rehearse", scale=0, min_width=140)
        reason = component("remarks", elem_id="start-reason")
    taken = component("taken", elem_id="taken-config")
    page.reads(lambda project: [train_plan.describe_import(project)], [taken], tab=ID)
    form = build_settings(page, {"finish_by": finish_by})
    page.acts(recipe.input, train_choice.choose_recipe, [recipe])
    page.acts(start.click, lambda project, *values: start_training(project, form, values), form.components)
    page.acts(rehearse.click, lambda project, *values: start_rehearsal(project, form, values), form.components)
    shown = [recipe, choice, plan, start, rehearse, reason, *form.groups.values(), *form.components]
    page.reads(lambda project: read_plan(project, form), shown, tab=ID)


def build_take_over(page: Page) -> None:
    """Settings from a config of another trainer."""
    label = f"Settings from {' or '.join(target.title for target in readable_targets())}"
    config = gr.UploadButton(label, file_count="multiple", file_types=list(FILE_TYPES), elem_id="take-config", size="sm")
    page.takes(config, train_choice.take_config, lambda files: train_choice.forget_config(page.workspace, files))


def build_sample_prompt(page: Page) -> None:
    """What a test clip of a saved pair shows."""
    info = "Drawn of a saved pair when you ask for it, beside the pair."
    clip = gr.Dropdown([], label="A test clip shows", info=info, elem_id="sample-prompt", min_width=220)
    page.acts(clip.input, train_samples.choose_prompt, [clip])
    page.reads(lambda project: [train_samples.read_prompts(project)], [clip], tab=ID)


def build_settings(page: Page, placed: dict[str, Field]) -> Form:
    """All settings, each kept as soon as it is left; `placed` stand elsewhere."""
    with gr.Accordion("All settings", open=False, elem_id="all-settings", elem_classes="fold"):
        component("find_setting", search_index(TrainConfig, "train"))
        form = build_form(TrainConfig, "train", placed=placed)
        reset = gr.Button("Back to the recipe's settings", elem_id="reset-settings", scale=0)

    def save_one(event: Trigger, name: str, field: Component) -> None:
        page.acts(event, lambda project, value: train_choice.save_edits(project, form.parse({name: value})), [field])

    page.acts(reset.click, train_choice.forget_edits)
    form.on_edit(save_one)
    return form


def recipe_choices() -> list[tuple[str, str]]:
    return [(recipe.title, recipe.name) for recipe in list_recipes()]


def start_training(project: Project, form: Form, values: tuple[Any, ...]) -> str:
    """An edit that was not left with Tab or Enter counts, too."""
    train_choice.save_edits(project, form.read(values))
    return train_choice.start(project)


def start_rehearsal(project: Project, form: Form, values: tuple[Any, ...]) -> str:
    train_choice.save_edits(project, form.read(values))
    return train_choice.rehearse(project)


def read_plan(project: Project | None, form: Form) -> list[Any]:
    """Values of the recipe radio, the remark under it, the plan, the two buttons, their reason, every fold's title, and every field."""
    if project is None:
        start, rehearse = gr.update(value="Start training", interactive=False), gr.update(interactive=False)
        return [None, None, None, start, rehearse, None, *form.describe_groups(TrainConfig, {}), *form.blank()]
    plan = train_choice.make_plan(project)
    settings, overrides = flatten(plan.config), train_choice.read_choice(project)[1]
    start, rehearsal = train_plan.start_button(project, plan), read_rehearsal(project)
    return [
        plan.recipe,
        train_plan.describe_choice(project, plan),
        train_plan.describe_plan(plan),
        gr.update(value=start.label, interactive=start.interactive),
        gr.update(interactive=start.interactive and not rehearsal.is_busy),
        Remarks(tuple(remark for remark in (start.remark, rehearsal.remark) if remark)),
        *form.describe_groups(TrainConfig, overrides),
        *[show(settings[name]) for name in form.fields],
    ]
