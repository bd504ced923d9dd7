"""The kept part of a dataset as folders of media and captions: as it is, or as every other trainer takes all of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.config import TrainConfig
from studio.data.buckets import choose_num_frames
from studio.data.item_record import Item
from studio.export.media import copy_photo, write_clip, write_still
from studio.models.preset import ModelPreset
from studio.training.material import FRAMES_PER_LATENT

PHOTO, CLIP, STILL = "photo", "clip", "still"


@dataclass(frozen=True)
class Group:
    """Items that share a folder: all photos, or clips of one frame rate and, for other trainers, of one length."""

    name: str  # folder below dataset/
    kind: str  # PHOTO; CLIP; or STILL: the first pictures of clips that are too short to move
    fps: float
    items: tuple[Item, ...] = ()
    num_frames: int = 0  # of each of its files; 0: the files are copied as they are

    @property
    def is_clip(self) -> bool:
        return self.kind == CLIP

    def size(self, train: TrainConfig) -> int:
        """About how many pixels a side has in training."""
        return train.data.photo_size if self.kind == PHOTO else train.data.clip_size


def group_items(items: Iterable[Item]) -> tuple[Group, ...]:
    """Groups of the items as they are: photos, then clips by frame rate."""
    groups: dict[tuple[str, str, float], list[Item]] = {}
    for item in items:
        fps = round(item.fps, 2) if item.kind == CLIP else 0.0
        name = f"clips-{fps:g}fps".replace(".", "_") if item.kind == CLIP else "photos"
        groups.setdefault((name, item.kind, fps), []).append(item)
    photos_first = sorted(groups.items(), key=lambda group: (group[0][1] != PHOTO, group[0]))
    return tuple(Group(name, kind, fps, tuple(members)) for (name, kind, fps), members in photos_first)


def group_for_trainers(items: Iterable[Item], preset: ModelPreset, train: TrainConfig) -> tuple[Group, ...]:
    """Groups as the training took them: clips at the model's own rate, those of equal length together.

    Other trainers take one length for a folder, step over frames of other rates or leave shorter clips out: so each folder holds clips of
    exactly its length and the model's rate. A clip that is too short to move was trained as one picture, and is one.
    """
    photos: list[Item] = []
    clips: dict[int, list[Item]] = {}
    for item in items:
        if item.kind == CLIP:
            clips.setdefault(choose_num_frames(item.seconds, preset.fps, train.data.clip_frames, FRAMES_PER_LATENT), []).append(item)
        else:
            photos.append(item)
    stills = clips.pop(1, [])
    groups = [Group("photos", PHOTO, 0.0, tuple(photos), 1), Group("stills", STILL, 0.0, tuple(stills), 1)]
    groups += [Group(f"clips-{count}-frames", CLIP, float(preset.fps), tuple(clips[count]), count) for count in sorted(clips)]
    return tuple(group for group in groups if group.items)


def copy_groups(groups: Sequence[Group], folder: Path, tell: Callable[[int, int, str], None]) -> None:
    """Write media and captions below folder/dataset; originals keep their dates out of it."""
    done, total = 0, sum(len(group.items) for group in groups)
    for group in groups:
        target = folder / "dataset" / group.name
        target.mkdir(parents=True)
        for item in group.items:
            tell(done, total, item.path.name)
            _write_media(item, group, target)
            (target / f"{item.path.stem}.txt").write_text(item.caption, encoding="utf-8", newline="\n")
            done += 1


def _write_media(item: Item, group: Group, folder: Path) -> None:
    if not group.num_frames:
        shutil.copyfile(item.path, folder / item.path.name)
    elif group.kind == CLIP:
        write_clip(item.path, folder / f"{item.path.stem}.mp4", group.num_frames, round(group.fps))
    elif group.kind == STILL:
        write_still(item.path, folder / f"{item.path.stem}.jpg")
    else:
        copy_photo(item.path, folder)
