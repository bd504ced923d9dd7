"""Photos and clips into a project: originals kept byte for byte, the dataset's copies ready to train on, nothing half done."""

import errno
import logging
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from studio.data import dataset, limits, sources
from studio.data.dataset import NewMedia
from studio.data.media import kinds as media
from studio.data.media import photos, transcode
from studio.data.media.kinds import MediaFacts
from studio.data.reports.import_report import Duplicate, FileNote, ImportReport
from studio.errors import Problem, is_disk_full
from studio.workspace import Project

log = logging.getLogger(__name__)
_SPARE_BYTES = 256 * 1024**2  # left free on the disk
_TRIGGER_PLACEHOLDER = re.compile(r"\[trigger\]", re.IGNORECASE)  # of AI Toolkit


@dataclass(frozen=True)
class _Import:
    """What the files of one import share."""

    project: Project
    folder: Path  # for what is on its way in
    archives: sources.Archives
    result: ImportReport
    should_stop: Callable[[], bool]


def import_media(
    project: Project,
    paths: Sequence[Path | str],
    *,
    report: Callable[..., None] = lambda event, **fields: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> ImportReport:
    """Import files, folders and zips; ImportReport. What can't be used is reported with a reason, and costs nothing else.

    May be stopped or killed at any moment and run again: what is there already is recognised by its content.
    Problem if there is nothing to import, or when the disk is full (what was done is kept).
    """
    project.require_ours()
    found = sources.find_sources(paths, leave_out=project.workspace.home)  # a folder above the workspace holds copies of everybody
    if not found:
        names = ", ".join(Path(path).name or str(path) for path in paths) or "what was given"
        raise Problem(f"There are no photos or clips in {names}.", fix=f"Choose a folder with {media.SUPPORTED}.")
    result = ImportReport()
    stopped = False
    with dataset.incoming(project) as folder, sources.open_archives() as archives:
        taking = _Import(project, folder, archives, result, should_stop)
        for number, source in enumerate(found):
            if stopped or should_stop():
                stopped = True
                break
            report("progress", stage="import", done=number, total=len(found), unit="files", message=source.name)
            with _explain_full_disk(number, len(found)):
                stopped = not _import_one(taking, source)
    done = result.num_files() if stopped else len(found)
    result = replace(result, stopped=stopped)
    report("progress", stage="import", done=done, total=len(found), unit="files", message=_summary(result))
    return result


def _import_one(taking: _Import, source: sources.Source) -> bool:
    """Take one file in, or note why not; False if it was stopped on the way."""
    name, result = _shown(source.name), taking.result
    if source.reason:
        result.rejected.append(FileNote(name, source.reason))
        return True
    try:
        item_id, known = _take_in(taking, source)
        if known:
            result.duplicates.append(Duplicate(name, known))
        else:
            result.added.append(item_id)
    except InterruptedError:
        return False
    except Problem:
        raise
    except ValueError as e:
        result.rejected.append(FileNote(name, str(e)))
    except OSError as e:
        if is_disk_full(e):
            raise
        result.rejected.append(FileNote(name, sources.why_unreadable(e)))
    except Exception as e:  # ours or a library's; it costs this file and no other
        log.exception("%s could not be taken in", name)
        result.rejected.append(FileNote(name, f"the studio could not take it in ({type(e).__name__}); the log says more"))
    finally:
        for leftover in taking.folder.iterdir():
            with suppress(PermissionError):  # Windows: a virus scanner is still looking at it; the folder goes at the end
                leftover.unlink(missing_ok=True)
    return True


def _take_in(taking: _Import, source: sources.Source) -> tuple[str, str]:
    """(id of the new item, ""), or ("", id of the item that has the same content)."""
    project, original = taking.project, taking.folder / "original"
    if known := dataset.find_content(project, source.sha256()):
        return "", known
    _check_free_space(project, source.size())
    sha256 = sources.copy_source(source, original, taking.archives)
    if known := dataset.find_content(project, sha256):
        return "", known
    ready, facts = _prepare(original, taking)
    caption = _caption(project, _read_caption(source, taking))
    if len(caption) > limits.MAX_CAPTION_CHARACTERS:
        caption = caption[: limits.MAX_CAPTION_CHARACTERS].rsplit(" ", 1)[0]
        taking.result.notes.append(FileNote(_shown(source.name), f"its caption was cut to {limits.MAX_CAPTION_CHARACTERS} characters"))
    new = NewMedia(
        media=ready, facts=facts, original=original, original_name=source.file_name(), original_sha256=sha256, caption=caption,
        caption_source="imported",
    )  # fmt: skip
    return dataset.add_media(project, new)


def _prepare(original: Path, taking: _Import) -> tuple[Path, MediaFacts]:
    """Make the dataset's copy of an original, beside it."""
    if media.sniff_file(original) == "clip":
        ready = taking.folder / "ready.mp4"
        return ready, transcode.prepare_clip(original, ready, taking.should_stop).media()
    ready = taking.folder / "ready.jpg"
    image = photos.load_photo(original, max_side=limits.MAX_PHOTO_SIDE)
    photos.write_photo(image, ready)
    return ready, MediaFacts(kind="photo", width=image.width, height=image.height)


def _read_caption(source: sources.Source, taking: _Import) -> str:
    try:
        return sources.read_caption(source, taking.archives)
    except (OSError, sources.Refused) as e:
        why = sources.why_unreadable(e) if isinstance(e, OSError) else str(e)
        taking.result.notes.append(FileNote(_shown(source.name), f"it came in without its caption: {why}"))
        return ""


def _caption(project: Project, text: str) -> str:
    trigger = project.facts().trigger
    text = " ".join(text.split())
    return _TRIGGER_PLACEHOLDER.sub(lambda _: trigger, text) if trigger else text


def _check_free_space(project: Project, size: int) -> None:
    """A copy and its dataset version must fit, with room to spare, before anything is written."""
    if shutil.disk_usage(project.root).free < 2 * size + _SPARE_BYTES:
        raise OSError(errno.ENOSPC, "the disk is full")


@contextmanager
def _explain_full_disk(done: int, total: int) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        if not is_disk_full(e):
            raise
        raise Problem(
            f"The disk is full; the import stopped after {done} of {total} files.",
            cost="Nothing was lost: what is already imported is kept.",
            fix="Free some space on the disk and import the same files again; those that are there are skipped.",
        ) from e


def _shown(name: str) -> str:
    """A file's name as it may be shown: no control characters, not endless."""
    name = "".join(c if c.isprintable() else "_" for c in name)
    return name if len(name) <= 200 else f"{name[:90]}...{name[-100:]}"


def _summary(result: ImportReport) -> str:
    parts = [f"{len(result.added)} imported"]
    parts += [f"{len(result.duplicates)} already there"] if result.duplicates else []
    parts += [f"{len(result.rejected)} not usable"] if result.rejected else []
    return ", ".join(parts) + (", stopped" if result.stopped else "")
