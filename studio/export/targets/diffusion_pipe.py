"""diffusion-pipe: a config for each expert and one of the dataset; and such configs read back. Names as in its examples and its own reader."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.config import EXPERTS, TrainConfig
from studio.errors import Problem
from studio.export.dataset import Group
from studio.export.foreign_values import BY_ITSELF, NUMBER, WHOLE, Found, Setting, Values, as_number, as_whole, enlarge
from studio.export.left_out import DISTRIBUTION, NO_PRESERVATION, NOTHING_LIKE_IT, OF_THE_STUDIO, distribution_word, named_distributions
from studio.export.source import Source
from studio.export.steps import expert_steps, learning_rate, noise_range
from studio.export.target import Absent, Config, Reader, Settings, Target, Words, pairs_of_experts
from studio.export.writing import save_text, to_toml, write_dataset_and_readme

README = """Carry on in diffusion-pipe
==========================

dataset.toml                       the dataset, for both experts
high_noise.toml, low_noise.toml    one config for each expert; put the folder of your base model in place of FOLDER/OF
lora_high_noise/, lora_low_noise/  the pair, one file in each folder
dataset/                           pictures, clips and captions

Open a terminal in this folder, with diffusion-pipe's environment active:

1. deepspeed --num_gpus=1 FOLDER/OF/diffusion-pipe/train.py --deepspeed --config high_noise.toml
2. the same with low_noise.toml

diffusion-pipe counts epochs, not steps: the configs hold as many as make up the steps of the training run.
{notes}"""

SETTINGS = Settings(
    distribution="logit_normal",
    words={
        "optimizer.name": Words(
            called={"adamw": "adamw_optimi", "adamw8bit": "adamw8bit", "prodigy": "Prodigy"},
            nearest="adamw_optimi",
            why={"adafactor": "it is set to AdamW: its Adafactor takes other settings"},
        )
    },
    written=frozenset(
        (
            *("steps", "save_every", "accumulation", "high_noise_share", "lora.rank", "memory.blocks_swapped"),
            *("optimizer.learning_rate", "optimizer.prodigy_factor", "optimizer.warmup_steps", "optimizer.weight_decay"),
            *("optimizer.max_grad_norm", "data.photo_size", "data.clip_size", "data.clip_frames"),
        )
    ),
    absent=OF_THE_STUDIO
    | NO_PRESERVATION
    | {
        "optimizer.schedule": Absent("it stays the same in this export", there="constant"),
        "optimizer.average": Absent(NOTHING_LIKE_IT, there=0.0),
        "seed": Absent(NOTHING_LIKE_IT),
    },
)


def write(source: Source, folder: Path) -> None:
    for expert, path in source.pair.files.items():
        (folder / f"lora_{expert}").mkdir()
        shutil.copyfile(path, folder / f"lora_{expert}" / "adapter_model.safetensors")
        save_text(folder / f"{expert}.toml", to_toml(training_config(source, expert)))
    save_text(folder / "dataset.toml", to_toml(dataset_config(source)))
    write_dataset_and_readme(source, folder, TARGET, README)


# -- configs


def dataset_config(source: Source) -> Config:
    bounds = {"enable_ar_bucket": True, "min_ar": 0.5, "max_ar": 2.0, "num_ar_buckets": 7}
    folders = [_folder_config(source, group) for group in source.groups]
    return {"resolutions": [source.train.data.photo_size], **bounds, "frame_buckets": [1], "directory": folders}


def _folder_config(source: Source, group: Group) -> Config:
    """Where the first picture is given, single pictures among clips are an error there."""
    data = source.train.data
    if group.kind == "clip":
        size, frames = data.clip_size, [data.clip_frames] if source.first_picture else [1, data.clip_frames]
    else:
        size, frames = data.photo_size, [1]
    return {"path": f"dataset/{group.name}", "num_repeats": 1, "resolutions": [size], "frame_buckets": frames}


def training_config(source: Source, expert: str) -> Config:
    """For one expert. It counts epochs: enough of them for the same number of steps."""
    train = source.train
    steps, steps_an_epoch = expert_steps(train, expert), max(1, source.num_items // train.accumulation)
    return {
        "output_dir": f"output/{expert}",
        "dataset": "dataset.toml",
        "epochs": math.ceil(steps / steps_an_epoch),
        "max_steps": steps,
        "micro_batch_size_per_gpu": 1,
        "pipeline_stages": 1,
        "gradient_accumulation_steps": train.accumulation,
        "gradient_clipping": train.optimizer.max_grad_norm,
        "warmup_steps": train.optimizer.warmup_steps,
        "blocks_to_swap": train.memory.blocks_swapped,
        "save_every_n_epochs": max(1, math.ceil(train.save_every / 2 / steps_an_epoch)),
        "checkpoint_every_n_minutes": 120,
        "activation_checkpointing": True,
        "save_dtype": "bfloat16",
        "caching_batch_size": 1,
        "video_clip_mode": "single_beginning",
        "model": _model_config(source, expert),
        "adapter": {"type": "lora", "rank": source.rank, "dtype": "bfloat16", "init_from_existing": f"lora_{expert}"},
        "optimizer": _optimizer_config(train),
    }


def _model_config(source: Source, expert: str) -> Config:
    low, high = noise_range(expert, source.boundary)
    base = f"FOLDER/OF/{'Wan2.2-I2V-A14B' if source.first_picture else 'Wan2.2-T2V-A14B'}"
    return {
        "type": "wan",
        "ckpt_path": base,
        "transformer_path": f"{base}/{expert}_model",
        "dtype": "bfloat16",
        "transformer_dtype": "float8",
        "timestep_sample_method": distribution_word(source.train, "diffusion-pipe", SETTINGS),
        "min_t": low,
        "max_t": high,
    }


def _optimizer_config(train: TrainConfig) -> Config:
    return {
        "type": SETTINGS.words["optimizer.name"].word(train.optimizer.name),
        "lr": learning_rate(train.optimizer),
        "betas": [0.9, 0.99],
        "weight_decay": train.optimizer.weight_decay,
        "eps": 1e-8,
    }


# -- reading such configs back


SAME = {
    "gradient_clipping": ("optimizer.max_grad_norm", NUMBER),
    "warmup_steps": ("optimizer.warmup_steps", WHOLE),
    "blocks_to_swap": ("memory.blocks_swapped", WHOLE),
    "model.sigmoid_scale": ("timesteps.scale", NUMBER),
    "adapter.rank": ("lora.rank", WHOLE),
    "optimizer.lr": ("optimizer.learning_rate", NUMBER),
    "optimizer.weight_decay": ("optimizer.weight_decay", NUMBER),
}
CHOICES = {
    "optimizer.type": (
        "optimizer.name",
        {"adamw": "adamw", "adamw_optimi": "adamw", "adamw8bit": "adamw8bit", "adamw8bitkahan": "adamw8bit", "prodigy": "prodigy"},
    ),
    "lr_scheduler": ("optimizer.schedule", {"constant": "constant"}),
}
REASONS = {
    "output_dir": "the studio has its own folders",
    "dataset": "what is learned is chosen in the dataset",
    "directory.path": "import what is in it into the dataset",
    "directory.num_repeats": "every photo and clip is seen equally often",
    "model": "the base model is the project's; how it fits the GPU is planned for this computer",
    "model.min_t": "where an expert begins is the base model's own",
    "model.max_t": "where an expert ends is the base model's own",
    "adapter.dtype": BY_ITSELF,
    "adapter.init_from_existing": "a run here begins with a new LoRA, or goes on with its own",
    "optimizer.betas": "they are 0.9 and 0.999 here",
    "optimizer.eps": BY_ITSELF,
    "pipeline_stages": BY_ITSELF,
    "checkpoint_every_n_minutes": "safety copies are written every few steps",
    "checkpoint_every_n_epochs": "safety copies are written every few steps",
    "save_dtype": BY_ITSELF,
    "caching_batch_size": BY_ITSELF,
    "video_clip_mode": "clips are cut in the dataset",
    "eval_datasets": "photos to check with are set aside by the studio",
    "enable_ar_bucket": "photos keep their shape, always",
    "min_ar": "photos keep their shape, always",
    "max_ar": "photos keep their shape, always",
    "num_ar_buckets": "photos keep their shape, always",
}


@dataclass(frozen=True)
class OneExpert:
    """What one expert's config says."""

    settings: dict[str, Setting]
    steps: int  # of this expert alone; 0 where nothing says so
    save_every: int


def read_files(files: Sequence[tuple[str, Config]], found: Found, num_items: int) -> None:
    """files: [(name, data)]; num_items: photos and clips, by which epochs become steps."""
    mains = [(name, data) for name, data in files if isinstance(data.get("model"), dict)]
    for name, data in files:
        if (name, data) not in mains:
            _read_dataset(Values(data, found, f"{name}: "), found)
    if len(mains) > 2:
        raise Problem(
            "These are the configs of more than one training.", fix="Choose those of one: one for each expert, and the dataset's."
        )
    read = {}
    for name, data in mains:
        expert = _expert_of(data, name)
        if expert in read or (not expert and len(mains) > 1):
            words = f"are of the {expert.replace('_', ' ')} expert" if expert else "don't say which expert they are for"
            raise Problem(f"Two of the files {words}.", fix="Choose one for each expert: the noise levels min_t and max_t tell them apart.")
        read[expert] = _read_expert(Values(data, found, f"{name}: "), num_items)
    _join_experts(read, found)


def _expert_of(data: Config, name: str) -> str:
    """By the noise levels it practises, else by the names of its files."""
    model: Config = data["model"]
    low, high = as_number(model.get("min_t")), as_number(model.get("max_t"))
    if low is not None and low >= 0.5:
        return "high_noise"
    if high is not None and high < 1:
        return "low_noise"
    names = f"{model.get('transformer_path', '')} {name}".casefold()
    return next((expert for expert in EXPERTS if expert.removesuffix("_noise") in names), "")


def _read_expert(values: Values, num_items: int) -> OneExpert:
    settings = values.take_into(SAME)
    batch, group = values.take("micro_batch_size_per_gpu", WHOLE, 1), values.take("gradient_accumulation_steps", WHOLE, 1)
    accumulation = max(1, batch) * max(1, group)
    settings["accumulation"] = accumulation
    steps_an_epoch = max(1, num_items // accumulation) if num_items else 0
    steps = _take_steps(values, "max_steps", "epochs", steps_an_epoch)
    save_every = _take_steps(values, "save_every_n_steps", "save_every_n_epochs", steps_an_epoch)
    checkpointing = values.left.pop("activation_checkpointing", None)
    if checkpointing is not None:
        settings["memory.gradient_checkpointing"] = bool(checkpointing)
    noise = {"model.timestep_sample_method": (DISTRIBUTION, named_distributions("diffusion-pipe"))}
    settings |= values.take_choices(noise | CHOICES)
    values.take_kind_of_network("adapter.type")
    values.leave_rest(REASONS)
    return OneExpert(settings, steps, save_every)


def _take_steps(values: Values, in_steps: str, in_epochs: str, steps_an_epoch: int) -> int:
    """A number of steps, written as such or as epochs; 0 if it is not there or means nothing yet."""
    steps, epochs = values.take(in_steps, WHOLE), values.take(in_epochs, WHOLE)
    if steps is not None or epochs is None:
        return steps or 0
    if not steps_an_epoch:
        values.leave(in_epochs, epochs, "it counts how often all photos are seen, and there are no photos here yet")
    return epochs * steps_an_epoch


def _join_experts(read: Mapping[str, OneExpert], found: Found) -> None:
    """Both experts learn with the same settings here, those of detail and identity; steps are counted together."""
    if not read:
        return
    leading = read["low_noise"] if "low_noise" in read else next(iter(read.values()))
    chosen = leading.settings
    for expert, one in read.items():
        for name, value in one.settings.items():
            if name in chosen and value != chosen[name]:
                found.leave(f"{expert}: {name}", value, f"both experts learn with the same: {chosen[name]}")
    found.settings |= chosen
    total = sum(one.steps for one in read.values())
    if len(read) == 1:
        found.leave("the other expert's config", "not among the files", "both experts learn with these settings, and as many steps each")
        total *= 2
    elif total:
        found.settings["high_noise_share"] = round(read["high_noise"].steps / total, 4) if "high_noise" in read else 0.5
    for name, value in (("steps", total), ("save_every", 2 * leading.save_every)):
        if value:
            found.settings[name] = value


def _read_dataset(values: Values, found: Found) -> None:
    """Sizes and frames; those of a folder stand over those of the whole."""
    places = [name.removesuffix("path") for name in values.named("path", "directory.")]
    for place in [*places, ""]:
        frames = _most_frames(values.left.pop(f"{place}frame_buckets", None))
        size = values.take_largest([f"{place}resolutions"] if f"{place}resolutions" in values.left else [])
        if frames > 1:
            enlarge(found, "data.clip_frames", frames)
        for name in _sizes_meant(place, frames) if size else ():
            if place or name not in found.settings:
                enlarge(found, name, size or 0)
    values.leave_rest(REASONS)


def _most_frames(buckets: object) -> int:
    """A dataset of one frame is of photos."""
    return max((as_whole(number) or 1 for number in buckets), default=1) if isinstance(buckets, list) else 1


def _sizes_meant(place: str, frames: int) -> tuple[str, ...]:
    """Which of our sizes one of theirs is: a folder is of photos or of clips; the whole can be of both."""
    if place:
        return ("data.clip_size",) if frames > 1 else ("data.photo_size",)
    return ("data.photo_size", "data.clip_size") if frames > 1 else ("data.photo_size",)


def is_diffusion_pipe(name: str, data: Config) -> bool:
    is_dataset = isinstance(data.get("directory"), list)
    return is_dataset or (isinstance(data.get("model"), dict) and isinstance(data.get("optimizer"), dict))


TARGET = Target(
    name="diffusion-pipe",
    title="diffusion-pipe",
    writes="a config for each expert, one of the dataset, the pair, and the dataset",
    version=2,
    write=write,
    serves=pairs_of_experts,
    dataset="always",
    settings=SETTINGS,
    recognises=is_diffusion_pipe,
    reader=Reader(files="diffusion-pipe's .toml files: those of both experts and the one of the dataset", read=read_files),
)
