"""curation.json: what the studio knows of each item beside its file and caption, and the history that undo walks back.

Shape: {"items": {id: record}, "originals": {file name: sha256}, "next": {"photo": n, "clip": n}, "history": [step, ...]}.
A record describes one file of dataset/; it is trusted as long as the file has the size and time it was written down with.
A step is {"text", "time", "group", "changes": [...]}; each change holds what was there before, so that undo puts it back.
Callers hold `workspace.locked(project.curation_file)` around load, change and save.
"""

import hashlib
import itertools
import json
import os
import re
import secrets
import shutil
import stat
import time
import unicodedata

from studio.data import limits
from studio.disk import file_sha256
from studio.errors import Problem
from studio.workspace import read_json, replace, safe_join, write_json

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif")
CLIP_SUFFIXES = (".mp4", ".mov", ".webm", ".mkv")
GROUP_SECONDS = 600  # automatic captions written within this time of each other are one step


def load(project):
    """The project's curation data, empty where there is none yet. Problem if the file is damaged."""
    try:
        data = read_json(project.curation_file)
    except FileNotFoundError:
        data = {}
    except ValueError:
        raise _damaged(project) from None
    for key, empty in (("items", {}), ("originals", {}), ("next", {}), ("history", [])):
        if not isinstance(data.setdefault(key, empty), type(empty)):
            raise _damaged(project)
    return data


def _damaged(project):
    return Problem(
        f"curation.json of {project.slug} is damaged.",
        cost="The photos and captions are all there.",
        fix="Restore that file from a backup, or delete it: then only the choice of photos and what could be undone are lost.",
    )


def save(project, data):
    project.require_ours()
    write_json(project.curation_file, data)


def text_key(text):
    """Short hash of a caption, to notice when someone edits the .txt file outside the studio."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def scan(project):
    """{file name: (size, mtime_ns)} of dataset/, hidden files left out."""
    try:
        entries = list(os.scandir(project.dataset_dir))
    except FileNotFoundError:
        return {}
    found = {}
    for entry in entries:
        try:
            info = os.lstat(entry.path)  # not entry.stat(): on Windows that may be of the last time the file was closed
        except FileNotFoundError:  # removed while we looked
            continue
        if stat.S_ISREG(info.st_mode) and not entry.name.startswith("."):
            found[entry.name] = (info.st_size, info.st_mtime_ns)
    return found


def stamp(path):
    """Changes whenever an atomically written file does; () while there is none."""
    try:
        info = path.stat()
    except FileNotFoundError:
        return ()
    return info.st_mtime_ns, info.st_size, info.st_ino


def stale(data, files):
    """Media files of dataset/ that no record describes, or that changed since: they must be measured again."""
    known = {r["file"]: (r["file_size"], r["file_mtime_ns"]) for r in data["items"].values()}
    return sorted(n for n, seen in files.items() if n.casefold().endswith(PHOTO_SUFFIXES + CLIP_SUFFIXES) and known.get(n) != seen)


def describe(project, data, name, seen):
    """Bring the record of dataset/<name> up to date with the file; a file put there by hand gets a new record."""
    path = project.dataset_dir / name
    item_id = next((i for i, r in data["items"].items() if r["file"] == name), None)
    record = data["items"].get(item_id, {})
    try:
        sha256 = file_sha256(path)
    except OSError:  # removed, or still being copied by another program: the next look finds it
        return
    if record.get("file_sha256") != sha256:
        if record.get("problem"):  # it was damaged or half copied; it is another file now
            record |= {"keep": True, "reason": ""}
        record = blank_record() | record | {"file": name, "file_sha256": sha256, "sha256": sha256, "measurements": {}} | probe(path)
    if record["problem"]:
        record |= {"keep": False, "reason": record["problem"]}
    record |= {"file_size": seen[0], "file_mtime_ns": seen[1]}
    data["items"][item_id or free_id(data, name)] = record


def blank_record():
    return dict(
        kind="photo", original="", original_sha256="", width=0, height=0, num_frames=1, fps=0.0, seconds=0.0,
        caption_source="", caption_key="", keep=True, reason="", decided_by="", problem="", measurements={}, added=time.time(),
    )  # fmt: skip


def probe(path):
    """Size and length of a media file as record fields; what is wrong with it in `problem`."""
    from studio.data.media import kinds as media

    try:
        return media.probe(path) | {"problem": ""}
    except ValueError as e:
        kind = "clip" if path.suffix.casefold() in CLIP_SUFFIXES else "photo"
        return {"kind": kind, "width": 0, "height": 0, "num_frames": 0, "fps": 0.0, "seconds": 0.0, "problem": str(e)}


def free_id(data, name):
    """The id of a file put into dataset/ by hand: its stem, or its whole name where that stem is taken."""
    stem = name.rsplit(".", 1)[0]
    return stem if stem not in data["items"] else name


def next_id(project, data, kind):
    """An id that no item, file or step of the history has ever had: "0001" or "clip-01"."""
    pattern = re.compile(r"clip-(\d+)$" if kind == "clip" else r"(\d+)$")
    used = [int(m[1]) for name in [*data["items"], *(n.rsplit(".", 1)[0] for n in scan(project))] if (m := pattern.match(name))]
    number = max([data["next"].get(kind, 1), *(n + 1 for n in used)])
    data["next"][kind] = number + 1
    return f"clip-{number:02d}" if kind == "clip" else f"{number:04d}"


# -- originals


def place_original(project, data, file, name, sha256):
    """Move a file into originals/ under a free, portable name; its name there. The same content is kept once."""
    project.originals_dir.mkdir(exist_ok=True)
    for path in project.originals_dir.iterdir():  # one that nothing is written of was left by a crash at this very place
        if (
            path.is_file()
            and path.stat().st_size == file.stat().st_size
            and sha256 == (data["originals"].get(path.name) or file_sha256(path))
        ):
            data["originals"][path.name] = sha256
            return path.name
    taken = {_fold(p.name) for p in project.originals_dir.iterdir()}
    stem, suffix = portable_name(name)
    choices = (f"{stem}{f' ({n})' if n > 1 else ''}{suffix}" for n in itertools.count(1))
    name = next(choice for choice in choices if _fold(choice) not in taken)
    sync_file(file)
    replace(file, project.originals_dir / name)
    data["originals"][name] = sha256
    return name


def portable_name(name):
    """(stem, suffix) of a file name that Windows, macOS and Linux all accept, from any text."""
    name = unicodedata.normalize("NFC", re.split(r"[/\\]", name)[-1])
    name = "".join("_" if c in '<>:"|?*' or unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in name).strip(" .")
    dot = name.rfind(".")
    stem, suffix = (name[:dot], name[dot:][:10]) if dot > 0 else (name, "")
    stem = stem.encode()[: limits.MAX_NAME_CHARACTERS].decode(errors="ignore").strip(" .")
    try:
        safe_join(".", stem or ".")
    except ValueError:  # nothing left, or a device's name
        stem = f"file-{stem}".rstrip("-")
    return stem, suffix


def sync_file(path):
    """Have the system write a file to the disk before it is relied upon."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _fold(name):
    return unicodedata.normalize("NFC", name).casefold()


# -- history


def remember(project, data, text, changes, group=""):
    """Append a step to the history; old steps fall off, and with them what they kept in trash/."""
    history = data["history"]
    last = history[-1] if history else None
    if group and last and last.get("group") == group and time.time() - last["time"] < GROUP_SECONDS:
        last["changes"] += changes
        last |= {"time": time.time(), "text": text.format(count=len({c["id"] for c in last["changes"]}))}
    else:
        history.append(
            {"text": text.format(count=len(changes)) if group else text, "time": time.time(), "group": group, "changes": changes}
        )
    sizes = [len(json.dumps(step)) for step in history]
    while len(history) > limits.HISTORY_STEPS or (len(history) > 1 and sum(sizes) > limits.HISTORY_BYTES):
        sizes.pop(0)
        for change in history.pop(0)["changes"]:
            if change.get("trash"):
                shutil.rmtree(trash_dir(project, change["trash"]), ignore_errors=True)


def new_trash(project):
    """Make a new folder in trash/ and return its name; `trash_dir` makes a path of it."""
    token = f"{time.time_ns()}-{secrets.token_hex(2)}"  # Windows' clock stands still for 15 ms
    trash_dir(project, token).mkdir(parents=True)
    return token


def trash_dir(project, token):
    return safe_join(project.root / "trash", token)
