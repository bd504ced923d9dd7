"""One edit for many captions: what it would change, as the browser shows it before it is done."""

import difflib
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studio.data import dataset
from studio.data.captions.edits import BEGIN, END, REMOVE, REPLACE, CaptionEdit, EditPlan, plan_edit
from studio.ui import formatting as f
from studio.ui.dataset import view as dataset_view
from studio.ui.dataset.caption_rows import Desk, chosen_items
from studio.ui.dataset.pictures.media_addresses import media_address
from studio.ui.views import View
from studio.workspace import Project

MOST_SHOWN = 40  # changes in the preview; the rest is counted
SAME, OUT, IN = "same", "out", "in"
LABELS = {REPLACE: "Find and replace", REMOVE: "Remove a phrase", BEGIN: "Add at the beginning", END: "Add at the end"}


@dataclass(frozen=True)
class Way(View):
    """A kind of edit, with what its button is called."""

    id: str
    label: str


@dataclass(frozen=True)
class BulkForm(View):
    """What can be filled in. ids: of the captions that are shown; news: another text when a caption changed; edit: what a finding proposes."""

    project: str
    made: float | None
    ways: tuple[Way, ...]
    ids: tuple[str, ...]
    total: int
    news: str
    edit: dict[str, Any] | None
    number: int


@dataclass(frozen=True)
class Part(View):
    """A piece of a caption that stays, goes or comes: SAME, OUT, IN."""

    kind: str
    text: str


@dataclass(frozen=True)
class Change(View):
    id: str
    src: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Preview(View):
    """key: of the plan, goes back with the button; notes: what is left alone, and what to know; error: why nothing can be done."""

    title: str = ""
    key: str = ""
    count: int = 0
    changes: tuple[Change, ...] = ()
    more: int = 0
    notes: tuple[str, ...] = ()
    warning: str = ""
    error: str = ""


def read_form(project: Project | None, desk: Desk) -> BulkForm | None:
    """None while the pictures are shown."""
    if project is None or not desk.is_open:
        return None
    look = dataset_view.look_at(project)
    if not look.items:
        return None
    shown = chosen_items(look, desk)
    news = hashlib.sha256("\0".join(item.caption for item in look.items).encode()).hexdigest()[:12]
    edit = desk.edit.to_json() | {"find": desk.edit.find, "text": desk.edit.text} if desk.edit else None
    ways = tuple(Way(kind, label) for kind, label in LABELS.items())
    ids = tuple(item.id for item in shown)
    return BulkForm(project.slug, project.facts().created, ways, ids, len(look.items), news, edit, desk.number)


def edit_of(sent: Mapping[str, Any]) -> CaptionEdit:
    """The edit that a browser sent."""
    return CaptionEdit(
        kind=str(sent.get("kind", "")),
        find=str(sent.get("find", "")),
        text=str(sent.get("text", "")),
        whole_words=bool(sent.get("whole_words", True)),
        any_case=bool(sent.get("any_case", False)),
        after_trigger=bool(sent.get("after_trigger", True)),
    )


def ids_in(sent: Mapping[str, Any]) -> set[str] | None:
    """The ids that an edit is for; None for all."""
    ids = sent.get("ids")
    return None if ids is None else {str(item_id) for item_id in ids}


def preview(project: Project, sent: Mapping[str, Any]) -> Preview:
    """What the edit would do; with `error` where it says nothing yet."""
    ids, items = ids_in(sent), dataset.list_items(project)
    chosen = [item for item in items if ids is None or item.id in ids]
    try:
        plan = plan_edit(chosen, edit_of(sent), project.facts().trigger)
    except ValueError as error:
        return Preview(error=f.sentence(str(error)))
    by_id = {item.id: item for item in chosen}
    shown = plan.changes[:MOST_SHOWN]
    changes = tuple(Change(c.id, media_address(project, "thumbnails", by_id[c.id]), diff(c.before, c.after)) for c in shown)
    return Preview(
        title=f"{f.count(len(plan.changes), 'caption')} of {plan.num_looked_at} would change.",
        key=plan.key,
        count=len(plan.changes),
        changes=changes,
        more=len(plan.changes) - len(changes),
        notes=notes_of(plan),
        warning=warning_of(plan),
    )


def notes_of(plan: EditPlan) -> tuple[str, ...]:
    notes = []
    if plan.empty:
        notes.append(f"{f.count(len(plan.empty), 'item')} without a caption stay so.")
    if plan.too_long:
        notes.append(f"{', '.join(plan.too_long[:4])}: the caption would be too long, and stays as it is.")
    return tuple(notes)


def warning_of(plan: EditPlan) -> str:
    return f"{f.count(len(plan.without_trigger), 'caption')} would lose the trigger." if plan.without_trigger else ""


def diff(before: str, after: str) -> tuple[Part, ...]:
    """A caption in pieces that stay, go and come, word by word (letter by letter where no spaces are written). A lone space between two
    changes belongs to both: one change is easier to read than two."""
    has_words = " " in before or " " in after
    old, new = (re.findall(r"\w+|\W", text) if has_words else list(text) for text in (before, after))
    parts, gone, come = [], "", ""
    steps = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    for number, (kind, i, j, k, m) in enumerate(steps):
        left, right = "".join(old[i:j]), "".join(new[k:m])
        is_between = left.isspace() and bool(gone or come) and number + 1 < len(steps)
        if kind != "equal" or is_between:
            gone, come = gone + left, come + right
            continue
        parts += [*change_of(gone, come), Part(SAME, left)]
        gone = come = ""
    return (*parts, *change_of(gone, come))


def change_of(gone: str, come: str) -> list[Part]:
    return [Part(kind, text) for kind, text in ((OUT, gone), (IN, come)) if text]
