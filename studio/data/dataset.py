"""The dataset of a project: what is in dataset/, what is known of it, and every change a person can make and undo."""

import contextlib
import functools
import os
import re
import secrets
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace as changed
from pathlib import Path
from typing import Any

from studio.data import records, undo_steps
from studio.data.captions.authorship import Authorship
from studio.data.captions.caption_files import caption_file, clean_caption, read_text, text_key, write_caption
from studio.data.captions.edits import BEGIN, END, REMOVE, REPLACE, CaptionEdit, plan_edit
from studio.data.item_record import NOT_MEASURED, Item, Record, Said
from studio.data.media.kinds import MediaFacts
from studio.data.records import Curation, Seen
from studio.data.remarks import BY_HAND, CURATE, HAND, Decision, Remark
from studio.data.undo_steps import AddChange, Change, KeepChange, RemoveChange, SaidChange, SwapChange, change_caption
from studio.disk import file_sha256, locked, replace
from studio.errors import Problem
from studio.workspace import Project

CHECKED = 2  # of the measurements in curation.json: numbers lie with the looks, and only what was said of them here
SOURCES = ("", "hand", "auto", "imported")
_EDITS = {  # a kind of edit -> what undo calls it
    REPLACE: "Replacement in {}",
    REMOVE: "Removal of words from {}",
    BEGIN: "Words at the beginning of {}",
    END: "Words at the end of {}",
}
Version = tuple[Project, tuple[int, ...], tuple[tuple[str, Seen], ...]]


def list_items(project: Project) -> list[Item]:
    """Every item, photos first, in order. Files put into dataset/ by hand are picked up, missing ones left out."""
    items, is_complete = _list(*version(project))
    if not is_complete:
        _list.cache_clear()  # a file could not be read yet: look again the next time
    return list(items)


def version(project: Project) -> Version:
    """What the list of items follows from, cheap to look at: equal versions mean equal items (and an equal `can_undo`)."""
    return project, records.stamps(project), tuple(sorted(records.scan(project).items()))


@functools.lru_cache(maxsize=4)
def _list(project: Project, stamp: tuple[int, ...], files: tuple[tuple[str, Seen], ...]) -> tuple[tuple[Item, ...], bool]:
    """(items, whether every file could be read) of one version of the folder: hundreds of unchanged pictures cost no reading."""
    data, seen = records.load(project), dict(files)
    if records.stale(data, seen):
        with locked(project.curation_file):
            data, seen = reconcile(project)
    items = sorted(_items(project, data, seen).values(), key=lambda item: (item.kind == "clip", _natural(item.id)))
    return tuple(items), not records.stale(data, seen)


def kept_items(project: Project) -> list[Item]:
    """The items that training uses."""
    return [item for item in list_items(project) if item.keep]


def held_out_items(project: Project) -> list[Item]:
    """The items that no training learns from, and what is drawn is compared with."""
    return [item for item in list_items(project) if item.held_out and not item.keep and not item.problem]


def get_item(project: Project, item_id: str) -> Item:
    """One item. ValueError if there is none of that id."""
    for item in list_items(project):
        if item.id == item_id:
            return item
    raise ValueError(f"there is no item {item_id!r} in this dataset; it may have been removed in another window")


# -- changes


def set_caption(project: Project, item_id: str, text: str, source: str = "hand", by: Authorship | None = None) -> bool:
    """Write a caption; True if that changed anything. source "auto" never replaces a caption written by hand or imported; by: who wrote it."""
    return set_captions(project, {item_id: text}, source, by) == 1


def set_captions(project: Project, texts: Mapping[str, str], source: str = "hand", by: Authorship | None = None) -> int:
    """Write the captions {id: text} as one step of undo; how many changed."""
    if source not in SOURCES:
        raise ValueError(f"a caption comes from {', '.join(SOURCES[1:])}, not from {source!r}")
    texts = {item_id: clean_caption(text) for item_id, text in texts.items()}
    with _editing(project) as (data, items):
        changes = []
        for item_id, text in texts.items():
            item = _require(items, item_id)
            protected = source == "auto" and item.caption and item.caption_source in ("hand", "imported")
            if text != item.caption and not protected:
                changes.append(change_caption(data.items, item, text, source, by))
        if changes:
            what = f"Caption of {changes[0].id}" if len(changes) == 1 else f"Captions of {len(changes)} items"
            automatic = "Automatic captions ({count})" if source == "auto" else ""
            undo_steps.remember(project, data.history, automatic or what, changes, group=source if automatic else "")
            records.save(project, data)  # with what stood there before, so that a crash can't lose it
            _write_captions(items, {change.id: texts[change.id] for change in changes})
    return len(changes)


def replace_in_captions(project: Project, find: str, replace_with: str, whole_words: bool = False) -> int:
    """Replace text in every caption, upper and lower case as written; how many captions changed. One step of undo."""
    return edit_captions(project, CaptionEdit(kind=REPLACE, find=find, text=replace_with, whole_words=whole_words))


def edit_captions(project: Project, edit: CaptionEdit, ids: Collection[str] | None = None, key: str = "") -> int:
    """Do one edit to the captions of these items, or of all; how many changed. One step of undo.

    key: of the plan that was looked at; Problem if the captions are no more those that it was made of.
    """
    with _editing(project) as (data, items):
        chosen = [item for item in items.values() if ids is None or item.id in ids]
        plan = plan_edit(chosen, edit, project.facts().trigger)
        if key and plan.key != key:
            raise Problem("Captions were changed meanwhile: nothing was changed now.", fix="Look at what would change, then do it again.")
        if plan.changes:
            changes = [change_caption(data.items, items[change.id], change.after, "hand") for change in plan.changes]
            undo_steps.remember(project, data.history, _EDITS[edit.kind].format(f"{len(changes)} captions"), changes)
            records.save(project, data)
            _write_captions(items, {change.id: change.after for change in plan.changes})
    return len(plan.changes)


def rewrite_automatic(project: Project, rewrite: Callable[[str], str], what: str, step: str) -> list[str]:
    """Change what captioners wrote, and nothing that a person wrote or brought along; ids of those that changed. One step of undo.

    what: is noted with each caption ("terms unified"); step: what undo calls it.
    """
    with _editing(project) as (data, items):
        automatic = [item for item in items.values() if item.caption and item.caption_source == "auto"]
        texts = {item.id: clean_caption(rewrite(item.caption)) for item in automatic}
        texts = {item_id: text for item_id, text in texts.items() if text != items[item_id].caption}
        if texts:
            changes = [_rewritten(data, items[item_id], text, what) for item_id, text in texts.items()]
            undo_steps.remember(project, data.history, step, changes)
            records.save(project, data)
            _write_captions(items, texts)
    return list(texts)


def _rewritten(data: Curation, item: Item, text: str, what: str) -> Change:
    by = item.caption_by
    if by is not None and what not in by.changes:
        by = changed(by, changes=(*by.changes, what))
    return change_caption(data.items, item, text, "auto", by)


def set_keep(project: Project, item_id: str, keep: bool, reason: str = "") -> bool:
    """Use an item for training or leave it out, by hand; True if that changed anything. reason: in the person's words."""
    reasons = (Remark(code=BY_HAND, words=reason),) if reason else ()
    decision = Decision(keep=bool(keep), reasons=reasons, decided_by=HAND)
    return set_decisions(project, {item_id: decision}, f"{'Using' if keep else 'Leaving out'} {item_id}") == 1


def set_decisions(project: Project, decisions: Mapping[str, Decision], text: str) -> int:
    """Keep or leave out many items as one step of undo; how many changed. What is decided by "curate" leaves decisions by hand alone."""
    changes: list[Change] = []
    with _editing(project) as (data, items):
        for item_id, decision in decisions.items():
            item = _require(items, item_id)
            if decision.keep and item.problem and decision.is_by_hand:
                raise ValueError(f"{item_id} can't be used: {item.problem}")
            if not item.problem and _is_news(decision, item.decision()):
                data.items[item_id] = undo_steps.decide(data.items[item_id], decision)
                changes.append(KeepChange(id=item_id, before=item.decision()))
        if changes:
            undo_steps.remember(project, data.history, text, changes)
            records.save(project, data)
    return len(changes)


def _is_news(decision: Decision, before: Decision) -> bool:
    """Whether a decision takes the place of the one before."""
    if decision.decided_by != CURATE:
        return decision != before
    is_changed = (decision.keep, decision.reasons, decision.held_out) != (before.keep, before.reasons, before.held_out)
    return not before.is_by_hand and is_changed


def set_said(project: Project, answers: Mapping[str, Said | None], text: str) -> int:
    """What a human says about who is in photos; None takes an answer back. How many changed; one step of undo."""
    changes: list[Change] = []
    with _editing(project) as (data, items):
        for item_id, answer in answers.items():
            before = _require(items, item_id).said
            if answer != before:
                data.items[item_id] = changed(data.items[item_id], said=answer)
                changes.append(SaidChange(id=item_id, before=before))
        if changes:
            undo_steps.remember(project, data.history, text, changes)
            records.save(project, data)
    return len(changes)


def remove_item(project: Project, item_id: str) -> None:
    """Take an item and its caption out of dataset/. Undo brings it back; the original stays in originals/."""
    with _editing(project) as (data, items):
        item, before = _require(items, item_id), data.copy()
        token = undo_steps.new_trash(project)
        change = RemoveChange(id=item_id, record=data.items.pop(item_id), trash=token)
        undo_steps.remember(project, data.history, f"Removal of {item_id}", [change])
        records.save(project, data)  # first, so that a crash leaves the item in place rather than lost
        trash, caption = undo_steps.trash_dir(project, token), caption_file(item.path)
        with _taken_back_if_open(project, before, item.path):
            replace(item.path, trash / item.path.name)
        with contextlib.suppress(FileNotFoundError, PermissionError):  # one that is open elsewhere stays, and undo finds it
            replace(caption, trash / caption.name)


def store_warnings(project: Project, said: Mapping[str, tuple[str, tuple[Remark, ...]]]) -> None:
    """Keep {id: (sha256, what the check had to say)} with the items; one whose content changed meanwhile is skipped."""
    with _editing(project) as (data, items):
        before = dict(data.items)
        for item_id, (sha256, warnings) in said.items():
            if item_id in items and items[item_id].sha256 == sha256:
                record = data.items[item_id]
                data.items[item_id] = changed(record, measurements=changed(record.measurements, version=CHECKED, warnings=warnings))
        if data.items != before:
            records.save(project, data)


def can_undo(project: Project) -> str:
    """What `undo` would take back, in words, or ""."""
    return _last_step(project, records.stamps(project))


@functools.lru_cache(maxsize=4)
def _last_step(project: Project, stamp: tuple[int, ...]) -> str:
    history = records.load(project).history
    return history[-1].text if history else ""


def undo(project: Project) -> str:
    """Take back the last step; a sentence about it, or "" if there is nothing to undo."""
    with _editing(project) as (data, items):
        if not data.history:
            return ""
        step = data.history.pop()
        left = [change.id for change in reversed(step.changes) if not change.undo(project, data.items, items)]
        records.save(project, data)
        for change in step.changes:
            if change.trash:
                with contextlib.suppress(OSError):  # not empty: something could not be put back, so it stays there
                    undo_steps.trash_dir(project, change.trash).rmdir()
    note = f" {', '.join(sorted(set(left)))} changed outside the studio and stayed as found." if left else ""
    return f"Undone: {step.text}.{note}"


# -- files in


@contextlib.contextmanager
def incoming(project: Project) -> Iterator[Path]:
    """A folder inside the project for files on their way in; gone afterwards, also what a crash left behind before."""
    import psutil

    parent = project.root / ".incoming"
    parent.mkdir(parents=True, exist_ok=True)
    for old in parent.iterdir():
        owner = old.name.split("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(old, ignore_errors=True)
    folder = parent / f"{os.getpid()}-{secrets.token_hex(4)}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def replace_media(project: Project, item: Item, media: Path, facts: MediaFacts, as_new: bool, text: str) -> str:
    """Put another media file in an item's place, or beside it as a new item with the same caption; the id. One step of undo."""
    of_file = file_fields(media)
    with _editing(project) as (data, items):
        if _require(items, item.id).sha256 != item.sha256:
            raise ValueError(f"{item.id} was changed in another window meanwhile; look at it and try again")
        before = data.items[item.id]
        new_id = records.next_id(project, data, item.kind) if as_new else item.id
        former = data.copy()
        target = project.dataset_dir / (new_id + media.suffix if as_new else before.file)
        data.items[new_id] = changed(
            before,
            file=target.name,
            sha256=of_file["file_sha256"],
            measurements=NOT_MEASURED,
            said=None,
            part=(),
            **facts.media_fields(),
            **of_file,
        )
        change = AddChange(id=new_id) if as_new else SwapChange(id=item.id, record=before, trash=undo_steps.new_trash(project))
        if change.trash:
            shutil.copy2(target, undo_steps.trash_dir(project, change.trash) / target.name)
        undo_steps.remember(project, data.history, text, [change])
        records.save(project, data)
        if as_new and item.caption:
            write_caption(target, item.caption)
        with _taken_back_if_open(project, former, target):
            replace(media, target)
    return new_id


@contextlib.contextmanager
def _taken_back_if_open(project: Project, before: Curation, path: Path) -> Iterator[None]:
    """Windows moves no file that is open, a clip that is being played for example: then all is as before, and a sentence says so."""
    try:
        yield
    except PermissionError as e:
        records.save(project, before)
        fix = "Stop it where it plays, close other programs that show it, and try again."
        raise Problem(f"{path.name} is open in another program.", cost="Nothing was changed.", fix=fix) from e


def file_fields(path: Path, sha256: str = "") -> dict[str, Any]:
    """What a record says of its file. sha256: where it is known."""
    records.sync_file(path)
    info = path.stat()
    return {"file_sha256": sha256 or file_sha256(path), "file_size": info.st_size, "file_mtime_ns": info.st_mtime_ns}


# -- inside


@contextlib.contextmanager
def _editing(project: Project) -> Iterator[tuple[Curation, dict[str, Item]]]:
    """(data, {id: Item}) under the lock, up to date with the folder; the caller saves."""
    with locked(project.curation_file):
        data, files = reconcile(project)
        yield data, _items(project, data, files)


def reconcile(project: Project) -> tuple[Curation, dict[str, Seen]]:
    """(what is known, what is there), brought up to date with each other; the caller holds the lock."""
    data, files = records.load(project), records.scan(project)
    names = records.stale(data, files)
    for name in names:
        records.describe(project, data, name, files[name])
    if names:
        data = records.save(project, data)
    return data, files


def _items(project: Project, data: Curation, files: Mapping[str, Seen]) -> dict[str, Item]:
    folder, found = project.dataset_dir, {}
    for item_id, record in data.items.items():
        if record.file in files:
            path = folder / record.file
            found[item_id] = item_of(path, item_id, record, _caption_of(path, files))
    return found


def _caption_of(path: Path, files: Mapping[str, Seen]) -> str:
    text = caption_file(path)
    return _read_caption(text, records.stamp(text)) if text.name in files else ""


@functools.lru_cache(maxsize=16_384)
def _read_caption(path: Path, stamp: tuple[int, ...]) -> str:
    """A caption in one line. Thousands of unchanged ones cost no reading while an import adds to them."""
    return " ".join(read_text(path).split())


def item_of(path: Path, item_id: str, record: Record, caption: str) -> Item:
    source = record.caption_source if text_key(caption) == record.caption_key else "hand"
    return Item(
        id=item_id, path=path, caption=caption, caption_source=source if caption else "",
        original=record.original, sha256=record.sha256, is_original=bool(record.original) and record.sha256 == record.original_sha256,
        is_uncopied=record.is_uncopied,
        measurements=record.measurements, problem=record.problem, keep=record.keep, reasons=record.reasons, decided_by=record.decided_by,
        held_out=record.held_out, said=record.said, other_captions=record.other_captions, part=record.part,
        caption_by=record.caption_by if caption and source == "auto" else None, **record.media_fields(),
    )  # fmt: skip


def _require(items: Mapping[str, Item], item_id: str) -> Item:
    if item_id not in items:
        raise ValueError(f"there is no item {item_id!r} in this dataset; it may have been removed in another window")
    return items[item_id]


def _write_captions(items: Mapping[str, Item], texts: Mapping[str, str]) -> None:
    for item_id, text in texts.items():
        write_caption(items[item_id].path, text)


def _natural(text: str) -> list[int | str]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text.casefold())]
