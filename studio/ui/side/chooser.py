"""The left side: which person is shown, and what the page opens with."""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.ui.page import Page, Seen, quietly
from studio.ui.side import new_person, project_menu, status_line
from studio.ui.side.project_menu import project_choices, why_no_model, why_read_only
from studio.workspace import Project, Workspace


def build(page: Page) -> None:
    gr.HTML('<h1 class="brand">Likeness Studio</h1>', apply_default_css=False)
    page.project = gr.Dropdown([], label="Project", elem_id="project", container=True, filterable=False)
    # before what asks the studio: gradio does what an event leads to one after the other
    quietly(page.project.change, None, page.project, js="(slug) => { window.studioChoose?.(slug); return []; }")  # to the component `shows`
    project_menu.build(page)
    new_person.build(page)
    status_line.build(page)
    page.reads(lambda project: [read_chooser(page.workspace, project)], [page.project], blank=[gr.skip()])
    page.warns(why_read_only, tab="")
    page.warns(why_no_model, tab="")


def restore(page: Page, demo: gr.Blocks, tabs: gr.Tabs) -> None:
    """At page load: the project and the tab that this browser showed last, if they still exist."""
    first = {"project": "", "tab": page.tab_items[0].id}
    remembered = gr.BrowserState(first, storage_key="likeness-studio", secret="likeness-studio")  # which project was open; nothing private

    def open_page(last: dict[str, Any]) -> tuple[Any, ...]:
        choices = project_choices(page.workspace)
        slugs = [slug for _, slug in choices]
        slug = first_shown(page.workspace, last, slugs)
        tab = next((tab.id for tab in page.tab_items if tab.id == last.get("tab")), page.tab_items[0].id)
        return gr.update(choices=choices, value=slug), tab, gr.update(selected=tab), Seen(slug, fresh=True)

    page.done.append(quietly(demo.load, open_page, remembered, [page.project, page.tab, tabs, page.seen]))

    def note(slug: str | None, tab: str, seen: Seen | None) -> Any:
        if not slug or not seen:
            return gr.skip()
        if page.workspace.facts().last_project != slug:
            page.workspace.update(last_project=slug)
        return {"project": slug, "tab": tab}

    shown = [page.project, page.tab, page.seen]
    quietly(page.project.change, note, shown, remembered)
    for tab in page.tab_items:
        opened = quietly(tab.select, lambda name=tab.id: name, None, page.tab)
        quietly(opened.then, note, shown, remembered)
        page.done.append(opened)


def first_shown(workspace: Workspace, last: dict[str, Any], slugs: list[str]) -> str | None:
    """The project that this browser showed last, else the one that any did, else the first; None without any."""
    wanted = (last.get("project"), workspace.facts().last_project)
    return next((slug for slug in wanted if slug in slugs), slugs[0] if slugs else None)


def read_chooser(workspace: Workspace, project: Project | None) -> Any:
    """The projects there are now; the first one is chosen where none is (any more)."""
    choices = project_choices(workspace)
    return gr.update(choices=choices, value=choices[0][1]) if project is None and choices else gr.update(choices=choices)
