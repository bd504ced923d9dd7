"""What can be said of and done with whole projects: their names; rename, duplicate, delete, bring back, open the folder."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.errors import NewerFormat, Problem
from studio.jobs import state
from studio.jobs.kinds.duplicate import DuplicateJob
from studio.models.preset import model_preset
from studio.project_facts import clean_line
from studio.ui import actions
from studio.ui.components import component
from studio.ui.file_manager import open_folder
from studio.ui.page import Page
from studio.ui.views import View
from studio.workspace import Project, Workspace


@dataclass(frozen=True)
class DeletedProject(View):
    """A project that can be brought back. slug: its folder's name; when: it was deleted."""

    slug: str
    name: str
    when: str


@dataclass(frozen=True)
class ProjectMenu(View):
    """What is done with the shown project, and those that were deleted. slug: "" without a project; busy: why it can't be deleted now, or ""."""

    slug: str
    name: str
    busy: str
    deleted: tuple[DeletedProject, ...]


def build(page: Page) -> None:
    menu = component("project_menu")
    page.acts(menu.rename, lambda project, event: rename(project, str(event.name)))
    page.acts(menu.duplicate, duplicate)
    page.acts(menu.open, open_project)
    page.acts(menu.remove, delete)
    page.acts(menu.restore, lambda project, event: restore(page.workspace, str(event.slug)), [], [page.project], needs_project=False)
    page.acts(menu.forget, lambda project, event: forget(page.workspace, str(event.slug)), needs_project=False)
    page.reads(lambda project: [read_menu(page.workspace, project)], [menu], blank=[None])


def read_menu(workspace: Workspace, project: Project | None) -> ProjectMenu | None:
    deleted = tuple(describe_deleted(gone) for gone in workspace.deleted_projects())
    facts = project.facts_or_none() if project else None
    if project is None or facts is None:
        return ProjectMenu("", "", "", deleted) if deleted else None
    return ProjectMenu(project.slug, facts.name, why_busy(project), deleted)


def describe_deleted(project: Project) -> DeletedProject:
    facts = project.facts_or_none()
    when = time.strftime("%d %b, %H:%M", time.localtime(project.root.stat().st_mtime))
    return DeletedProject(project.slug, facts.name if facts else project.slug, f"deleted {when}")


def why_busy(project: Project) -> str:
    """Why a project can't be deleted now, or "": a job would go on without its folder."""
    busy = next((job for job in state.list_jobs(project.workspace, project) if not job.is_over), None)
    return f"It can be deleted when this is over: {busy.title}." if busy else ""


def rename(project: Project, name: str) -> str:
    before, facts = project.facts().name, project.update(name=name)
    return f"{before} is called {facts.name} now. {tell_equal_names(project.workspace, facts.name)}".strip()


def duplicate(project: Project) -> str:
    if actions.is_busy(project, "duplicate"):
        raise Problem("It is being duplicated already.")
    name = f"{project.facts().name} (copy)"
    actions.queue(project, DuplicateJob(name=name), f"Duplicate {project.facts().name}")
    return f"{name} is being made, with the photos, clips and captions; it appears in the list when all of it is there."


def open_project(project: Project) -> str:
    open_folder(project.root)
    return f"The folder {project.root} is opened on the computer that the studio runs on."


def delete(project: Project) -> str:
    if reason := why_busy(project):
        raise Problem(reason, cost="Nothing was changed.")
    name = project.facts().name
    project.workspace.delete_project(project)
    return f"{name} is deleted. It can be brought back, at the left under its menu."


def restore(workspace: Workspace, slug: str) -> list[Any]:
    """Bring a deleted project back and show it."""
    project = workspace.restore_project(workspace.find_deleted(slug))
    return [gr.update(choices=project_choices(workspace), value=project.slug)]


def forget(workspace: Workspace, slug: str) -> str:
    deleted = workspace.find_deleted(slug)
    name = describe_deleted(deleted).name
    workspace.forget_deleted(deleted)
    return f"{name} is deleted for good."


def tell_equal_names(workspace: Workspace, name: str) -> str:
    """How projects of one name are told apart; "" where there is one."""
    equal = workspace.projects_called(name)
    return f"{len(equal)} projects have that name; in the list their folders tell them apart." if len(equal) > 1 else ""


def check_name_live(workspace: Workspace, name: str) -> str:
    """What is to be known of a new person's name while it is typed; "" for nothing."""
    equal = workspace.projects_called(clean_line(name)) if name.strip() else []
    return f"There is a project of that name already ({equal[0].slug}); in the list their folders will tell them apart." if equal else ""


def why_read_only(project: Project | None) -> list[Problem]:
    """That a newer version of the studio made the project, so that it can only be looked at."""
    facts = project.facts_or_none() if project else None
    return [NewerFormat(facts.name)] if facts and facts.is_newer else []


def why_no_model(project: Project | None) -> list[Problem]:
    """That this studio does not know the project's base model, whatever else of the project can't be read."""
    facts = project.facts_or_none() if project else None
    if facts is None:
        return []
    try:
        model_preset(facts.base_model)
    except Problem as unknown:
        return [unknown]
    return []


def project_choices(workspace: Workspace) -> list[tuple[str, str]]:
    """(name, slug) of every project; two of the same name are told apart by their folder. A damaged one comes last: its page says what to do."""
    found = [(project.facts_or_none(), project.slug) for project in workspace.list_projects()]
    named = [(facts.name if facts else slug, slug) for facts, slug in found]
    names = [name for name, _ in named]
    damaged = [(f"{damaged.name} (damaged)", damaged.name) for damaged in workspace.damaged_projects()]
    return [(name if names.count(name) == 1 else f"{name} ({slug})", slug) for name, slug in named] + damaged
