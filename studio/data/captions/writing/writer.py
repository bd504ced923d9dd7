"""Writes captions with a captioner of any family: item after item, each caption safe on disk before the next one is asked for."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from studio.config import CaptionConfig, load_preset
from studio.data import dataset
from studio.data.captions.authorship import Authorship
from studio.data.captions.caption_report import FAILED, KEPT, REFUSED, REMARK, WRITTEN, CaptionNote, CaptionReport, note_down, read_journal
from studio.data.captions.traits import choose_traits
from studio.data.captions.writing.asking import Asker, Described
from studio.data.captions.writing.shown_pictures import read_pictures
from studio.data.item_record import Item
from studio.errors import Problem
from studio.models.captioners.family import Captioner, Interrupted
from studio.workspace import Project

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wish:
    """Which captions are to be written. only: ids of items, None for all kept ones; overwrite_auto: also what a captioner wrote before;
    attempt: how often the person had these asked anew before."""

    only: Collection[str] | None = None
    overwrite_auto: bool = False
    attempt: int = 0


def write_captions(
    project: Project,
    *,
    open_captioner: Callable[[], Captioner],
    config: CaptionConfig,
    wish: Wish,
    journal: Path | None = None,
    report: Callable[..., None],
    should_stop: Callable[[], bool],
) -> CaptionReport:
    """Caption the items that have no caption. Captions by hand or imported are never replaced.

    open_captioner: called only if there is something to write. journal: a file that remembers what was done, so that the same job goes on
    where it was: a kill loses the item in hand at most.
    """
    facts = project.facts()
    trigger, noun = " ".join(facts.trigger.split()), " ".join(facts.class_noun.split()) or "person"
    if not trigger:
        raise Problem("the project has no trigger word yet", cost="Nothing was changed.", fix="set one, for example ohwx")
    done = read_journal(journal)
    todo, num_kept = _choose_items(project, wish, {note.id for note in done})
    result = CaptionReport(kept=num_kept)
    for note in done:
        result = result.adding(note)
    if not todo:
        report("note", message=f"0 captions to write; {result.kept} stay as they are.")
        return result
    asker = Asker(trigger, noun, load_preset("captions", config.style), choose_traits(facts.traits), config.max_new_tokens, wish.attempt)
    total = len(todo) + len(done)
    report("progress", stage="captions", done=len(done), total=total, unit="captions", message="Loading the captioner")
    with _opened(open_captioner) as captioner:
        writer = _Writer(project, asker, captioner, config.style, wish.overwrite_auto, journal, report, result)
        writer.say_what_it_can_not(todo)
        for number, item in enumerate(todo, len(done) + 1):
            if should_stop() or not writer.write(item):
                return replace(writer.result, stopped=True)
            report("progress", stage="captions", done=number, total=total, unit="captions", message=item.path.name)
    return writer.result


def _choose_items(project: Project, wish: Wish, done: Collection[str]) -> tuple[list[Item], int]:
    """(items to caption, number of those that stay as they are), without those that were done before."""
    items = dataset.list_items(project)
    if wish.only is None:
        items = [item for item in items if item.keep or item.held_out]
    else:
        unknown = sorted(set(wish.only) - {item.id for item in items})
        if unknown:
            raise ValueError(f"there is no item {unknown[0]!r} in this dataset; it may have been removed in another window")
        items = [item for item in items if item.id in set(wish.only)]
    items = [item for item in items if item.id not in done]
    todo = [item for item in items if _is_free(item, wish.overwrite_auto)]
    return todo, len(items) - len(todo)


def _is_free(item: Item, overwrite_auto: bool) -> bool:
    return not item.caption or (overwrite_auto and item.caption_source == "auto")


@dataclass
class _Writer:
    """Captions one item after another and keeps the counts."""

    project: Project
    asker: Asker
    captioner: Captioner
    style: str
    overwrite_auto: bool
    journal: Path | None
    report: Callable[..., None]
    result: CaptionReport

    def say_what_it_can_not(self, items: Collection[Item]) -> None:
        """Once for all of them: what this captioner does not see of a clip."""
        if not self.captioner.sees_movement and any(item.kind == "clip" for item in items):
            text = f"{self.captioner.name} looks at one picture of each clip; what moves is not in their captions"
            self._note(CaptionNote(id="", file="", text=text, code=REMARK))

    def write(self, item: Item) -> bool:
        """One item: read, describe, compose, store; False if a stop was asked for meanwhile. A file that can't be read is passed over."""
        note = CaptionNote(id=item.id, file=item.path.name, text="", code=WRITTEN)
        try:
            described = self._describe(item)
            note = self._settle(note, dataset.get_item(self.project, item.id), described)
        except Interrupted:
            return False
        except (OSError, ValueError) as e:
            if isinstance(e, _ForAll):
                raise e.problem from e
            log.warning("no caption for %s", item.path.name, exc_info=True)
            note = replace(note, code=FAILED, text=f"no caption written: {e}")
        self._note(note)
        note_down(self.journal, note)
        return True

    def _describe(self, item: Item) -> Described:
        shown = read_pictures(item)
        try:
            return self.asker.describe(self.captioner, item.kind, shown)
        except Problem as e:  # of the captioner, and not of this one picture
            raise _ForAll(e) from e

    def _settle(self, note: CaptionNote, now: Item, described: Described) -> CaptionNote:
        if not described.caption:
            stays = "your caption stays" if now.caption else "it has no caption"
            stays = "its old caption stays" if now.caption_source == "auto" else stays
            return replace(note, code=REFUSED, text=f"{described.problem}; {stays}", answer=described.answer)
        if not self._store(now, described.caption):
            return replace(note, code=KEPT, text="edited meanwhile; your caption stays")
        return note

    def _store(self, item: Item, caption: str) -> bool:
        """Write the caption unless the person wrote one while the model was thinking; whether it stands."""
        if not _is_free(item, self.overwrite_auto):
            return False
        by = Authorship(captioner=self.captioner.name, version=self.captioner.version, style=self.style, time=time.time())
        changed = dataset.set_caption(self.project, item.id, caption, source="auto", by=by)
        return changed or dataset.get_item(self.project, item.id).caption == caption

    def _note(self, note: CaptionNote) -> None:
        self.result = self.result.adding(note)
        if note.text:
            self.report("note", message=f"{note.file}: {note.text}" if note.file else note.text, item=note.id)


class _ForAll(ValueError):
    """A Problem of which every other item would tell, too."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@contextlib.contextmanager
def _opened(open_captioner: Callable[[], Captioner]) -> Iterator[Captioner]:
    """A Captioner while the block runs; its memory is free again afterwards."""
    import torch

    captioner = None
    try:
        captioner = open_captioner()
        yield captioner
    except torch.cuda.OutOfMemoryError as e:
        raise Problem(
            "the graphics card ran out of memory while captions were written",
            cost="Captions written so far are kept.",
            fix="close other programs that use the graphics card and write the rest, or choose a smaller captioner",
        ) from e
    finally:
        if captioner is not None:
            captioner.close()
