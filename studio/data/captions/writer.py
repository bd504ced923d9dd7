"""Writes captions with a captioner of any family: reads the pictures, asks, composes, writes."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.config import CaptionConfig, load_preset
from studio.data import dataset
from studio.data.captions import rules as captions
from studio.data.captions.answer import Answer, read_answer
from studio.data.captions.caption_report import CaptionNote, CaptionReport
from studio.data.item_record import Item
from studio.errors import Problem
from studio.models.captioners.family import Captioner
from studio.models.captioners.places import captioner_folder, check_captioner, load_captioner
from studio.models.catalogue import BaseModel
from studio.workspace import Project, Workspace

if TYPE_CHECKING:
    from PIL import Image

PHOTO_PIXELS = 768 * 768  # about 600 tokens of Qwen3-VL
FRAME_PIXELS = 384 * 384
NUM_FRAMES = 8  # of a clip, spread over its length
PHOTO_SIDE = 2048  # decoded no larger than this
MAX_ASPECT_RATIO = 20
DEFAULT_CAPTIONER = "Qwen3-VL-8B-Instruct"

log = logging.getLogger(__name__)


def find_captioner(name: str, base: BaseModel | None, workspace: Workspace) -> Path:
    """The folder of a captioner: the one named (a folder of the models folder, or a path), else the base model's own.

    models/<name>.path, one line of text, may say where the folder really is. Problem in words if it is not there or not whole.
    """
    folder = captioner_folder(name.strip() or str(base.captioner if base else DEFAULT_CAPTIONER), workspace)
    check_captioner(folder)
    return folder


def write_captions(
    project: Project,
    *,
    captioner_path: Path | Callable[[], Path],
    config: CaptionConfig,
    only: Collection[str] | None = None,
    overwrite_auto: bool = False,
    report: Callable[..., None],
    should_stop: Callable[[], bool],
) -> CaptionReport:
    """Caption the kept and held-out items that have none (or the items `only` names). Captions by hand or imported are never replaced.

    captioner_path: a folder, or a function that gives one, called only if there is something to write. overwrite_auto: also rewrite
    captions that a captioner wrote.
    """
    facts = project.facts()
    trigger, class_noun = " ".join(facts.trigger.split()), " ".join(facts.class_noun.split())
    if not trigger:
        raise Problem("the project has no trigger word yet", cost="Nothing was changed.", fix="set one, for example ohwx")
    todo, num_kept = _choose_items(project, only, overwrite_auto)
    result = CaptionReport(kept=num_kept)
    if not todo:
        report("note", message=f"0 captions to write; {num_kept} stay as they are.")
        return result
    writer = _Writer(
        project,
        trigger,
        _with_article(class_noun or "person"),
        load_preset("captions", config.style),
        config,
        overwrite_auto,
        report,
        result,
    )
    report("progress", stage="captions", done=0, total=len(todo), unit="captions", message="Loading the captioner")
    with _loaded(captioner_path() if callable(captioner_path) else captioner_path) as captioner:
        for done, item in enumerate(todo):
            if should_stop():
                return replace(writer.result, stopped=True)
            writer.write(captioner, item)
            report("progress", stage="captions", done=done + 1, total=len(todo), unit="captions", message=item.path.name)
    return writer.result


def _choose_items(project: Project, only: Collection[str] | None, overwrite_auto: bool) -> tuple[list[Item], int]:
    """(items to caption, number of those that stay as they are)."""
    items = dataset.list_items(project)
    if only is None:
        items = [item for item in items if item.keep or item.held_out]
    else:
        unknown = sorted(set(only) - {item.id for item in items})
        if unknown:
            raise ValueError(f"there is no item {unknown[0]!r} in this dataset; it may have been removed in another window")
        items = [item for item in items if item.id in set(only)]
    todo = [item for item in items if _is_free(item, overwrite_auto)]
    return todo, len(items) - len(todo)


def _is_free(item: Item, overwrite_auto: bool) -> bool:
    return not item.caption or (overwrite_auto and item.caption_source == "auto")


@dataclass
class _Writer:
    """Captions one item after another and keeps the counts."""

    project: Project
    trigger: str
    noun: str  # with its article: "a person"
    style: Mapping[str, Any]  # a preset of captions
    config: CaptionConfig
    overwrite_auto: bool
    report: Callable[..., None]
    result: CaptionReport

    def write(self, captioner: Captioner, item: Item) -> None:
        """One item: read, describe, compose, write. A file that can't be read is reported by name and passed over."""
        try:
            caption, problem = self._describe(captioner, item)
            now = dataset.get_item(self.project, item.id)
        except (OSError, ValueError) as e:
            log.warning("no caption for %s", item.path.name, exc_info=True)
            self.result = replace(self.result, failed=self.result.failed + 1)
            return self._note(item, f"no caption written: {e}")
        if not self._store(now, caption):
            self.result = replace(self.result, kept=self.result.kept + 1)
            return self._note(item, "edited meanwhile; your caption stays")
        self.result = replace(self.result, written=self.result.written + 1)
        if problem:
            self.result = replace(self.result, plain=self.result.plain + 1)
            self._note(item, f"{problem}; the caption says only {caption!r}, please look at it")
        return None

    def _describe(self, captioner: Captioner, item: Item) -> tuple[str, str]:
        """(caption, why it is only the plain one or "")."""
        pictures, fps = _read_pictures(item)
        instruction = self.style[item.kind].strip()
        answer = captioner.answer(pictures, fps, instruction, self.config.max_new_tokens)
        bounds = {key: self.style[key] for key in ("leave_out", "max_words")}
        return self._compose(read_answer(answer.text, trigger=self.trigger, instruction=instruction, complete=answer.is_complete, **bounds))

    def _store(self, item: Item, caption: str) -> bool:
        """Write the caption unless the person wrote one while the model was thinking; whether it stands."""
        if not _is_free(item, self.overwrite_auto):
            return False
        changed = dataset.set_caption(self.project, item.id, caption, source="auto")
        return changed or dataset.get_item(self.project, item.id).caption == caption

    def _compose(self, answer: Answer) -> tuple[str, str]:
        """(a legal caption, why it is only the plain one or "")."""
        plain = captions.compose_caption(self.trigger, self.noun, "")
        if answer.problem:
            return plain, answer.problem
        caption = captions.compose_caption(self.trigger, f"{self.noun}, {answer.person}", answer.scene)
        faults = captions.check_caption(caption, self.trigger)
        return (plain, f"the captioner's answer made no legal caption ({faults[0].words})") if faults else (caption, "")

    def _note(self, item: Item, text: str) -> None:
        note = CaptionNote(id=item.id, file=item.path.name, text=text)
        self.result = replace(self.result, notes=(*self.result.notes, note))
        self.report("note", message=f"{item.path.name}: {text}", item=item.id)


def _with_article(noun: str) -> str:
    if noun.casefold().startswith(("a ", "an ", "the ")):
        return noun
    article = "an" if noun[0].casefold() in "aeiou" else "a"
    return f"{article} {noun}"


# -- pictures


def _read_pictures(item: Item) -> tuple[list[Image.Image], float]:
    """(PIL images, their rate in frames a second): a photo's one, or frames spread over a clip, bounded in size.

    ValueError or OSError if the file can't be read.
    """
    if item.problem:
        raise ValueError(item.problem)
    if item.kind == "photo":
        from studio.data.media.photos import load_photo

        picture = load_photo(item.path, max_side=PHOTO_SIDE)
        return [picture.resize(_bounded_size(*picture.size, PHOTO_PIXELS))], 0.0
    from PIL import Image

    from studio.data.media.clips import read_frames

    fps = NUM_FRAMES / item.seconds
    frames = read_frames(item.path, NUM_FRAMES, fps, size=_bounded_size(item.width, item.height, FRAME_PIXELS))
    return [Image.fromarray(frame) for frame in frames], fps


def _bounded_size(width: int, height: int, max_pixels: int) -> tuple[int, int]:
    """(width, height) of the same shape with at most about max_pixels; never larger."""
    if max(width, height) > MAX_ASPECT_RATIO * min(width, height):
        raise ValueError(f"{width} x {height} px is too narrow to describe; crop it")
    scale = min(1.0, (max_pixels / (width * height)) ** 0.5)
    return max(1, round(width * scale)), max(1, round(height * scale))


# -- the model


@contextlib.contextmanager
def _loaded(folder: Path) -> Iterator[Captioner]:
    """A Captioner while the block runs; its memory is free again afterwards."""
    import torch

    captioner = None
    try:
        captioner = load_captioner(folder)
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
