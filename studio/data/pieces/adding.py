"""Pieces as items of their own: cut at the model's frame rate and at the size that training takes at most, added as one step of undo."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.data import dataset, limits, records, undo_steps
from studio.data.captions.caption_files import text_key, write_caption
from studio.data.item_record import Item, Record
from studio.data.media.clips import ClipInfo, probe_clip
from studio.data.media.even_rate import Part, write_part
from studio.data.media.kinds import MediaFacts
from studio.data.pieces.piece_facts import Piece
from studio.data.remarks import CUT_UP, HAND, Decision, Remark
from studio.data.undo_steps import AddChange, Change, KeepChange
from studio.disk import locked
from studio.disk import replace as move
from studio.workspace import Project

MOST_SIDE = 1280  # px: pieces have at most its square, as no training takes more of a clip (config.DataConfig.clip_size)


@dataclass(frozen=True)
class Source:
    """A clip or film that pieces are cut of. item: the whole, where it is an item; content: hash of the bytes that are looked through."""

    name: str
    path: Path
    content: str
    original: str  # file name in originals/, or ""
    original_sha256: str
    item: Item | None = None


def piece_size(width: int, height: int) -> tuple[int, int]:
    """(width, height), even, of a piece: as its clip, or as large as training takes."""
    scale = min(1.0, MOST_SIDE / (width * height) ** 0.5, limits.MAX_CLIP_SIDE / max(width, height))
    wide, high = (max(2, int(side * scale) // 2 * 2) for side in (width, height))
    return wide, high


def add_pieces(
    project: Project, source: Source, info: ClipInfo, pieces: Sequence[Piece], should_stop: Callable[[], bool] = lambda: False
) -> list[str]:
    """Cut the pieces out and add them; their ids. The whole, if it is an item, is left out for it. InterruptedError before anything is added."""
    with dataset.incoming(project) as folder:
        made = [_cut(source, info, piece, folder / f"piece-{number}.mp4", should_stop) for number, piece in enumerate(pieces)]
        return take_in(project, source, made, f"Cutting {source.name} into {len(made)} pieces", instead=True)


@dataclass(frozen=True)
class Made:
    """A file that was made of a clip. part: the seconds of the clip that it shows."""

    media: Path
    facts: MediaFacts
    part: tuple[float, float]


def _cut(source: Source, info: ClipInfo, piece: Piece, target: Path, should_stop: Callable[[], bool]) -> Made:
    _, _, share_x, share_y = piece.crop or (0.0, 0.0, 1.0, 1.0)
    size = piece_size(round(info.width * share_x), round(info.height * share_y))
    write_part(source.path, target, Part(piece.start, piece.num_frames, piece.fps, size, piece.crop), info, should_stop)
    return Made(target, probe_clip(target).media(), (piece.start, round(piece.end, 3)))


def take_in(project: Project, source: Source, made: Sequence[Made], text: str, *, instead: bool) -> list[str]:
    """Add what was made of a clip as items, as one step of undo of that name; their ids. instead: the whole is left out for them.

    Records come first, then the files, each by one rename: what a kill leaves behind is a record without a file, which is nothing.
    """
    if not made:
        return []
    of_files = [dataset.file_fields(one.media) for one in made]
    with locked(project.curation_file):
        data, _ = dataset.reconcile(project)
        whole = data.items.get(source.item.id) if source.item else None
        if source.item and (whole is None or whole.sha256 != source.item.sha256):
            raise ValueError(f"{source.name} was changed in another window meanwhile; look at it and try again")
        caption = source.item.caption if source.item else ""
        ids = [records.next_id(project, data, one.facts.kind) for one in made]
        for item_id, one, of_file in zip(ids, made, of_files, strict=True):
            data.items[item_id] = Record(
                file=item_id + one.media.suffix, sha256=of_file["file_sha256"], original=source.original,
                original_sha256=source.original_sha256, part=one.part, added=time.time(), caption_source="auto" if caption else "",
                caption_key=text_key(caption), **one.facts.media_fields(), **of_file,
            )  # fmt: skip
        changes: list[Change] = [AddChange(id=item_id) for item_id in ids]
        if whole is not None and source.item and instead:
            changes.append(_leave_out_whole(data.items, source.item, ids))
        undo_steps.remember(project, data.history, text, changes)
        records.save(project, data)
        project.dataset_dir.mkdir(exist_ok=True)
        for item_id, one in zip(ids, made, strict=True):
            target = project.dataset_dir / (item_id + one.media.suffix)
            if caption:
                write_caption(target, caption)
            move(one.media, target)
    return ids


def _leave_out_whole(items: dict[str, Record], item: Item, ids: Sequence[str]) -> KeepChange:
    """The whole is not trained beside its pieces. It stands like a decision by hand: a check of all pictures must not bring it back."""
    change = KeepChange(id=item.id, before=item.decision())
    words = f"cut into pieces that are items of their own: {', '.join(ids)}"
    items[item.id] = undo_steps.decide(items[item.id], Decision(keep=False, reasons=(Remark(code=CUT_UP, words=words),), decided_by=HAND))
    return change


def without_known(pieces: Sequence[Piece], known: Sequence[tuple[float, ...]]) -> list[Piece]:
    """Those that are not, for the most part, among the parts that are items already."""

    def is_known(piece: Piece) -> bool:
        return any(min(piece.end, part[1]) - max(piece.start, part[0]) > piece.seconds / 2 for part in known if len(part) == 2)

    return [piece for piece in pieces if not is_known(piece)]
