"""Tab 2: what this computer can do, the plan, the settings; then the run, watched and stopped."""

import gradio as gr

from studio.config import TrainConfig
from studio.jobs import launcher
from studio.training.pairs import damaged_pairs
from studio.training.plan.plan_presets import list_recipes
from studio.ui import actions, download_view
from studio.ui.components import component
from studio.ui.evaluate import sample_clips as train_samples
from studio.ui.settings_form import build_form, flatten, place_field, search_index, show
from studio.ui.train import choice as train_choice
from studio.ui.train import view as train_view
from studio.ui.train.rehearsals import read_rehearsal

ID, TITLE, ORDER = "train", "Train", 20


def build(page):
    next_step = component("next_step", elem_id="next-train")
    page.acts(next_step.act, lambda project, event: actions.act(page, project, event.action))
    page.reads(lambda project: [train_view.next_step(project)], [next_step], tab=ID, blank=[actions.MEND_FIRST])
    page.warns(damaged_pairs, tab=ID)
    build_download(page)
    build_run(page)
    build_plan(page)


def build_download(page):
    """The base model, while it is not on this computer."""
    panel = component("download")
    download_view.connect(page, panel, lambda project: project.facts().base_model)
    page.reads(lambda project: [download_view.read_download(project)], [panel], tab=ID)


def build_run(page):
    """The newest training of this project, running or how it ended; or an earlier one that is looked at."""
    run, chosen, log = component("training"), gr.State({}), gr.State({})
    page.acts(run.show, lambda project, event: [{"run": str(event.run), "newest": actions.newest_train(project).name}], [], [chosen])
    page.acts(run.stop, lambda project, event: launcher.cancel(project.run_dir(event.run)))
    page.acts(run.pause, pause)
    page.acts(run.draw, lambda project, event: train_samples.draw(project, str(event.pair)))
    page.acts(run.save, save_now)
    page.acts(run.act, lambda project, event: actions.act(page, project, event.action))
    page.acts(run.turn, lambda project, event: [{"run": str(event.run), "end": event.end}], [], [log])
    page.reads(lambda project, chosen, log: [train_view.read_run(project, chosen, log)], [run], [chosen, log], tab=ID)


def pause(project, event):
    launcher.pause(project.run_dir(event.run))
    return "It saves after this step and frees the GPU; no other job begins until you resume it or start another."


def save_now(project, event):
    launcher.request_save(project.run_dir(event.run))
    return "A checkpoint pair is saved as soon as both experts have reached the same step."


def build_plan(page):
    with gr.Row(elem_id="plan-row"):
        with gr.Column(scale=2, min_width=280):
            recipe = gr.Radio(recipe_choices(), label="Recipe", elem_id="recipe")
            choice = gr.HTML("", apply_default_css=False)
            config = gr.UploadButton(
                "Settings from AI Toolkit or diffusion-pipe",
                file_count="multiple",
                file_types=[".yaml", ".yml", ".json", ".toml"],
                elem_id="take-config",
                size="sm",
            )
        with gr.Column(scale=3, min_width=280):
            plan = gr.HTML("", apply_default_css=False, elem_id="plan")
    with gr.Row(elem_classes="settings", elem_id="before-start"):
        finish_by = place_field(TrainConfig, "finish_by", "train")
        info = "Drawn of a saved pair when you ask for it, beside the pair."
        clip = gr.Dropdown([], label="A test clip shows", info=info, elem_id="sample-prompt", min_width=220)
    with gr.Row(elem_classes="start-row"):
        start = gr.Button("Start training", elem_id="start-training", scale=0, min_width=200)
        rehearse = gr.Button("Rehearse", elem_id="rehearse", scale=0, min_width=140)
        reason = gr.HTML("", apply_default_css=False, elem_id="start-reason")
    taken = gr.HTML("", apply_default_css=False, elem_id="taken-config")
    with gr.Accordion("All settings", open=False, elem_id="all-settings", elem_classes="fold"):
        component("find_setting", search_index(TrainConfig, "train"))
        form = build_form(TrainConfig, "train", placed={"finish_by": finish_by})
        reset = gr.Button("Back to the recipe's settings", elem_id="reset-settings", scale=0)
    page.acts(clip.input, train_samples.choose_prompt, [clip])
    page.reads(lambda project: [train_samples.read_prompts(project)], [clip], tab=ID)
    page.acts(recipe.input, train_choice.choose_recipe, [recipe])
    page.acts(reset.click, train_choice.forget_edits)
    page.acts(config.upload, train_choice.take_config, [config])
    page.reads(lambda project: [train_view.describe_import(project)], [taken], tab=ID)
    form.on_edit(
        lambda event, name, field: page.acts(
            event, lambda project, value: train_choice.save_edits(project, form.parse({name: value})), [field]
        )
    )
    page.acts(start.click, lambda project, *values: start_training(project, form, values), form.components)
    page.acts(rehearse.click, lambda project, *values: start_rehearsal(project, form, values), form.components)
    shown = [recipe, choice, plan, start, rehearse, reason, *form.groups.values(), *form.components]
    page.reads(lambda project: read_plan(project, form), shown, tab=ID)


def recipe_choices():
    return [(recipe.title, recipe.name) for recipe in list_recipes()]


def start_training(project, form, values):
    """An edit that was not left with Tab or Enter counts, too."""
    train_choice.save_edits(project, form.read(values))
    return train_choice.start(project)


def start_rehearsal(project, form, values):
    train_choice.save_edits(project, form.read(values))
    return train_choice.rehearse(project)


def read_plan(project, form):
    """Values of the recipe radio, the remark under it, the plan, the two buttons, their reason, every fold's title, and every field."""
    if project is None:
        start, rehearse = gr.update(value="Start training", interactive=False), gr.update(interactive=False)
        return [None, "", "", start, rehearse, "", *form.describe_groups(TrainConfig, {}), *form.blank()]
    plan = train_choice.make_plan(project)
    settings = flatten(plan.config)
    label, reason, interactive = train_view.start_button(project, plan)
    button, rehearsal = gr.update(value=label, interactive=interactive), read_rehearsal(project)
    rehearse = gr.update(interactive=interactive and not rehearsal.is_busy)
    fields = [show(settings[name]) for name in form.fields]
    return [
        plan.recipe,
        train_view.describe_choice(project, plan),
        train_view.describe_plan(plan),
        button,
        rehearse,
        reason + rehearsal.html,
        *form.describe_groups(TrainConfig, train_choice.read_choice(project)[1]),
        *fields,
    ]
