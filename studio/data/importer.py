"""Photos and clips into a project: originals kept byte for byte, the dataset's copies ready to train on, nothing half done."""

import errno
import logging
import re
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from studio.data import dataset, limits, sources
from studio.data.media import clips
from studio.data.media import kinds as media
from studio.errors import Problem

log = logging.getLogger(__name__)
_SPARE_BYTES = 256 * 1024**2  # left free on the disk
_TRIGGER_PLACEHOLDER = re.compile(r"\[trigger\]", re.IGNORECASE)  # of AI Toolkit


@dataclass
class ImportReport:
    """What became of each file, by the name it was shown with."""

    added: list = field(default_factory=list)  # ids
    duplicates: list = field(default_factory=list)  # (name, id of the item with the same content)
    rejected: list = field(default_factory=list)  # (name, reason)
    notes: list = field(default_factory=list)  # (name, what to know)
    stopped: bool = False


def import_media(project, paths, *, report=lambda event, **fields: None, should_stop=lambda: False):
    """Import files, folders and zips; ImportReport. What can't be used is reported with a reason, and costs nothing else.

    May be stopped or killed at any moment and run again: what is there already is recognised by its content.
    Problem if there is nothing to import, or when the disk is full (what was done is kept).
    """
    project.require_ours()
    found = sources.find_sources(paths, leave_out=project.workspace.home)  # a folder above the workspace holds copies of everybody
    if not found:
        names = ", ".join(getattr(p, "name", "") or str(p) for p in paths) or "what was given"
        raise Problem(f"There are no photos or clips in {names}.", fix=f"Choose a folder with {media.SUPPORTED}.")
    result = ImportReport()
    with dataset.incoming(project) as folder, sources.open_archives() as archives:
        for number, source in enumerate(found):
            if should_stop():
                result.stopped = True
                break
            report("progress", stage="import", done=number, total=len(found), unit="files", message=source.name)
            with _explain_full_disk(number, len(found)):
                _import_one(project, source, folder, archives, result, should_stop)
    done = len(found) if not result.stopped else len(result.added) + len(result.duplicates) + len(result.rejected)
    report("progress", stage="import", done=done, total=len(found), unit="files", message=_summary(result))
    return result


def _import_one(project, source, folder, archives, result, should_stop):
    name = _shown(source.name)
    if source.reason:
        result.rejected.append((name, source.reason))
        return
    try:
        known = _known_item(project, source.sha256())
        if known:
            result.duplicates.append((name, known))
            return
        _check_free_space(project, source.size())
        original = folder / "original"
        sha256 = sources.copy_source(source, original, archives)
        known = _known_item(project, sha256)
        if not known:
            item_id, known = _take_in(project, source, folder, original, sha256, archives, result, should_stop)
        if known:
            result.duplicates.append((name, known))
        else:
            result.added.append(item_id)
    except InterruptedError:
        result.stopped = True
    except Problem:
        raise
    except ValueError as e:
        result.rejected.append((name, str(e)))
    except OSError as e:
        if e.errno in clips.FULL_DISK:
            raise
        result.rejected.append((name, sources.why_unreadable(e)))
    except Exception as e:  # ours or a library's; it costs this file and no other
        log.exception("%s could not be taken in", name)
        result.rejected.append((name, f"the studio could not take it in ({type(e).__name__}); the log says more"))
    finally:
        for leftover in folder.iterdir():
            with suppress(PermissionError):  # Windows: a virus scanner is still looking at it; the folder goes at the end
                leftover.unlink(missing_ok=True)


def _take_in(project, source, folder, original, sha256, archives, result, should_stop):
    """Make the dataset's copy of a staged original and add both; as `dataset.add_media`."""
    kind = media.sniff_file(original)
    ready, fields = _prepare_clip(original, folder, should_stop) if kind == "clip" else _prepare_photo(original, folder)
    caption = _caption(project, _read_caption(source, archives, result))
    if len(caption) > limits.MAX_CAPTION_CHARACTERS:
        caption = caption[: limits.MAX_CAPTION_CHARACTERS].rsplit(" ", 1)[0]
        result.notes.append((_shown(source.name), f"its caption was cut to {limits.MAX_CAPTION_CHARACTERS} characters"))
    return dataset.add_media(
        project, ready, fields, original=original, original_name=source.entry or source.path.name, original_sha256=sha256,
        caption=caption, caption_source="imported",
    )  # fmt: skip


def _prepare_photo(original, folder):
    from studio.data.media import photos

    image = photos.load_photo(original, max_side=limits.MAX_PHOTO_SIDE)
    photos.write_photo(image, folder / "ready.jpg")
    return folder / "ready.jpg", dict(kind="photo", width=image.width, height=image.height, num_frames=1, fps=0.0, seconds=0.0)


def _prepare_clip(original, folder, should_stop):
    from studio.data.media import transcode

    info = transcode.prepare_clip(original, folder / "ready.mp4", should_stop)
    names = ("width", "height", "num_frames", "fps", "seconds")
    return folder / "ready.mp4", {"kind": "clip"} | {name: getattr(info, name) for name in names}


def _read_caption(source, archives, result):
    try:
        return sources.read_caption(source, archives)
    except (OSError, sources.Refused) as e:
        why = sources.why_unreadable(e) if isinstance(e, OSError) else str(e)
        result.notes.append((_shown(source.name), f"it came in without its caption: {why}"))
        return ""


def _caption(project, text):
    trigger = project.facts().trigger
    text = " ".join(text.split())
    return _TRIGGER_PLACEHOLDER.sub(lambda _: trigger, text) if trigger else text


def _known_item(project, sha256):
    return next((item_id for item_id, known in dataset.original_hashes(project) if sha256 and sha256 in known), "")


def _check_free_space(project, size):
    """A copy and its dataset version must fit, with room to spare, before anything is written."""
    if shutil.disk_usage(project.root).free < 2 * size + _SPARE_BYTES:
        raise OSError(errno.ENOSPC, "the disk is full")


@contextmanager
def _explain_full_disk(done, total):
    try:
        yield
    except OSError as e:
        if e.errno not in clips.FULL_DISK:
            raise
        raise Problem(
            f"The disk is full; the import stopped after {done} of {total} files.",
            cost="Nothing was lost: what is already imported is kept.",
            fix="Free some space on the disk and import the same files again; those that are there are skipped.",
        ) from e


def _shown(name):
    """A file's name as it may be shown: no control characters, not endless."""
    name = "".join(c if c.isprintable() else "_" for c in name)
    return name if len(name) <= 200 else f"{name[:90]}...{name[-100:]}"


def _summary(result):
    parts = [f"{len(result.added)} imported"]
    parts += [f"{len(result.duplicates)} already there"] if result.duplicates else []
    parts += [f"{len(result.rejected)} not usable"] if result.rejected else []
    return ", ".join(parts) + (", stopped" if result.stopped else "")
