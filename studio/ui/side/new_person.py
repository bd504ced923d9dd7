"""A new person: the dialog that makes a project."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.data.captions.rules import check_trigger, suggest_trigger
from studio.errors import Problem
from studio.models.catalogue import models_to_choose
from studio.models.presence import Presence
from studio.models.preset import list_models, model_preset
from studio.project_facts import Permission
from studio.ui import download_view
from studio.ui.components import component
from studio.ui.page import Page
from studio.ui.side import project_menu
from studio.ui.side.project_menu import project_choices
from studio.ui.views import View
from studio.workspace import Workspace

PERMISSION = "I am this person, or they agreed that I train a model of them and make pictures with it."
CLASSES = ("person", "woman", "man", "girl", "boy")
CLIPS_ALONE = "It carries first pictures on, and learns from clips alone."


@dataclass(frozen=True)
class ModelChoice(View):
    """A base model in the dialog. reason: what is to be known of it, in sentences."""

    name: str
    title: str
    available: bool
    reason: str
    download: download_view.Offer | None = None


@dataclass(frozen=True)
class NewPersonDialog(View):
    models: tuple[ModelChoice, ...]
    classes: tuple[str, ...]
    permission: str


def build(page: Page) -> None:
    def list_models_live(_: str) -> list[dict[str, Any]]:
        """The base models as they are now: one may have come since the page was made."""
        return [choice.to_json() for choice in model_choices(page.workspace)]

    def check_name_live(name: str) -> str:
        return project_menu.check_name_live(page.workspace, str(name or ""))

    live = [check_name_live, check_trigger_live, suggest_trigger_live, list_models_live]
    dialog = component("new_person", new_person_options(page.workspace), server_functions=live)
    page.acts(dialog.create, lambda project, event: open_new(page.workspace, event), [], [page.project], needs_project=False)
    page.acts(dialog.download, lambda project, event: start_download(page.workspace, event), needs_project=False)


def new_person_options(workspace: Workspace) -> NewPersonDialog:
    return NewPersonDialog(tuple(model_choices(workspace)), CLASSES, PERMISSION)


def model_choices(workspace: Workspace) -> list[ModelChoice]:
    return [describe_choice(model, workspace) for model in sorted(models_to_choose(workspace), key=rank_of_choice)]


def rank_of_choice(model: Presence) -> tuple[bool, bool, bool]:
    """What is here comes first, then what knows real people, then what learns from photos too."""
    preset = model_preset(model.name)
    return not model.available, preset.is_built_in, preset.takes_first_picture


def describe_choice(model: Presence, workspace: Workspace) -> ModelChoice:
    reason, offered = model.reason, None
    if not model.available:
        told, offered = offer_download(model.name, workspace)
        reason = told or reason
    preset = model_preset(model.name)
    if preset.is_built_in:
        reason = f"{reason or 'Ready to use.'} {preset.description}"
    if preset.takes_first_picture:
        reason = f"{reason or 'Ready to use.'} {CLIPS_ALONE}"
    return ModelChoice(model.name, model.title, model.available, reason, offered)


def offer_download(name: str, workspace: Workspace) -> tuple[str, download_view.Offer | None]:
    """(what is said of a model that is not here, or "" for what the catalogue says; the download). One that runs already has no button."""
    job = download_view.newest_job(name, workspace)
    if job and not job.is_over:
        running = download_view.describe_running(job)
        return f"It is being downloaded: {running.counted}. {running.left}".strip(), None
    offered = download_view.offer(name, workspace)
    if broke_off := download_view.how_it_ended(job if job and job.state != "done" else None):
        return f"The download ended. {broke_off}", offered
    return "Not on this computer yet." if offered and not offered.here else "", offered


def start_download(workspace: Workspace, event: gr.EventData) -> str:
    if event.model not in list_models():
        raise Problem("There is no such base model.")
    return download_view.start(event.model, workspace)


def check_trigger_live(trigger: str) -> list[str]:
    """What is wrong with a trigger, while it is typed; [] when it is good."""
    text = str(trigger or "").strip()
    return [remark.words for remark in check_trigger(text)] if text else []


def suggest_trigger_live(name: str) -> str:
    """A made-up word for that name."""
    return suggest_trigger(str(name or ""))


def open_new(workspace: Workspace, event: gr.EventData) -> list[Any]:
    """Make the project and show it."""
    slug = create(workspace, event)
    return [gr.update(choices=project_choices(workspace), value=slug)]


def create(workspace: Workspace, event: gr.EventData) -> str:
    """A project from the dialog's answers; its slug."""
    name, trigger, noun, base = (str(getattr(event, part)).strip() for part in ("name", "trigger", "class_noun", "base_model"))
    if remarks := check_trigger(trigger):
        raise Problem(remarks[0].words, fix="Choose another trigger word.")
    if event.permission is not True:
        raise Problem("A model of a person needs that person's permission.", fix="Tick the box if you have it.")
    if base not in list_models():
        raise Problem(f"There is no base model {base!r}.")
    permission = Permission(granted=True, statement=PERMISSION, time=time.time())
    made = workspace.create_project(name, trigger=trigger, class_noun=noun or "person", base_model=base, permission=permission)
    return made.slug
