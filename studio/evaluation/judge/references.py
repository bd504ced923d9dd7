"""The person's own pictures that drawings are measured against. Free of torch."""

import numpy as np

from studio.data.buckets import fit_side
from studio.data.dataset import held_out_items, kept_items
from studio.data.item_record import Item
from studio.data.media.clips import read_frames
from studio.data.media.photos import load_photo
from studio.evaluation.judge.likeness import LEAST_GROUPS
from studio.workspace import Project

MAX_SIDE = 1024  # px of a photo as it is looked at
CLIP_FRAMES = 5  # of a clip, spread over its length, where there are too few photos


def read_references(project: Project) -> tuple[list[np.ndarray], np.ndarray]:
    """(pictures as a list of (H, W, 3) uint8, (N,) group numbers): the kept photos; frames of the kept clips too if the photos are too few."""
    items = [item for item in kept_items(project) if not item.problem]
    pictures = [np.array(load_photo(item.path, MAX_SIDE)) for item in items if item.kind == "photo"]
    groups = list(range(len(pictures)))
    if len(pictures) < LEAST_GROUPS:
        for number, item in enumerate((item for item in items if item.kind == "clip"), len(pictures)):
            frames = _spread_frames(item)
            pictures += list(frames)
            groups += [number] * len(frames)
    return pictures, np.array(groups)


def read_held_out(project: Project) -> list[np.ndarray]:
    """(H, W, 3) uint8 of each photo that no training learned from: a drawing that is like these has learned the person, not a picture."""
    return [np.array(load_photo(item.path, MAX_SIDE)) for item in held_out_items(project) if item.kind == "photo"]


def _spread_frames(item: Item) -> np.ndarray:
    size = fit_side(item.width, item.height, MAX_SIDE)
    return read_frames(item.path, CLIP_FRAMES, CLIP_FRAMES / max(item.seconds, 1e-3), size=size)
