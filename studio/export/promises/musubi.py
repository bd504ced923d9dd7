"""What musubi-tuner makes of a folder. Its rules are in src/musubi_tuner/dataset and training/trainer_base.py of kohya-ss/musubi-tuner."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.config import EXPERTS
from studio.export.promises.exported_files import FPS, Media, never_named, read_media, read_toml
from studio.export.promises.promise import Promise, Taken, make_promise


def promise(root: Path) -> Promise:
    dataset = read_toml(root / "dataset.toml")
    trainings = {expert: read_toml(path) for expert in EXPERTS if (path := root / f"{expert}.toml").is_file()}
    media = [(one, folder) for folder in dataset["datasets"] for one in read_media(root, _folder_of(folder))]
    taken = [one for one in (_take(one, folder) for one, folder in media) if one]
    lost = {one.name for one, _ in media} - {one.name for one in taken} | never_named(root, (one.name for one, _ in media))
    steps = {expert: config["max_train_steps"] for expert, config in trainings.items()}  # epochs are as many as that takes
    batch = next(iter(trainings.values()))["gradient_accumulation_steps"] * dataset["general"]["batch_size"]
    return make_promise("musubi-tuner", taken, lost, steps, batch)


def _folder_of(folder: Mapping[str, Any]) -> str:
    return folder["video_directory"] if "video_directory" in folder else folder["image_directory"]


def _take(media: Media, folder: Mapping[str, Any]) -> Taken | None:
    """media_utils.load_video: frames by time, from source_fps to 16; VideoDataset: the first ones, and none of a clip that is too short."""
    if "video_directory" not in folder:
        return None if media.is_clip else Taken(media.name, 1, 0.0, FPS)
    if not media.is_clip:
        return None
    per_frame = FPS / folder["source_fps"]
    there = min(media.num_frames, math.ceil(media.num_frames * per_frame))
    lengths = [length for length in folder["target_frames"] if length <= there]
    if not lengths:
        return None
    longest = max(lengths)
    last = math.ceil((longest - 1) / per_frame) if per_frame < 1 else longest - 1  # the first source frame of that number
    return Taken(media.name, longest, last / media.fps, FPS)
