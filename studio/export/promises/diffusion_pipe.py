"""What diffusion-pipe makes of a folder. Its rules are in utils/dataset.py, models/base.py, train.py and utils/saver.py of tdrussell/diffusion-pipe."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from studio.config import EXPERTS
from studio.export.promises.exported_files import FPS, Media, never_named, read_media, read_toml
from studio.export.promises.promise import Promise, Taken, make_promise

Bucket = tuple[float, float, int]  # shape, size, frames


def promise(root: Path) -> Promise:
    dataset = read_toml(root / "dataset.toml")
    trainings = {expert: read_toml(path) for expert in EXPERTS if (path := root / f"{expert}.toml").is_file()}
    some = next(iter(trainings.values()))
    batch = some["gradient_accumulation_steps"] * some["micro_batch_size_per_gpu"]
    rows, seen, media = _fill_buckets(root, dataset)
    kept = {bucket: count // batch * batch for bucket, count in rows.items()}  # ConcatenatedBatchedDataset._make_divisible_by
    steps_an_epoch = sum(kept.values()) // batch
    # a bucket is cut after its rows were shuffled: what loses as many rows as one pass over it has may lose an item
    taken = {one.name: _take(one, bucket[2]) for bucket, members in seen.items() if kept[bucket] >= len(members) for one in members}
    lost = {one.name for one in media} - taken.keys() | never_named(root, (one.name for one in media))
    steps = {expert: _steps(config, steps_an_epoch) for expert, config in trainings.items()}
    return make_promise("diffusion-pipe", taken.values(), lost, steps, batch)


def _fill_buckets(root: Path, dataset: Mapping[str, Any]) -> tuple[dict[Bucket, int], dict[Bucket, list[Media]], list[Media]]:
    """({bucket: rows of an epoch}, {bucket: its media}, all media)."""
    rows: dict[Bucket, int] = defaultdict(int)
    members: dict[Bucket, list[Media]] = defaultdict(list)
    media: list[Media] = []
    for folder in dataset["directory"]:
        for one in read_media(root, folder["path"]):
            media.append(one)
            for bucket in _buckets_of(one, dataset | folder):
                rows[bucket] += int(folder["num_repeats"])  # SizeBucketDataset.__len__
                members[bucket].append(one)
    return rows, members, media


def _buckets_of(media: Media, settings: Mapping[str, Any]) -> Iterator[Bucket]:
    """DirectoryDataset._find_closest_ar_bucket: the nearest shape, the longest length that the clip fills; a clip is never a picture."""
    shapes = _shapes(settings)
    shape = min(shapes, key=lambda shape: abs(math.log(media.width / media.height) - math.log(shape)))
    frames = int(media.num_frames * FPS / media.fps) if media.is_clip else 1
    lengths = [length for length in {1, *settings["frame_buckets"]} if length <= frames]
    if lengths and (max(lengths) > 1 or frames == 1):
        yield from ((shape, size, max(lengths)) for size in settings["resolutions"])


def _shapes(settings: Mapping[str, Any]) -> Sequence[float]:
    """DirectoryDataset.__init__: shapes as given, else evenly spread."""
    if "ar_buckets" in settings:
        return settings["ar_buckets"]
    low, high, count = math.log(settings["min_ar"]), math.log(settings["max_ar"]), settings["num_ar_buckets"]
    return [math.exp(low + (high - low) * number / (count - 1)) for number in range(count)]


def _take(media: Media, length: int) -> Taken:
    """PreprocessMediaFile.convert_framerate and extract_clips: frames spread evenly over the clip, then the first ones."""
    if not media.is_clip:
        return Taken(media.name, 1, 0.0, FPS)
    there = int(media.num_frames * FPS / media.fps)
    step = (media.num_frames - 1) / max(1, there - 1)
    return Taken(media.name, length, int(step * (length - 1)) / media.fps, FPS)


def _steps(config: Mapping[str, Any], steps_an_epoch: int) -> int:
    """train.py's loop: until the epochs are over or the steps are enough."""
    return min(config["max_steps"], config["epochs"] * steps_an_epoch)
