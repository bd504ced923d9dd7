"""The list of captions in the Dataset tab: typed into, kept or left out, edited many at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.data import dataset
from studio.data.captions.caption_files import clean_caption
from studio.data.media.thumbnails import version_of
from studio.errors import Problem
from studio.ui import actions
from studio.ui import formatting as f
from studio.ui.components import component
from studio.ui.dataset import bulk_view, caption_rows
from studio.ui.dataset.audit_view import read_findings
from studio.ui.dataset.caption_rows import OF_FINDING, CaptionRow, Desk, choose, find_finding
from studio.ui.views import View
from studio.workspace import Project

if TYPE_CHECKING:
    from studio.ui.page import Page

SAVED, CHANGED, REFUSED = "saved", "changed", "refused"  # what became of a caption that was sent


@dataclass(frozen=True)
class Answer(View):
    """What became of one caption. words: why it was not saved; row: as it is now, None where the picture is gone."""

    id: str
    state: str
    words: str = ""
    row: CaptionRow | None = None


@dataclass(frozen=True)
class Answers(View):
    answers: tuple[Answer, ...] = ()
    error: str = ""


def build(page: Page, tab: str) -> None:
    """The findings, the switch between pictures and captions, the edit of many, the list."""
    desk = page.remember(Desk())
    build_findings(page, tab, desk)
    switch = component("caption_switch")
    page.acts(switch.switch, lambda project, desk, event: [open_or_close(desk, bool(event.open))], [desk], [desk])
    page.reads(lambda project, desk: [caption_rows.read_switch(project, desk)], [switch], [desk], tab=tab)
    build_bulk_edit(page, tab, desk)
    build_list(page, tab, desk)


def build_findings(page: Page, tab: str, desk: gr.State) -> None:
    """What the audit says about all captions together; each finding leads to its captions."""
    findings = component("findings", elem_id="findings")
    page.acts(findings.show, lambda project, desk, event: [lead_to(project, desk, str(event.key), False)], [desk], [desk])
    page.acts(findings.edit, lambda project, desk, event: [lead_to(project, desk, str(event.key), True)], [desk], [desk])
    page.reads(lambda project: [read_findings(project)], [findings], tab=tab)


def build_bulk_edit(page: Page, tab: str, desk: gr.State) -> None:
    def preview_live(sent: dict[str, Any]) -> dict[str, Any]:
        """What an edit would change, while it is typed."""
        return told(lambda: bulk_view.preview(find_sender(page, sent), sent), lambda words: bulk_view.Preview(error=words))

    bulk = component("bulk_edit", server_functions=[preview_live])
    page.acts(bulk.apply, lambda project, event: apply_edit(project, event.sent))
    page.reads(lambda project, desk: [bulk_view.read_form(project, desk)], [bulk], [desk], tab=tab)


def build_list(page: Page, tab: str, desk: gr.State) -> None:
    def save_captions_live(sent: dict[str, Any]) -> dict[str, Any]:
        """Save what was typed, to the project it was typed for, whichever is shown by now."""
        with page.acting:
            return told(lambda: save_captions(find_sender(page, sent), sent["captions"]), lambda words: Answers(error=words))

    def keep_live(sent: dict[str, Any]) -> dict[str, Any]:
        """Keep one item, or leave it out."""
        with page.acting:
            return told(lambda: keep(find_sender(page, sent), sent), lambda words: Answers(error=words))

    lines = component("caption_list", server_functions=[save_captions_live, keep_live])
    page.acts(lines.show, lambda project, desk, event: [choose(project, desk, str(event.show))], [desk], [desk])
    page.acts(lines.turn, lambda project, desk, event: [replace(desk, page=int(event.page))], [desk], [desk])
    page.acts(lines.act, lambda project, event: actions.act(page, project, event.action))
    page.acts(lines.undo, lambda project: dataset.undo(project) or "There is nothing to undo.", repeats=True)
    page.acts(lines.changed, lambda project: None)  # only reads anew
    page.reads(lambda project, desk: [caption_rows.read_list(project, desk)], [lines], [desk], tab=tab)


def open_or_close(desk: Desk, is_open: bool) -> Desk:
    return replace(desk, is_open=is_open, edit=None)


def lead_to(project: Project, desk: Desk, key: str, with_edit: bool) -> Desk:
    """The desk at a finding's captions, with the edit that would mend them filled in."""
    show = OF_FINDING + key
    finding = find_finding(project, show)
    if finding is None:
        raise Problem("That is mended already, or was changed in another window.", fix="Look at the list again.")
    return replace(choose(project, desk, show), edit=finding.edit if with_edit else None, number=desk.number + 1)


def find_sender(page: Page, sent: Mapping[str, Any]) -> Project:
    """The project that a browser's list was about. Problem if it is gone, or another one has taken its place."""
    project = page.find(str(sent.get("project") or ""))
    if project is None or project.facts().created != sent.get("made"):
        raise Problem("The project of these captions is gone, or another one has taken its place: nothing was changed.")
    project.require_ours()
    return project


def told(do: Callable[[], View], refuse: Callable[[str], View]) -> dict[str, Any]:
    """What `do` gives, as the browser takes it; a mistake of the person's, and a disk that says no, in words."""
    try:
        return do().to_json()
    except Problem as error:
        return refuse(" ".join(f.sentence(part) for part in (error.message, error.cost, error.fix) if part)).to_json()
    except (ValueError, TimeoutError) as error:
        return refuse(f.sentence(str(error))).to_json()
    except OSError as error:
        return refuse(f"The disk said no: {error.strerror or error}.").to_json()


def save_captions(project: Project, sent: list[dict[str, Any]]) -> Answers:
    """Save captions {id, version, was, text} as one step of undo. One that was changed elsewhere since it was typed (`was`) is not overwritten."""
    items = {item.id: item for item in dataset.list_items(project)}
    texts, answers = {}, []
    for typed in sent:
        item_id, text = str(typed["id"]), str(typed["text"])
        item = items.get(item_id)
        if item is None or version_of(item) != typed["version"]:
            answers.append(Answer(item_id, REFUSED, f"{item_id} is another picture now, or was removed: its caption was not saved."))
            continue
        try:
            text = clean_caption(text)
        except ValueError as error:
            answers.append(Answer(item_id, REFUSED, f.sentence(f"Not saved: {error}")))
            continue
        if item.caption not in (str(typed["was"]), text):
            answers.append(Answer(item_id, CHANGED, "It was changed elsewhere meanwhile, so yours was not saved."))
            continue
        texts[item_id] = text
    if texts:
        dataset.set_captions(project, texts)
    answers += [Answer(item_id, SAVED) for item_id in texts]
    return Answers(tuple(replace(answer, row=row_or_none(project, answer.id)) for answer in answers))


def row_or_none(project: Project, item_id: str) -> CaptionRow | None:
    try:
        return caption_rows.read_row(project, item_id)
    except ValueError:  # it was removed
        return None


def keep(project: Project, sent: Mapping[str, Any]) -> Answers:
    item = dataset.get_item(project, str(sent["id"]))
    if version_of(item) != sent["version"]:
        raise Problem(f"{item.id} is another picture now than the one this page showed: nothing was changed.", fix="Look at it again.")
    dataset.set_keep(project, item.id, bool(sent["keep"]), "" if sent["keep"] else "left out by you")
    return Answers((Answer(item.id, SAVED, row=caption_rows.read_row(project, item.id)),))


def apply_edit(project: Project, sent: Mapping[str, Any]) -> str:
    """Do an edit as its preview showed it."""
    count = dataset.edit_captions(project, bulk_view.edit_of(sent), bulk_view.ids_in(sent), str(sent["key"]))
    return f"Changed {f.count(count, 'caption')}; Undo takes it back."
