"""Reads job files of AI Toolkit: YAML or JSON with one process, as its examples, its window and its saved configs write them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from studio.config import EXPERTS, OPTIMIZERS
from studio.errors import Problem
from studio.export.left_out import DISTRIBUTION, named_distributions
from studio.export.reading.families import describe_other_wan, require_wan
from studio.export.reading.values import BY_ITSELF, NUMBER, TEXT, WHOLE, YES_NO, Counts, Found, Values, enlarge
from studio.training.step import distributions

TO = "ai-toolkit"
SAME = {
    "save.save_every": ("save_every", WHOLE),
    "training_seed": ("seed", WHOLE),
    "train.steps": ("steps", WHOLE),
    "train.lr": ("optimizer.learning_rate", NUMBER),
    "train.lr_scheduler_params.num_warmup_steps": ("optimizer.warmup_steps", WHOLE),
    "train.optimizer_params.weight_decay": ("optimizer.weight_decay", NUMBER),
    "train.max_grad_norm": ("optimizer.max_grad_norm", NUMBER),
    "train.gradient_checkpointing": ("memory.gradient_checkpointing", YES_NO),
    "train.diff_output_preservation": ("preservation.enabled", YES_NO),
    "train.diff_output_preservation_multiplier": ("preservation.multiplier", NUMBER),
    "model.compile": ("memory.compile_blocks", YES_NO),
}
COURSES = {"constant": "constant", "constant_with_warmup": "constant", "cosine": "cosine"}
CHOICES = {
    "train.optimizer": ("optimizer.name", {name: name for name in OPTIMIZERS} | {"prodigyopt": "prodigy"}),
    "train.lr_scheduler": ("optimizer.schedule", COURSES),
}
FAMILY_FLAGS = ("is_flux", "is_xl", "is_v2", "is_v3", "is_pixart", "is_auraflow", "is_lumina2", "is_ssd", "is_vega")
TESTS, TEXTS = "test clips are drawn in a comparison", "texts are always encoded once and kept"
FITTED = "how the model fits the GPU is planned for this computer"
NAMED = "the studio names its runs"
REASONS = {
    "job": BY_ITSELF,
    "config": NAMED,
    "meta": NAMED,
    "type": BY_ITSELF,
    "training_folder": "the studio has its own folders",
    "sqlite_db_path": "the studio has its own folders",
    "device": BY_ITSELF,
    "performance_log_every": BY_ITSELF,
    "logging": BY_ITSELF,
    "trigger_word": "the trigger is the project's",
    "network": "the LoRA covers the same layers in every run here",
    "network.dropout": "no layer is left out by chance here",
    "save": "every pair is kept; delete what you don't want",
    "save.dtype": BY_ITSELF,
    "save.push_to_hub": "nothing is uploaded here",
    "datasets": "items are chosen and described in the dataset here",
    "datasets.folder_path": "import what is in it into the dataset",
    "datasets.dataset_path": "import what is in it into the dataset",
    "datasets.caption_ext": "captions are .txt files beside the photos",
    "datasets.caption_dropout_rate": "captions are never left out here",
    "datasets.shuffle_tokens": "captions stay as they are here",
    "datasets.cache_latents_to_disk": BY_ITSELF,
    "datasets.cache_latents": BY_ITSELF,
    "datasets.fps": "clips are always read at 16 frames a second, as WAN draws them",
    "datasets.shrink_video_to_frames": "clips keep their speed here",
    "datasets.auto_frame_count": "clips take at most as many frames as are set",
    "datasets.num_repeats": "every photo and clip is seen equally often",
    "datasets.network_weight": "every photo and clip weighs the same",
    "datasets.flip_x": "photos are never mirrored: a face has a left and a right",
    "datasets.flip_y": "photos are never mirrored",
    "datasets.is_reg": "pictures of other people are drawn by the base model: Pictures of other people, in the settings",
    "train.train_unet": BY_ITSELF,
    "train.train_text_encoder": "the text encoder is never trained here",
    "train.noise_scheduler": "WAN is always trained by flow matching",
    "train.dtype": BY_ITSELF,
    "train.loss_type": "the loss is the mean square",
    "train.content_or_style": "noise levels are chosen by their distribution alone",
    "train.switch_boundary_every": "an expert's turn lasts until the next save: fewer loads, the same steps",
    "train.diff_output_preservation_class": "the class word is the project's",
    "train.cache_text_embeddings": TEXTS,
    "train.unload_text_encoder": TEXTS,
    "train.disable_sampling": TESTS,
    "train.skip_first_sample": TESTS,
    "train.force_first_sample": TESTS,
    "train.ema_config": "an average is taken by its decay alone",
    "model": "the base model is the project's",
    "model.quantize": FITTED,
    "model.quantize_te": FITTED,
    "model.qtype": FITTED,
    "model.qtype_te": FITTED,
    "model.low_vram": FITTED,
    "model.layer_offloading": FITTED,
    "model.layer_offloading_transformer_percent": FITTED,
    "model.layer_offloading_text_encoder_percent": FITTED,
    "model.block_compile": FITTED,
    "sample": TESTS,
}


def read_job(files: Sequence[tuple[str, dict[str, Any]]], found: Found, counts: Counts) -> None:
    """The settings of one job file. How many photos there are means nothing to it: it counts steps."""
    if len(files) > 1:
        raise Problem("These are several configs of AI Toolkit.", fix="Choose one of them.")
    name, data = files[0]
    processes = data["config"]["process"]
    _require_family(name, processes[0])
    values = Values(processes[0], found)
    _take_network(values)
    found.settings |= values.take_into(SAME)
    _take_accumulation(values)
    found.settings |= values.take_choices(CHOICES)
    _take_noise(values)
    if found.settings.get("preservation.enabled"):
        found.settings |= {"preservation.every": 1, "preservation.pictures": 0}  # as it protects: at each of the own photos
    _take_average(values)
    _take_sizes(values, _datasets(values))
    _take_experts(values)
    values.leave_rest(REASONS)
    _leave_around(data, found)


def _require_family(name: str, process: Mapping[str, Any]) -> None:
    model = process.get("model")
    if not isinstance(model, dict):
        return
    arch = model.get("arch")
    flag = next((flag for flag in FAMILY_FLAGS if model.get(flag) is True), "")
    if isinstance(arch, str) and arch:
        require_wan(name, arch)
    elif flag:
        require_wan(name, flag.removeprefix("is_"))


def _take_network(values: Values) -> None:
    """`rank` is an older name of `linear`."""
    rank = values.take_into({"network.linear": ("lora.rank", WHOLE)}) | values.take_into({"network.rank": ("lora.rank", WHOLE)})
    values.found.settings |= rank
    values.take_alpha("network.linear_alpha", rank.get("lora.rank"))
    values.take_kind_of_network("network.type")


def _take_accumulation(values: Values) -> None:
    """gradient_accumulation is of one step; gradient_accumulation_steps lets only every so manyth of the steps change the LoRA, so that all that
    is counted in steps there takes fewer of ours (jobs/process/BaseSDTrainProcess.py)."""
    found = values.found
    batch = values.take("train.batch_size", WHOLE, 1, "accumulation")
    group = max(1, values.take("train.gradient_accumulation", WHOLE, 1, "accumulation"))
    every = values.take("train.gradient_accumulation_steps", WHOLE, 1, "accumulation, and fewer steps")
    if every < 0:
        found.became.pop()
        values.leave("train.gradient_accumulation_steps", every, "there one step is a round of all photos; here it is of a few")
    every = max(1, every)
    found.settings["accumulation"] = max(1, batch) * group * every
    for name in ("steps", "save_every", "optimizer.warmup_steps"):
        number = found.settings.get(name)
        if isinstance(number, int) and number and every > 1:
            found.settings[name] = max(1, round(number / every))


def _take_noise(values: Values) -> None:
    name = values.take_choice("train.timestep_type", named_distributions(TO), DISTRIBUTION)
    if name:
        fixed = distributions.find(name).CALLED[TO].fixed
        values.found.settings |= {DISTRIBUTION: name} | {f"timesteps.{leaf}": value for leaf, value in fixed.items()}


def _take_average(values: Values) -> None:
    used = values.take("train.ema_config.use_ema", YES_NO, False, "optimizer.average")
    decay = values.take("train.ema_config.ema_decay", NUMBER, 0.999, "optimizer.average")
    if used:
        values.found.settings["optimizer.average"] = decay


def _datasets(values: Values) -> list[str]:
    """The beginnings of the names of each dataset's values."""
    starts = (".".join(name.split(".")[:2]) + "." for name in values.left if name.startswith("datasets.") and name.split(".")[1].isdigit())
    return list(dict.fromkeys(starts))


def _take_sizes(values: Values, datasets: Iterable[str]) -> None:
    """Sizes of photos and clips, the largest of each; a dataset of one frame is of photos."""
    for dataset in datasets:
        if values.left.get(f"{dataset}is_reg") is True:
            for name in ("num_frames", "resolution"):
                values.drop(f"{dataset}{name}", "it is of the pictures of other people")
            continue
        frames = values.take(f"{dataset}num_frames", WHOLE, 1, "data.clip_frames")
        ours = "data.clip_size" if frames > 1 else "data.photo_size"
        size = values.take_size(f"{dataset}resolution", ours)
        if frames > 1:
            enlarge(values, "data.clip_frames", frames, f"{dataset}num_frames")
        if size:
            enlarge(values, ours, size, f"{dataset}resolution")


def _take_experts(values: Values) -> None:
    trained = {expert: values.take(f"model.model_kwargs.train_{expert}", YES_NO, True, "high_noise_share") for expert in EXPERTS}
    if trained["high_noise"] != trained["low_noise"]:
        values.found.settings["high_noise_share"] = float(trained["high_noise"])
    arch = values.take("model.arch", TEXT, "")
    if other := describe_other_wan(arch):
        values.found.became.pop()
        values.leave("model.arch", arch, other)


def _leave_around(data: Mapping[str, Any], found: Found) -> None:
    """What stands around the first process."""
    processes = data["config"]["process"]
    if len(processes) > 1:
        found.leave("config.process", f"{len(processes)} jobs", "the first one was read")
    around = {name: value for name, value in data.items() if name != "config"}
    beside = {name: value for name, value in data["config"].items() if name != "process"}
    Values(around | ({"config": beside} if beside else {}), found).leave_rest(REASONS)


def is_ai_toolkit(name: str, data: Mapping[str, Any]) -> bool:
    """Problem if it is one of its jobs and damaged."""
    config = data.get("config")
    process = config.get("process") if isinstance(config, dict) else None
    if process is not None and not (isinstance(process, list) and process and isinstance(process[0], dict)):
        raise Problem(f"{name} is damaged: config.process must be a list of jobs.")
    return process is not None
