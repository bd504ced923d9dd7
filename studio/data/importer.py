"""Photos and clips into a project: originals kept byte for byte, the dataset's copies ready to train on, nothing half done."""

import errno
import logging
import os
import re
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from studio.data import dataset, limits
from studio.data.captions.caption_files import clean_caption
from studio.data.cropping.training_copy import write_copy
from studio.data.incoming.found import Archives, open_archives, why_unreadable
from studio.data.incoming.import_report import Duplicate, FileNote, ImportReport
from studio.data.incoming.intake import Intake, NewMedia, open_intake
from studio.data.incoming.matching import split_variants
from studio.data.incoming.sorting import Answers, Person
from studio.data.incoming.survey import Source, survey
from studio.data.media import clips, photos, transcode
from studio.data.media import kinds as media
from studio.data.media.animations import is_animation
from studio.data.media.kinds import MediaFacts
from studio.data.pieces.piece_facts import LONGEST
from studio.data.pieces.piece_report import in_short, read_report
from studio.errors import Problem, is_disk_full
from studio.workspace import Project

log = logging.getLogger(__name__)
NUM_AT_ONCE = 2  # photos that are made ready beside the one that is taken in
LARGE_BYTES = 32 * 1024**2  # a file from which on one at a time is enough for the memory
_SPARE_BYTES = 256 * 1024**2  # left free on the disk
_TRIGGER_PLACEHOLDER = re.compile(
    r"\[(?:trigger|name)\]|\{trigger\}|<trigger>", re.IGNORECASE
)  # of AI Toolkit, and what people write for it


@dataclass(frozen=True)
class _Import:
    """What the files of one import share."""

    project: Project
    intake: Intake
    folder: Path  # for what is on its way in
    archives: Archives
    result: ImportReport
    captions_only: frozenset[str]  # names of files that were taken in before: they may have been removed since
    should_stop: Callable[[], bool]


def import_media(
    project: Project,
    paths: Sequence[Path | str],
    *,
    answers: Answers | None = None,
    earlier: ImportReport | None = None,
    report: Callable[..., None] = lambda event, **fields: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> ImportReport:
    """Import files, folders and zips; ImportReport. What can't be used is reported with a reason, and costs nothing else.

    answers: what the person said of files that an import left out or asked about; earlier: the report of that import, which is taken up:
    then only what the answers are about is imported. May be stopped or killed at any moment and run again: what is there already is
    recognised by its content. Problem if there is nothing to import, or when the disk is full (what was done is kept).
    """
    project.require_ours()
    facts, answers = project.facts(), answers or Answers()
    # a folder above the workspace holds copies of everybody
    found = survey(paths, project.workspace.home, Person(facts.trigger, facts.class_noun), answers)
    if not found.sources and not found.asked and not any(group.can_come for group in found.left_out):
        names = ", ".join(Path(path).name or str(path) for path in paths) or "what was given"
        raise Problem(f"There are no photos or clips in {names}.", fix=f"Choose a folder with {media.SUPPORTED}.")
    todo, captions_only = (found.sources, frozenset[str]()) if earlier is None else _answered(found.sources, earlier)
    result = ImportReport(num_given=found.num_given, left_out=found.left_out, asked=found.asked, texts=found.texts, notes=list(found.notes))
    with dataset.incoming(project) as folder, open_archives() as archives, open_intake(project) as intake:
        stopped = _import_all(_Import(project, intake, folder, archives, result, captions_only, should_stop), todo, report)
    result = replace(result, stopped=stopped)
    if not stopped:
        result = _cut_long(project, result, report, should_stop)
    done = result.num_files() if stopped else len(todo)
    report("progress", stage="import", done=done, total=len(todo), unit="files", message=_summary(result))
    return result if earlier is None else _taken_up(earlier, result)


def _import_all(taking: _Import, todo: Sequence[Source], report: Callable[..., None]) -> bool:
    """Take in one file after the other, while the photos that follow are made ready; whether it was stopped."""
    with ThreadPoolExecutor(NUM_AT_ONCE, "photo") as pool:
        for number, coming in enumerate(_made_ready(taking, todo, pool)):
            if taking.should_stop():
                return True
            report("progress", stage="import", done=number, total=len(todo), unit="files", message=coming.source.name)
            with _explain_full_disk(number, len(todo)):
                if not _import_one(taking, coming):
                    return True
    return False


@dataclass(frozen=True)
class _Coming:
    """A file on its way in. known: the item that has its content already; ready: its training copy; error: why it can't be taken in."""

    source: Source
    folder: Path
    known: str = ""
    sha256: str = ""
    ready: "Future[tuple[Path, MediaFacts]] | None" = None
    error: Exception | None = None

    @property
    def original(self) -> Path:
        return self.folder / "original"


def _made_ready(taking: _Import, todo: Sequence[Source], pool: ThreadPoolExecutor) -> Iterator[_Coming]:
    """Each file in order; the photos behind it are decoded meanwhile, by libraries that let other threads run."""
    ahead: deque[_Coming] = deque()
    for number, source in enumerate(todo):
        ahead.append(_begin(taking, source, taking.folder / str(number), pool))
        if len(ahead) > NUM_AT_ONCE:
            yield ahead.popleft()
    yield from ahead


def _begin(taking: _Import, source: Source, folder: Path, pool: ThreadPoolExecutor) -> _Coming:
    """Copy a file into the project, and have its training copy made. What goes wrong is told when its turn comes."""
    coming = _Coming(source, folder)
    if source.reason:
        return coming
    try:
        if known := taking.intake.find(source.sha256()):
            return replace(coming, known=known)
        _check_free_space(taking.project, source.size())
        folder.mkdir()
        coming = replace(coming, sha256=taking.archives.copy(source.found, coming.original))
        if source.name in taking.captions_only:
            return coming
        is_photo = source.size() < LARGE_BYTES and media.sniff_file(coming.original) == "photo" and not is_animation(coming.original)
        return replace(coming, ready=pool.submit(_prepare, coming.original, taking) if is_photo else None)
    except Exception as e:
        return replace(coming, error=e)


def _answered(found: Sequence[Source], earlier: ImportReport) -> tuple[list[Source], frozenset[str]]:
    """(the files that the earlier import did not take in, or that have other captions now; the names of the latter)."""
    waiting = {name for group in (*earlier.left_out, *earlier.asked) for name in group.files}
    fresh = [source for source in found if source.name in waiting]
    known = [source for source in found if source.name not in waiting and any(part.source.shown in waiting for part in source.captions)]
    return fresh + known, frozenset(source.name for source in known)


def _taken_up(earlier: ImportReport, result: ImportReport) -> ImportReport:
    """The report of both together: what the earlier import took in is no duplicate of itself."""
    return replace(
        result,
        added=earlier.added + result.added,
        duplicates=earlier.duplicates + [same for same in result.duplicates if same.item_id not in earlier.added],
        rejected=earlier.rejected + result.rejected,
        notes=earlier.notes + [note for note in result.notes if note not in earlier.notes],
    )


def _import_one(taking: _Import, coming: _Coming) -> bool:
    """Take one file in, or note why not; False if it was stopped on the way."""
    source, result = coming.source, taking.result
    name = _shown(source.name)
    if source.reason:
        result.rejected.append(FileNote(name, source.reason))
        return True
    try:
        item_id, known = _take_in(taking, coming)
        if not known and not item_id:
            return True
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
        result.rejected.append(FileNote(name, why_unreadable(e)))
    except Exception as e:  # ours or a library's; it costs this file and no other
        log.exception("%s could not be taken in", name)
        result.rejected.append(FileNote(name, f"the studio could not take it in ({type(e).__name__}); the log says more"))
    finally:
        shutil.rmtree(
            coming.folder, ignore_errors=True
        )  # Windows: a virus scanner is still looking at it; the folder above goes at the end
    return True


def _take_in(taking: _Import, coming: _Coming) -> tuple[str, str]:
    """(id of the new item, ""), ("", id of the item that has the same content), or ("", "") if only captions were to come in."""
    source = coming.source
    if coming.error:
        raise coming.error
    if known := coming.known or taking.intake.find(coming.sha256):
        _caption_known(taking, source, known)
        return "", known
    if source.name in taking.captions_only:
        return "", ""
    if not coming.ready and media.sniff_file(coming.original) == "clip" and clips.is_film(coming.original):
        _keep_film(taking, source, coming)
        return "", ""
    ready, facts = coming.ready.result() if coming.ready else _prepare(coming.original, taking)
    if facts.kind == "photo" and (number := photos.count_pictures(coming.original)) > 1:
        _note(taking, source, f"it holds {number} pictures; the first one came in, the others stay in the original")
    caption, *others = _captions(taking, source) or [""]
    new = NewMedia(
        media=ready, facts=facts, original=coming.original, original_name=source.file_name(), original_sha256=coming.sha256, caption=caption,
        caption_source="imported", other_captions=tuple(others),
    )  # fmt: skip
    return taking.intake.add(new)


def _keep_film(taking: _Import, source: Source, coming: _Coming) -> None:
    """A clip that is too long to be an item goes into originals/, and pieces of it become items."""
    clips.probe_clip(coming.original, clips.film_bounds())
    name = taking.intake.add_film(coming.original, source.file_name(), coming.sha256)
    taking.result.films.append(FileNote(_shown(source.name), name))
    if _captions(taking, source):
        _note(taking, source, "its caption is not used: it is cut into pieces, and each shows something else")


def _cut_long(project: Project, result: ImportReport, report: Callable[..., None], should_stop: Callable[[], bool]) -> ImportReport:
    """Cut what is longer than a piece: only the first seconds of it would be trained. A clip that came with a caption stays as it came."""
    known = {same.item_id for same in result.duplicates}  # by an import that was stopped before it cut them
    long = [item for item in dataset.list_items(project) if item.kind == "clip" and item.seconds > LONGEST and not item.part]
    added = [i for i in long if i.id in result.added or (i.id in known and i.keep and read_report(project, i) is None)]
    for item in (item for item in added if item.caption):
        words = f"it came with a caption, so that its {item.seconds:.1f} s stay together; training takes the first of them"
        result.notes.append(FileNote(item.id, words))
    bare, films = [item.id for item in added if not item.caption], [film.words for film in result.films]
    if not bare and not films:
        return result
    from studio.data.pieces.piece_finder import find_pieces  # OpenCV, and the eye: only where there is something to look through

    found = find_pieces(project, bare, report, should_stop, films=films)
    return replace(result, videos=list(found.videos), stopped=found.stopped)


def _caption_known(taking: _Import, source: Source, item_id: str) -> None:
    """A file that is here already may bring the caption that its item is missing; another caption is told, and stays outside."""
    captions = _captions(taking, source)
    if not captions:
        return
    item = taking.intake.item(item_id)
    if not item.caption:
        dataset.set_caption(taking.project, item_id, captions[0], "imported")
        _note(taking, source, f"{item_id} had no caption and took the one that came with it")
    elif item.caption != captions[0]:
        _note(taking, source, f"its caption is another one than that of {item_id}, which stays: {captions[0][:200]}")


def _prepare(original: Path, taking: _Import) -> tuple[Path, MediaFacts]:
    """Make the dataset's file of an original, beside it. Of a large JPEG that is the original under a second name, which takes no time and no
    space: its training copy is made when it is kept (`studio.data.cropping.training_copy`)."""
    if media.sniff_file(original) == "clip" or is_animation(original):
        ready = original.with_name("ready.mp4")
        return ready, transcode.prepare_clip(original, ready, taking.should_stop).media()
    ready = original.with_name("ready.jpg")
    size = photos.size_of_large_jpeg(original, limits.MAX_TRAINED_PIXELS)
    if size is not None and _named_twice(original, ready):
        return ready, MediaFacts(kind="photo", width=size[0], height=size[1])
    return ready, write_copy(original, ready)


def _named_twice(original: Path, ready: Path) -> bool:
    """Give a file a second name; False where the disk knows no such thing (FAT, some network folders)."""
    try:
        os.link(original, ready)
    except OSError:
        return False
    return True


def _captions(taking: _Import, source: Source) -> list[str]:
    """The captions of a photo, the first of which is used; what was done to them is noted."""
    trigger = taking.project.facts().trigger
    found: list[str] = []
    for part in source.captions:
        lines, is_joined = split_variants(part.text, trigger)
        if is_joined:
            _note(taking, source, f"the lines of {part.source.name} were joined to one caption")
        found += [_cut(taking, source, _fill(line, trigger)) for line in lines]
    found = list(dict.fromkeys(caption for caption in found if caption))
    if len(found) > 1:
        _note(taking, source, f"the first of its {len(found)} captions is used; the others are kept with it")
    return found


def _fill(text: str, trigger: str) -> str:
    text = _TRIGGER_PLACEHOLDER.sub(lambda _: trigger, text) if trigger else text
    return clean_caption(text, most=0)


def _cut(taking: _Import, source: Source, caption: str) -> str:
    if len(caption) <= limits.MAX_CAPTION_CHARACTERS:
        return caption
    _note(taking, source, f"its caption was cut to {limits.MAX_CAPTION_CHARACTERS} characters")
    return caption[: limits.MAX_CAPTION_CHARACTERS].rsplit(" ", 1)[0]


def _note(taking: _Import, source: Source, words: str) -> None:
    taking.result.notes.append(FileNote(_shown(source.name), words))


def _check_free_space(project: Project, size: int) -> None:
    """A copy and its dataset version must fit, with room to spare, before anything is written."""
    copies = 2 if size <= limits.MAX_CLIP_BYTES else 1  # of a larger file pieces are kept, and no second copy
    if shutil.disk_usage(project.root).free < copies * size + _SPARE_BYTES:
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
    parts += [f"{sum(len(group.files) for group in result.left_out)} left out"] if result.left_out else []
    parts += [in_short(result.videos)] if result.videos else []
    return ", ".join(parts) + (", stopped" if result.stopped else "")
