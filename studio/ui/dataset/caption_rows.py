"""The list of captions, a page of them with the picture beside each, as the browser draws it; only reads."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from studio.data import dataset
from studio.data.auditing.finding import FUSED, SAME, About, Finding
from studio.data.auditing.project_audit import about_project, describe_caption
from studio.data.captions.edits import CaptionEdit
from studio.data.captions.rules import check_caption
from studio.data.item_record import Item
from studio.data.media.thumbnails import version_of
from studio.data.remarks import CUT, Remark
from studio.ui import formatting as f
from studio.ui.dataset import view as dataset_view
from studio.ui.dataset.audit_view import find_all
from studio.ui.dataset.pictures.choices import SHOWN
from studio.ui.dataset.pictures.media_addresses import media_address
from studio.ui.dataset.pictures.viewer_view import SOURCES
from studio.ui.dataset.view import Filter, Look, Place
from studio.ui.views import View
from studio.workspace import Project

PER_PAGE = 30
CHOICES = ("all", "kept", "out", "no-caption", "remark")  # of the grid's, those that matter to captions
OF_FINDING = "finding:"  # what the choice of a finding's captions begins with


@dataclass(frozen=True)
class Desk:
    """Where in the list of captions a person is.

    show: a choice of CHOICES, or of a finding; ids: the items that were in it when it was chosen (a caption that is mended stays in sight), None
    for all there are; edit: what a finding proposes to do to them; number: counts what leads here, so that the browser goes there once.
    """

    is_open: bool = False
    show: str = "all"
    ids: tuple[str, ...] | None = None
    page: int = 0
    edit: CaptionEdit | None = None
    number: int = 0


@dataclass(frozen=True)
class CaptionRow(View):
    """A picture with its caption. version: of the file; remarks: what is wrong; unread: the end that the model does not see."""

    id: str
    version: str
    kind: str
    src: str
    large: str
    caption: str
    source: str
    keep: bool
    reason: str
    remarks: tuple[str, ...]
    tokens: str
    unread: str
    class_prompt: str
    traces: str


@dataclass(frozen=True)
class CaptionSwitch(View):
    """Pictures, or captions: which of the two is shown."""

    is_open: bool
    num_captions: int


@dataclass(frozen=True)
class CaptionList(View):
    """A page of the list. ids: of the whole choice, in order; made: when the project was made, for another may take its slug."""

    project: str
    made: float | None
    rows: tuple[CaptionRow, ...]
    ids: tuple[str, ...]
    page: int
    per_page: int
    filters: tuple[Filter, ...]
    show: str
    title: str
    undo: str
    trigger: str
    placeholder: str
    number: int


def read_switch(project: Project | None, desk: Desk) -> CaptionSwitch | None:
    items = dataset.list_items(project) if project else []
    return CaptionSwitch(desk.is_open, sum(bool(item.caption) for item in items)) if items else None


def read_list(project: Project | None, desk: Desk) -> CaptionList | None:
    """None while the pictures are shown, or there are none."""
    if project is None or not desk.is_open:
        return None
    look, facts = dataset_view.look_at(project), project.facts()
    if not look.items:
        return None
    shown = chosen_items(look, desk)
    page = min(max(0, desk.page), max(0, (len(shown) - 1) // PER_PAGE))
    rows = rows_of(project, look, shown[page * PER_PAGE : (page + 1) * PER_PAGE])
    return CaptionList(
        project=project.slug,
        made=facts.created,
        rows=rows,
        ids=tuple(item.id for item in shown),
        page=page,
        per_page=PER_PAGE,
        filters=filters_of(look),
        show=desk.show,
        title=title_of(project, desk.show),
        undo=dataset.can_undo(project),
        trigger=facts.trigger,
        placeholder=f"{facts.trigger or 'the trigger'}, what is worn and done, the place, the light",
        number=0 if desk.edit else desk.number,  # an edit leads to its form
    )


def chosen_items(look: Look, desk: Desk) -> list[Item]:
    """The items of the choice that are still there."""
    if desk.ids is None:
        return list(look.items)
    chosen = set(desk.ids)
    return [item for item in look.items if item.id in chosen]


def choose(project: Project, desk: Desk, show: str) -> Desk:
    """The desk with another choice."""
    shown = [] if show == "all" else ids_of_choice(project, show)
    return replace(desk, is_open=True, show=show, ids=None if show == "all" else tuple(shown), page=0)


def ids_of_choice(project: Project, show: str) -> Sequence[str]:
    finding = find_finding(project, show)
    if finding:
        return finding.items
    if show not in CHOICES:
        raise ValueError("what this button was about is mended already, or was changed in another window")
    return [item.id for item in dataset_view.shown_items(dataset_view.look_at(project), Place(show=show))]


def find_finding(project: Project, show: str) -> Finding | None:
    """The finding whose captions a choice names; None for another choice, or one that is no more."""
    key = show.removeprefix(OF_FINDING)
    return next((finding for finding in find_all(project) if finding.key == key), None) if show.startswith(OF_FINDING) else None


def title_of(project: Project, show: str) -> str:
    """What a choice of a finding is called; "" for the usual ones, which have their button."""
    finding = find_finding(project, show)
    return finding.message if finding else ""


def filters_of(look: Look) -> tuple[Filter, ...]:
    def number(show: str) -> int:
        return len(dataset_view.shown_items(look, Place(show=show)))

    return tuple(Filter(show, SHOWN[show], number(show)) for show in CHOICES)


def rows_of(project: Project, look: Look, items: Sequence[Item]) -> tuple[CaptionRow, ...]:
    about, remarks = about_project(project), remarks_by_item(find_all(project))
    return tuple(describe_row(project, item, look.remarks[item.id], about, remarks.get(item.id, ())) for item in items)


def read_row(project: Project, item_id: str) -> CaptionRow:
    """One row as it is now, without what is said of it beside others; ValueError if there is none of that id."""
    item, about = dataset.get_item(project, item_id), about_project(project)
    return describe_row(project, item, check_caption(item.caption, about.trigger, about.class_noun), about, ())


def describe_row(project: Project, item: Item, own: Sequence[Remark], about: About, others: Sequence[str]) -> CaptionRow:
    """own: what is said of the caption alone; others: of it beside others."""
    line = describe_caption(item, about)
    most = about.reader.prompt_tokens if about.reader else 0
    words = [remark.words for remark in own if remark.code != CUT] if item.caption else []
    return CaptionRow(
        id=item.id,
        version=version_of(item),
        kind=item.kind,
        src=media_address(project, "thumbnails", item),
        large=media_address(project, "previews", item),
        caption=item.caption,
        source=SOURCES[item.caption_source],
        keep=item.keep,
        reason=item.reason,
        remarks=(*words, *others),
        tokens=f"{line.tokens} of {most} tokens" if item.caption and line.tokens is not None else "",
        unread=line.unread,
        class_prompt=line.class_prompt if item.caption else "",
        traces=", ".join(line.traces),
    )


@functools.lru_cache(maxsize=4)
def remarks_by_item(findings: tuple[Finding, ...]) -> Mapping[str, tuple[str, ...]]:
    """{id: what findings say of this caption beside what is said of every single one}; what is said of all of them is said once, above."""
    found: dict[str, list[str]] = {}
    for finding in findings:
        for detail in finding.details if finding.code != CUT else ():  # the row shows what is cut
            found.setdefault(detail.about, []).append(detail.words)
        if finding.code == SAME:
            for item_id in finding.items:
                others = ", ".join(other for other in finding.items[:4] if other != item_id)
                found.setdefault(item_id, []).append(f"The same caption as {others}.")
        elif finding.phrase and finding.edit and finding.code != FUSED:
            for item_id in finding.items:
                found.setdefault(item_id, []).append(f'"{finding.phrase}": {f.sentence(finding.fix)}')
    return {item_id: tuple(dict.fromkeys(words)) for item_id, words in found.items()}
