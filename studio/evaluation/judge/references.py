"""The person's own pictures that drawings are measured against, and the key that says when to measure anew. Free of torch."""

import hashlib
import json

import numpy as np

from studio.data.dataset import kept_items
from studio.disk import file_sha256
from studio.evaluation.judge.likeness import LEAST_GROUPS

SCORES_VERSION = 1  # raise it when the same clip would score differently
MAX_SIDE = 1024  # px of a photo as it is looked at
CLIP_FRAMES = 5  # of a clip, spread over its length, where there are too few photos


def scores_key(project, base):
    """What likeness is measured with: the base model's observer and the pictures kept for training; "" for a base without an observer."""
    name = base.preset.observer
    if not name:
        return ""
    files = [file_sha256(path) for path in sorted((base.folder / name).glob("*")) if path.is_file()]
    pictures = sorted(item.sha256 for item in kept_items(project))
    return hashlib.sha256(json.dumps([SCORES_VERSION, files, pictures]).encode()).hexdigest()[:16]


def needs_scores(cell, key):
    """Whether a finished cell was never measured, or against other pictures. The base's needs none where there is no observer."""
    if cell["state"] != "done":
        return False
    return cell.get("scored_by", "") != key or (cell["pair"] is not None and "applied" not in cell["scores"])


def read_references(project):
    """(pictures as a list of (H, W, 3) uint8, (N,) group numbers): the kept photos; frames of the kept clips too if the photos are too few."""
    from studio.data.media.photos import load_photo

    items = [item for item in kept_items(project) if not item.problem]
    pictures = [np.array(load_photo(item.path, MAX_SIDE)) for item in items if item.kind == "photo"]
    groups = list(range(len(pictures)))
    if len(pictures) < LEAST_GROUPS:
        for number, item in enumerate((item for item in items if item.kind == "clip"), len(pictures)):
            frames = _spread_frames(item)
            pictures += list(frames)
            groups += [number] * len(frames)
    return pictures, np.array(groups)


def _spread_frames(item):
    from studio.data.media.clips import read_frames

    scale = min(1.0, MAX_SIDE / max(item.width, item.height))
    size = round(item.width * scale), round(item.height * scale)
    return read_frames(item.path, CLIP_FRAMES, CLIP_FRAMES / max(item.seconds, 1e-3), size=size)
