"""The dataset of a project: what is in dataset/, what is known of it, and every change a person can make and undo."""

import contextlib
import copy
import functools
import os
import re
import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from studio.data import records
from studio.data.captions.files import caption_file, clean_caption, read_text, write_caption
from studio.disk import file_sha256
from studio.errors import Problem
from studio.workspace import locked, replace

SOURCES = ("", "hand", "auto", "imported")


@dataclass(frozen=True)
class Item:
    """One photo or clip of dataset/. sha256 is that of the original's bytes until the dataset's file is changed, then the file's own:
    equal hashes always mean equal content, so caches can be keyed by it."""

    id: str  # "0001" or "clip-01"
    kind: str  # "photo" or "clip"
    path: Path
    width: int
    height: int
    num_frames: int
    fps: float
    seconds: float
    caption: str
    caption_source: str  # "hand", "auto", "imported" or ""
    keep: bool
    reason: str  # why it is left out
    original: str  # file name in originals/; "" for a file put into dataset/ by hand
    sha256: str
    measurements: dict = field(default_factory=dict)
    decided_by: str = ""  # "hand", "curate" or ""
    problem: str = ""  # why the file can't be read, or ""


def list_items(project):
    """Every item, photos first, in order. Files put into dataset/ by hand are picked up, missing ones left out."""
    items, is_complete = _list(*version(project))
    if not is_complete:
        _list.cache_clear()  # a file could not be read yet: look again the next time
    return list(items)


def version(project):
    """What the list of items follows from, cheap to look at: equal versions mean equal items (and an equal `can_undo`)."""
    return project, records.stamp(project.curation_file), tuple(sorted(records.scan(project).items()))


@functools.lru_cache(maxsize=4)
def _list(project, stamp, files):
    """(items, whether every file could be read) of one version of the folder: hundreds of unchanged pictures cost no reading."""
    data, files = records.load(project), dict(files)
    if records.stale(data, files):
        with locked(project.curation_file):
            data, files = _reconcile(project)
    items = sorted(_items(project, data, files).values(), key=lambda item: (item.kind == "clip", _natural(item.id)))
    return tuple(items), not records.stale(data, files)


def kept_items(project):
    """The items that training uses."""
    return [item for item in list_items(project) if item.keep]


def get_item(project, item_id):
    """One item. ValueError if there is none of that id."""
    for item in list_items(project):
        if item.id == item_id:
            return item
    raise ValueError(f"there is no item {item_id!r} in this dataset; it may have been removed in another window")


# -- changes


def set_caption(project, item_id, text, source="hand"):
    """Write a caption; True if that changed anything. source "auto" never replaces a caption written by hand or imported."""
    return set_captions(project, {item_id: text}, source) == 1


def set_captions(project, texts, source="hand"):
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
                changes.append(_caption_change(data, item, text, source))
        if changes:
            what = f"Caption of {changes[0]['id']}" if len(changes) == 1 else f"Captions of {len(changes)} items"
            automatic = "Automatic captions ({count})" if source == "auto" else ""
            records.remember(project, data, automatic or what, changes, group=source if automatic else "")
            records.save(project, data)  # with what stood there before, so that a crash can't lose it
            _write_captions(items, {c["id"]: texts[c["id"]] for c in changes})
    return len(changes)


def replace_in_captions(project, find, replace_with, whole_words=False):
    """Replace text in every caption, upper and lower case as written; how many captions changed. One step of undo."""
    if not find:
        raise ValueError("the text to find is empty; type what should be replaced")
    pattern = re.compile(rf"(?<!\w){re.escape(find)}(?!\w)" if whole_words else re.escape(find))
    with _editing(project) as (data, items):
        texts = {i.id: clean_caption(pattern.sub(lambda _: replace_with, i.caption)) for i in items.values() if i.caption}
        texts = {item_id: text for item_id, text in texts.items() if text != items[item_id].caption}
        if texts:
            changes = [_caption_change(data, items[item_id], text, "hand") for item_id, text in texts.items()]
            records.remember(project, data, f"Replacement in {len(changes)} captions", changes)
            records.save(project, data)
            _write_captions(items, texts)
    return len(texts)


def set_keep(project, item_id, keep, reason=""):
    """Use an item for training or leave it out, by hand."""
    return set_verdicts(project, {item_id: (keep, reason)}, "hand", f"{'Using' if keep else 'Leaving out'} {item_id}") == 1


def set_verdicts(project, verdicts, decided_by, text):
    """Keep or leave out many items, {id: (keep, reason)}, as one step of undo; how many changed. By "curate" it leaves decisions by hand alone."""
    with _editing(project) as (data, items):
        changes = []
        for item_id, (keep, reason) in verdicts.items():
            item = _require(items, item_id)
            if keep and item.problem and decided_by == "hand":
                raise ValueError(f"{item_id} can't be used: {item.problem}")
            if item.problem or (decided_by == "curate" and item.decided_by == "hand"):
                continue
            record = data["items"][item_id]
            new = {"keep": bool(keep), "reason": reason, "decided_by": decided_by}
            before = {key: record[key] for key in new}
            if before != new and not (decided_by == "curate" and (before["keep"], before["reason"]) == (new["keep"], reason)):
                record |= new
                changes.append({"op": "keep", "id": item_id, "before": before})
        if changes:
            records.remember(project, data, text, changes)
            records.save(project, data)
    return len(changes)


def remove_item(project, item_id):
    """Take an item and its caption out of dataset/. Undo brings it back; the original stays in originals/."""
    with _editing(project) as (data, items):
        item, before = _require(items, item_id), copy.deepcopy(data)
        token = records.new_trash(project)
        change = {"op": "remove", "id": item_id, "record": data["items"].pop(item_id), "trash": token}
        records.remember(project, data, f"Removal of {item_id}", [change])
        records.save(project, data)  # first, so that a crash leaves the item in place rather than lost
        trash, caption = records.trash_dir(project, token), caption_file(item.path)
        with _taken_back_if_open(project, before, item.path):
            replace(item.path, trash / item.path.name)
        with contextlib.suppress(FileNotFoundError, PermissionError):  # one that is open elsewhere stays, and undo finds it
            replace(caption, trash / caption.name)


def store_measurements(project, measured):
    """Keep {id: (sha256, measurements)} with the items; one whose content changed meanwhile is skipped."""
    with _editing(project) as (data, items):
        for item_id, (sha256, values) in measured.items():
            if item_id in items and items[item_id].sha256 == sha256:
                data["items"][item_id]["measurements"] = values
        records.save(project, data)


def can_undo(project):
    """What `undo` would take back, in words, or ""."""
    return _last_step(project, records.stamp(project.curation_file))


@functools.lru_cache(maxsize=4)
def _last_step(project, stamp):
    history = records.load(project)["history"]
    return history[-1]["text"] if history else ""


def undo(project):
    """Take back the last step; a sentence about it, or "" if there is nothing to undo."""
    with _editing(project) as (data, items):
        if not data["history"]:
            return ""
        step = data["history"].pop()
        left = [change["id"] for change in reversed(step["changes"]) if not _UNDO[change["op"]](project, data, items, change)]
        records.save(project, data)
        for change in step["changes"]:
            if change.get("trash"):
                with contextlib.suppress(OSError):  # not empty: something could not be put back, so it stays there
                    records.trash_dir(project, change["trash"]).rmdir()
    note = f" {', '.join(sorted(set(left)))} changed outside the studio and stayed as found." if left else ""
    return f"Undone: {step['text']}.{note}"


# -- files in


@contextlib.contextmanager
def incoming(project):
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


def original_hashes(project):
    """[(id, hashes it is known by)] of the items there are: those of its original and of its file."""
    data, files = records.load(project), records.scan(project)
    return [(i, {r["original_sha256"], r["sha256"], r["file_sha256"]}) for i, r in data["items"].items() if r["file"] in files]


def add_media(project, media, fields, *, original, original_name, original_sha256, caption="", caption_source=""):
    """Take a finished media file and its original into the project: (id, ""), or ("", id of the item that has the same content).

    fields: kind, width, height, num_frames, fps, seconds. Nothing is seen before it is whole: the original moves in first, the
    record and caption follow, the media file comes last and by one rename.
    """
    facts = _file_facts(media)
    with _editing(project) as (data, items):
        for item_id in items:
            record = data["items"][item_id]
            if original_sha256 in (record["original_sha256"], record["sha256"], record["file_sha256"]):
                return "", item_id
        data["items"] = {i: r for i, r in data["items"].items() if i in items or r["original_sha256"] != original_sha256}
        name = records.place_original(project, data, original, original_name, original_sha256)
        item_id = records.next_id(project, data, fields["kind"])
        record = records.blank_record() | fields | facts | {"file": item_id + media.suffix, "sha256": original_sha256}
        caption = clean_caption(caption)
        record |= {"original": name, "original_sha256": original_sha256, "caption_source": caption_source if caption else ""}
        data["items"][item_id] = record | {"caption_key": records.text_key(caption)}
        records.save(project, data)
        project.dataset_dir.mkdir(exist_ok=True)
        if caption:
            write_caption(project.dataset_dir / record["file"], caption)
        replace(media, project.dataset_dir / record["file"])
    return item_id, ""


def replace_media(project, item, media, info, as_new, text):
    """Put another media file in an item's place, or beside it as a new item with the same caption; the id. One step of undo."""
    facts = _file_facts(media)
    facts |= {"sha256": facts["file_sha256"], "measurements": {}}
    facts |= {name: getattr(info, name) for name in ("width", "height", "num_frames", "fps", "seconds")}
    with _editing(project) as (data, items):
        if _require(items, item.id).sha256 != item.sha256:
            raise ValueError(f"{item.id} was changed in another window meanwhile; look at it and try again")
        before = data["items"][item.id]
        new_id = records.next_id(project, data, item.kind) if as_new else item.id
        former = copy.deepcopy(data)
        target = project.dataset_dir / (new_id + media.suffix if as_new else before["file"])
        data["items"][new_id] = before | facts | {"file": target.name}
        change = {"op": "add", "id": new_id}
        if not as_new:
            change = {"op": "swap", "id": item.id, "record": before, "trash": records.new_trash(project)}
            shutil.copy2(target, records.trash_dir(project, change["trash"]) / target.name)
        records.remember(project, data, text, [change])
        records.save(project, data)
        if as_new and item.caption:
            write_caption(target, item.caption)
        with _taken_back_if_open(project, former, target):
            replace(media, target)
    return new_id


@contextlib.contextmanager
def _taken_back_if_open(project, before, path):
    """Windows moves no file that is open, a clip that is being played for example: then all is as before, and a sentence says so."""
    try:
        yield
    except PermissionError as e:
        records.save(project, before)
        fix = "Stop it where it plays, close other programs that show it, and try again."
        raise Problem(f"{path.name} is open in another program.", cost="Nothing was changed.", fix=fix) from e


def _file_facts(path):
    records.sync_file(path)
    info = path.stat()
    return {"file_sha256": file_sha256(path), "file_size": info.st_size, "file_mtime_ns": info.st_mtime_ns}


# -- inside


@contextlib.contextmanager
def _editing(project):
    """(data, {id: Item}) under the lock, up to date with the folder; the caller saves."""
    with locked(project.curation_file):
        data, files = _reconcile(project)
        yield data, _items(project, data, files)


def _reconcile(project):
    data, files = records.load(project), records.scan(project)
    names = records.stale(data, files)
    for name in names:
        records.describe(project, data, name, files[name])
    if names:
        records.save(project, data)
    return data, files


def _items(project, data, files):
    return {item_id: _item(project, item_id, record, files) for item_id, record in data["items"].items() if record["file"] in files}


def _item(project, item_id, record, files):
    path = project.dataset_dir / record["file"]
    caption = " ".join(read_text(caption_file(path)).split()) if caption_file(path).name in files else ""
    source = record["caption_source"] if records.text_key(caption) == record["caption_key"] else "hand"
    names = ("kind", "width", "height", "num_frames", "fps", "seconds", "keep", "reason", "original", "sha256", "measurements")
    values = {name: record[name] for name in (*names, "decided_by", "problem")}
    return Item(id=item_id, path=path, caption=caption, caption_source=source if caption else "", **values)


def _require(items, item_id):
    if item_id not in items:
        raise ValueError(f"there is no item {item_id!r} in this dataset; it may have been removed in another window")
    return items[item_id]


def _caption_change(data, item, text, source):
    record = data["items"][item.id]
    record |= {"caption_source": source if text else "", "caption_key": records.text_key(text)}
    return {"op": "caption", "id": item.id, "before": item.caption, "source": item.caption_source, "after": record["caption_key"]}


def _write_captions(items, texts):
    for item_id, text in texts.items():
        write_caption(items[item_id].path, text)


def _undo_caption(project, data, items, change):
    item = items.get(change["id"])
    if item is None or records.text_key(item.caption) != change["after"]:
        return False
    _caption_change(data, item, change["before"], change["source"])
    write_caption(item.path, change["before"])
    return True


def _undo_keep(project, data, items, change):
    record = data["items"].get(change["id"])
    if record is None:
        return False
    record |= change["before"]
    return True


def _undo_remove(project, data, items, change):
    record = change["record"]
    folder, path = records.trash_dir(project, change["trash"]), project.dataset_dir / record["file"]
    for target in (caption_file(path), path):
        if (folder / target.name).exists() and not target.exists():
            replace(folder / target.name, target)
    data["items"][change["id"]] = record
    return path.exists()


def _undo_add(project, data, items, change):
    record = data["items"].pop(change["id"], None)
    if record:
        path = project.dataset_dir / record["file"]
        path.unlink(missing_ok=True)
        caption_file(path).unlink(missing_ok=True)
    return record is not None


def _undo_swap(project, data, items, change):
    """Put the former media file back; caption and verdict stay as they are now."""
    old = records.trash_dir(project, change["trash"]) / change["record"]["file"]
    record = data["items"].get(change["id"])
    if record is None or not old.exists():
        return False
    replace(old, project.dataset_dir / change["record"]["file"])
    kept = ("caption_source", "caption_key", "keep", "reason", "decided_by")
    data["items"][change["id"]] = change["record"] | {key: record[key] for key in kept}
    return True


_UNDO = {"caption": _undo_caption, "keep": _undo_keep, "remove": _undo_remove, "add": _undo_add, "swap": _undo_swap}


def _natural(text):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text.casefold())]
