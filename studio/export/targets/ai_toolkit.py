"""AI Toolkit: one job that trains both experts and continues from the pair; and its job files read back. Names as in its examples and its own reader."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from studio.config import EXPERTS, OPTIMIZERS, TrainConfig
from studio.errors import Problem
from studio.export.dataset import Group
from studio.export.foreign_values import BY_ITSELF, NUMBER, WHOLE, YES_NO, Found, Values, enlarge
from studio.export.left_out import DISTRIBUTION, NOTHING_LIKE_IT, OF_THE_STUDIO, distribution_word, named_distributions
from studio.export.source import Source
from studio.export.steps import learning_rate
from studio.export.target import Absent, Config, Reader, Settings, Target, Words, pairs_of_experts
from studio.export.writing import save_text, to_yaml, write_dataset_and_readme

FPS = 16  # what WAN draws and was trained at
OWN_PHOTOS_ALONE = "it protects other people at your own photos alone, not at pictures of others: they may change more"

README = """Carry on in AI Toolkit
======================

config.yaml              the job, with the settings of the training run
dataset/                 pictures, clips and captions
output/{name}/           the pair, under the names from which AI Toolkit continues

1. Open a terminal in this folder, with AI Toolkit's environment active.
2. python FOLDER/OF/ai-toolkit/run.py config.yaml

AI Toolkit finds the pair in output/{name} and goes on from it; it counts its steps from zero.
model.name_or_path in config.yaml names the base model that it downloads; put your own folder there if you have one.
Paths in config.yaml are relative to this folder.
{notes}"""

SETTINGS = Settings(
    distribution="sigmoid",
    words={"optimizer.name": Words(called={name: name for name in OPTIMIZERS}, nearest="adamw")},
    written=frozenset(
        (
            *("steps", "save_every", "accumulation", "lora.rank", "preservation.enabled", "preservation.multiplier"),
            *("optimizer.learning_rate", "optimizer.prodigy_factor", "optimizer.schedule", "optimizer.weight_decay"),
            *("optimizer.max_grad_norm", "optimizer.average", "data.photo_size", "data.clip_size", "data.clip_frames"),
        )
    ),
    absent=OF_THE_STUDIO
    | {
        "high_noise_share": Absent("both experts get the same number of steps there", there=0.5),
        "seed": Absent(NOTHING_LIKE_IT),
        "optimizer.warmup_steps": Absent("this export has no gentle start", there=0),
        "preservation.every": Absent("it protects at every picture", there=1),
        "preservation.pictures": Absent(OWN_PHOTOS_ALONE, there=0),
    },
)


def write(source: Source, folder: Path) -> None:
    """The pair goes where AI Toolkit looks for the last save of a job of that name."""
    output = folder / "output" / source.name
    output.mkdir(parents=True)
    for expert, path in source.pair.files.items():
        shutil.copyfile(path, output / f"{source.name}_{source.pair.step:09d}_{expert}.safetensors")
    save_text(folder / "config.yaml", to_yaml(job_config(source)))
    write_dataset_and_readme(source, folder, TARGET, README)


# -- the job


def job_config(source: Source) -> Config:
    """One process that trains both experts, continuing from output/<name>."""
    train = source.train
    process = {
        "type": "sd_trainer",
        "training_folder": "output",
        "device": "cuda:0",
        "trigger_word": source.person.trigger,
        "network": {"type": "lora", "linear": train.lora.rank, "linear_alpha": train.lora.rank},
        "save": {"dtype": "float16", "save_every": train.save_every, "max_step_saves_to_keep": 100},
        "datasets": [_folder_config(train, group) for group in source.groups],
        "train": _train_config(train, source.person.class_noun),
        "model": _model_config(source.first_picture),
    }
    return {"job": "extension", "config": {"name": source.name, "process": [process]}, "meta": {"name": "[name]", "version": "1.0"}}


def _folder_config(train: TrainConfig, group: Group) -> Config:
    if group.kind == "clip":
        size = {"num_frames": train.data.clip_frames, "resolution": [train.data.clip_size]}
        speed = {"shrink_video_to_frames": False, "fps": FPS}
    else:
        size, speed = {"num_frames": 1, "resolution": [train.data.photo_size]}, {}
    return {"folder_path": f"dataset/{group.name}", "caption_ext": "txt", **size, **speed}


def _train_config(train: TrainConfig, class_noun: str) -> Config:
    preservation, optimizer = train.preservation, train.optimizer
    return {
        "steps": train.steps,
        "batch_size": 1,
        "gradient_accumulation": train.accumulation,
        "train_unet": True,
        "train_text_encoder": False,
        "gradient_checkpointing": True,
        "noise_scheduler": "flowmatch",
        "timestep_type": distribution_word(train, "ai-toolkit", SETTINGS),
        "optimizer": SETTINGS.words["optimizer.name"].word(optimizer.name),
        "lr": learning_rate(optimizer),
        "lr_scheduler": optimizer.schedule,
        "optimizer_params": {"weight_decay": optimizer.weight_decay},
        "max_grad_norm": optimizer.max_grad_norm,
        "dtype": "bf16",
        "switch_boundary_every": max(1, train.save_every // 2),
        "ema_config": {"use_ema": optimizer.average > 0, "ema_decay": optimizer.average or 0.99},
        "diff_output_preservation": preservation.enabled,
        "diff_output_preservation_class": class_noun,
        "diff_output_preservation_multiplier": preservation.multiplier,
        "cache_text_embeddings": not preservation.enabled,
        "disable_sampling": True,
    }


def _model_config(first_picture: bool) -> Config:
    base, arch = ("Wan2.2-I2V-A14B", "wan22_14b_i2v") if first_picture else ("Wan2.2-T2V-A14B", "wan22_14b")
    return {
        "name_or_path": f"ai-toolkit/{base}-Diffusers-bf16",
        "arch": arch,
        "quantize": True,
        "qtype": "qfloat8",
        "quantize_te": True,
        "qtype_te": "qfloat8",
        "low_vram": True,
        "model_kwargs": {"train_high_noise": True, "train_low_noise": True},
    }


# -- reading a job back


SAME = {
    "network.linear": ("lora.rank", WHOLE),
    "save.save_every": ("save_every", WHOLE),
    "train.steps": ("steps", WHOLE),
    "train.lr": ("optimizer.learning_rate", NUMBER),
    "train.optimizer_params.weight_decay": ("optimizer.weight_decay", NUMBER),
    "train.max_grad_norm": ("optimizer.max_grad_norm", NUMBER),
    "train.gradient_checkpointing": ("memory.gradient_checkpointing", YES_NO),
    "train.diff_output_preservation": ("preservation.enabled", YES_NO),
    "train.diff_output_preservation_multiplier": ("preservation.multiplier", NUMBER),
}
CHOICES = {
    "train.optimizer": ("optimizer.name", {name: name for name in OPTIMIZERS}),
    "train.lr_scheduler": ("optimizer.schedule", {"constant": "constant", "cosine": "cosine"}),
}
REASONS = {
    "type": BY_ITSELF,
    "training_folder": "the studio has its own folders",
    "device": BY_ITSELF,
    "trigger_word": "the trigger is the project's",
    "network": "the LoRA covers the same layers in every run here",
    "save.dtype": BY_ITSELF,
    "save.max_step_saves_to_keep": "every pair is kept; delete what you don't want",
    "datasets.folder_path": "import what is in it into the dataset",
    "datasets.caption_ext": "captions are .txt files beside the photos",
    "datasets.caption_dropout_rate": "captions are never left out here",
    "train.train_unet": BY_ITSELF,
    "train.train_text_encoder": "the text encoder is never trained here",
    "train.noise_scheduler": "WAN is always trained by flow matching",
    "train.dtype": BY_ITSELF,
    "train.switch_boundary_every": "an expert's turn lasts until the next save: fewer loads, the same steps",
    "train.diff_output_preservation_class": "the class word is the project's",
    "train.cache_text_embeddings": "texts are always encoded once and kept",
    "train.unload_text_encoder": "texts are always encoded once and kept",
    "train.disable_sampling": "test clips are drawn in a comparison",
    "train.skip_first_sample": "test clips are drawn in a comparison",
    "model": "the base model is the project's; how it fits the GPU is planned for this computer",
    "sample": "test clips are drawn in a comparison",
}


def read_job(files: Sequence[tuple[str, Config]], found: Found, num_items: int) -> None:
    """The settings of one job file. num_items means nothing to it: it counts steps."""
    if len(files) > 1:
        raise Problem("These are several configs of AI Toolkit.", fix="Choose one of them.")
    processes = files[0][1]["config"]["process"]
    if len(processes) > 1:
        found.leave("config.process", f"{len(processes)} jobs", "the first one was read")
    values = Values(processes[0], found)
    alpha, batch = values.take("network.linear_alpha", NUMBER), values.take("train.batch_size", WHOLE, 1)
    groups = [values.take(name, WHOLE) for name in ("train.gradient_accumulation", "train.gradient_accumulation_steps")]
    found.settings |= values.take_into(SAME)
    if alpha is not None and alpha != found.settings.get("lora.rank", alpha):
        values.leave(
            "network.linear_alpha", alpha, "alpha is always the rank here: the same learning speed acts more strongly or more weakly"
        )
    found.settings["accumulation"] = batch * max(group or 1 for group in groups)
    noise = {"train.timestep_type": (DISTRIBUTION, named_distributions("ai-toolkit"))}
    found.settings |= values.take_choices(noise | CHOICES)
    if found.settings.get("preservation.enabled"):
        found.settings |= {"preservation.every": 1, "preservation.pictures": 0}  # as it protects: at each of the own photos
    _take_average(values)
    values.take_kind_of_network("network.type")
    _take_sizes(values, [name.removesuffix("folder_path") for name in values.named("folder_path", "datasets.")])
    trained = {expert: values.take(f"model.model_kwargs.train_{expert}", YES_NO, True) for expert in EXPERTS}
    if trained["high_noise"] != trained["low_noise"]:
        found.settings["high_noise_share"] = float(trained["high_noise"])
    values.leave_rest(REASONS)


def _take_average(values: Values) -> None:
    used, decay = values.take("train.ema_config.use_ema", YES_NO, False), values.take("train.ema_config.ema_decay", NUMBER, 0.99)
    if used:
        values.found.settings["optimizer.average"] = decay


def _take_sizes(values: Values, datasets: Iterable[str]) -> None:
    """Sizes of photos and clips, the largest of each; a dataset of one frame is of photos."""
    for dataset in datasets:
        frames = values.take(f"{dataset}num_frames", WHOLE, 1)
        size = values.take_largest(values.named("resolution", dataset))
        if frames > 1:
            enlarge(values.found, "data.clip_frames", frames)
        if size:
            enlarge(values.found, "data.clip_size" if frames > 1 else "data.photo_size", size)


def is_ai_toolkit(name: str, data: Config) -> bool:
    """Problem if it is one of its jobs and damaged."""
    config = data.get("config")
    process = config.get("process") if isinstance(config, dict) else None
    if process is not None and not (isinstance(process, list) and process and isinstance(process[0], dict)):
        raise Problem(f"{name} is damaged: config.process must be a list of jobs.")
    return process is not None


TARGET = Target(
    name="ai-toolkit",
    title="AI Toolkit",
    writes="a job that goes on from the pair, the pair where it looks for it, and the dataset",
    version=2,
    write=write,
    serves=pairs_of_experts,
    dataset="always",
    settings=SETTINGS,
    recognises=is_ai_toolkit,
    reader=Reader(files="AI Toolkit's .yaml", read=read_job),
)
