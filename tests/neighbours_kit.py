"""What other trainers make of a folder, played through by their own rules: a reading of its own, beside the one in studio/export/promises.

Each rule names where it is from: repository, file, function; as of commits 27a03a9 (ostris/ai-toolkit), 8f83dbf (tdrussell/diffusion-pipe) and
30c658c (kohya-ss/musubi-tuner).
"""

from __future__ import annotations

import math
import os
import tomllib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
import yaml
from PIL import Image

MODEL_FPS = 16
EXPERTS = ("high_noise", "low_noise")


@dataclass
class Played:
    """seen: {file: which of its frames are trained}; steps: optimizer steps by expert; shapes: how much of each file's area is cut off at most."""

    seen: dict[str, list[int]] = field(default_factory=dict)
    steps: Counter = field(default_factory=Counter)
    cut_off: float = 0.0

    @property
    def frames(self) -> int:
        return sum(len(frames) for frames in self.seen.values() if len(frames) > 1)


# -- ostris/ai-toolkit

PICTURES, VIDEOS = (".jpg", ".jpeg", ".png", ".webp"), (".mp4", ".avi", ".mov", ".webm", ".mkv", ".wmv", ".m4v", ".flv")


def play_ai_toolkit(root: Path) -> Played:
    played = Played()
    process = yaml.safe_load((root / "config.yaml").read_text())["config"]["process"][0]
    for dataset in process["datasets"]:
        is_video = dataset["num_frames"] > 1
        # toolkit/data_loader.py, AiToolkitDataset.__init__: a folder of one frame looks for pictures alone
        wanted = VIDEOS + PICTURES if is_video else PICTURES
        for folder, _, names in os.walk(root / dataset["folder_path"]):
            for name in sorted(n for n in names if n.lower().endswith(wanted)):
                path = Path(folder, name)
                video = is_video and path.suffix in VIDEOS
                played.seen[path.name] = _ai_toolkit_frames(path, dataset) if video else [0]
    _play_ai_toolkit_steps(process, played)
    return played


def _ai_toolkit_frames(path: Path, dataset: dict) -> list[int]:
    """toolkit/dataloader_mixins.py, ImageProcessingDTOMixin.load_and_process_video."""
    with av.open(str(path)) as container:
        total, fps = container.streams.video[0].frames, float(container.streams.video[0].average_rate)
    wanted, last = dataset["num_frames"], total - 1
    stretched = [min(round(i * last / (wanted - 1)), last) for i in range(wanted)]
    if dataset.get("shrink_video_to_frames", True) or total < wanted:
        return stretched
    interval = max(1, round(fps / dataset.get("fps", 24)))
    if total // interval < wanted:
        return stretched
    return [i * interval for i in range(wanted)]  # from the earliest start that chance may choose


def _play_ai_toolkit_steps(process: dict, played: Played) -> None:
    """jobs/process/BaseSDTrainProcess.py, run: `steps` optimizer steps of `gradient_accumulation` batches each;
    extensions_built_in/sd_trainer/SDTrainer.py, hook_train_loop: the boundary is switched after so many batches."""
    train, kwargs = process["train"], process["model"]["model_kwargs"]
    trainable = [number for number, expert in enumerate(EXPERTS) if kwargs[f"train_{expert}"]]
    boundary, since = 0, 0
    for _ in range(train["steps"]):
        experts = set()
        for _ in range(train["gradient_accumulation"]):
            if since >= train["switch_boundary_every"] or boundary not in trainable:
                since = 0
                boundary = (boundary + 1) % 2
                while boundary not in trainable:
                    boundary = (boundary + 1) % 2
            since += 1
            experts.add(boundary)
        assert len(experts) == 1, "an optimizer step mixes both experts"
        played.steps[EXPERTS[experts.pop()]] += 1


# -- tdrussell/diffusion-pipe


def play_diffusion_pipe(root: Path) -> Played:
    played = Played()
    dataset = tomllib.loads((root / "dataset.toml").read_text())
    buckets: dict[tuple, list[str]] = defaultdict(list)
    frames_of: dict[str, list[int]] = {}
    for directory in dataset["directory"]:
        for path in sorted((root / directory["path"]).glob("*")):
            # utils/dataset.py, DirectoryDataset._get_ungrouped_metadata: what has no caption file is skipped
            if path.suffix == ".txt" or not path.with_suffix(".txt").exists():
                continue
            key, frames = _diffusion_pipe_bucket(path, dataset | directory, played)
            if key:
                # SizeBucketDataset.__len__: so often as num_repeats says
                buckets[key] += [path.name] * int(directory["num_repeats"])
                frames_of[path.name] = frames
    for expert in EXPERTS:
        path = root / f"{expert}.toml"
        if path.exists():
            played.steps[expert] = _play_diffusion_pipe_steps(tomllib.loads(path.read_text()), buckets, frames_of, played)
    return played


def _diffusion_pipe_bucket(path: Path, settings: dict, played: Played) -> tuple[tuple | None, list[int]]:
    """DirectoryDataset._metadata_map_fn and _find_closest_ar_bucket; models/base.py, PreprocessMediaFile.convert_framerate."""
    if path.suffix == ".mp4":
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            width, height, count, fps = stream.width, stream.height, stream.frames, float(stream.average_rate)
        frames = int(count * MODEL_FPS / fps)
        indices = np.linspace(0, count - 1, frames, dtype=np.float32).astype(int).tolist()
    else:
        with Image.open(path) as image:
            width, height = image.size  # as stored: a note that it is turned is not read
        frames, indices = 1, [0]
    shapes = settings.get("ar_buckets") or np.geomspace(settings["min_ar"], settings["max_ar"], settings["num_ar_buckets"])
    shape = min(shapes, key=lambda s: abs(math.log(s) - math.log(width / height)))
    played.cut_off = max(played.cut_off, 1 - min(shape / (width / height), (width / height) / shape))
    fitting = [length for length in {*settings["frame_buckets"], 1} if length <= frames]
    if not fitting or (frames > 1 and max(fitting) == 1):
        return None, []
    length = max(fitting)
    return (round(float(shape), 3), tuple(settings["resolutions"]), length), indices[: (length - 1) // 4 * 4 + 1]


def _play_diffusion_pipe_steps(config: dict, buckets: dict, frames_of: dict, played: Played) -> int:
    """ConcatenatedBatchedDataset._make_divisible_by: each bucket is cut to a multiple of the batch; train.py: until the epochs are over or
    max_steps is reached; utils/saver.py, Saver.process_epoch."""
    assert config["blocks_to_swap"] <= 38, "WanPipeline.enable_block_swap asserts it"
    batch = config["micro_batch_size_per_gpu"] * config["gradient_accumulation_steps"]
    an_epoch = 0
    for rows in buckets.values():
        kept = len(rows) // batch * batch
        an_epoch += kept // batch
        surely = [name for name, times in Counter(rows).items() if times > len(rows) - kept]  # whichever rows the shuffle puts last
        played.seen |= {name: frames_of[name] for name in surely}
    assert an_epoch, "Processed dataset was empty"  # PipelineDataLoader.__init__
    steps, epoch = 0, 1
    while True:
        steps += 1
        if steps % an_epoch == 0:
            epoch += 1
            if epoch > config["epochs"]:
                return steps
        if steps >= config["max_steps"]:
            return steps


# -- kohya-ss/musubi-tuner


def play_musubi(root: Path) -> Played:
    played = Played()
    config = tomllib.loads((root / "dataset.toml").read_text())
    rows = 0
    for dataset in config["datasets"]:
        settings = config["general"] | dataset
        folder = root / settings.get("video_directory", settings.get("image_directory"))
        for path in sorted(folder.glob("*")):
            # dataset/media_utils.py, glob_images and glob_videos
            if path.suffix == ".txt" or (path.suffix == ".mp4") != ("video_directory" in settings):
                continue
            frames = _musubi_frames(path, settings) if path.suffix == ".mp4" else [0]
            if frames:
                played.seen[path.name] = frames
                rows += settings.get("num_repeats", 1)
    for expert in EXPERTS:
        path = root / f"{expert}.toml"
        if path.exists():
            played.steps[expert] = _play_musubi_steps(tomllib.loads(path.read_text()), rows)
    return played


def _musubi_frames(path: Path, settings: dict) -> list[int]:
    """dataset/media_utils.py, load_video with source_fps; dataset/image_video_dataset.py, VideoDataset with "head"."""
    with av.open(str(path)) as container:
        count = sum(1 for _ in container.decode(video=0))
    step, position, previous, kept = MODEL_FPS / settings["source_fps"], 0.0, -1, []
    for index in range(count):
        number, position = int(position), position + step
        if number == previous:
            continue
        previous = number
        if number >= max(settings["target_frames"]):
            break
        kept.append(index)
    lengths = [length for length in settings["target_frames"] if length <= len(kept)]
    return kept[: max(lengths)] if lengths else []


def _play_musubi_steps(config: dict, rows: int) -> int:
    """training/trainer_base.py, train: accelerate steps at the end of an epoch too; get_lr_scheduler: "constant" refuses a warm-up."""
    assert config["lr_scheduler"] != "constant" or not config["lr_warmup_steps"], "constant does not require `num_warmup_steps`"
    assert config["blocks_to_swap"] <= 39, "WanModel.enable_block_swap asserts it"
    an_epoch = math.ceil(rows / config["gradient_accumulation_steps"])
    steps = 0
    for _ in range(math.ceil(config["max_train_steps"] / an_epoch)):
        for _ in range(an_epoch):
            steps += 1
            if steps >= config["max_train_steps"]:
                break
    return steps


PLAYS = {"ai-toolkit": play_ai_toolkit, "diffusion-pipe": play_diffusion_pipe, "musubi": play_musubi}
