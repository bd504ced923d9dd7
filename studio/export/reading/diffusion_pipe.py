"""Reads configs of diffusion-pipe: those of both experts and the one of the dataset, which says how often an epoch sees each item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from studio.errors import Problem
from studio.export.left_out import DISTRIBUTION
from studio.export.reading.experts import Folder, OneExpert, check_expert, expert_of, join_experts, rows_an_epoch, take_steps
from studio.export.reading.families import describe_other_wan, require_wan
from studio.export.reading.values import BY_ITSELF, NUMBER, WHOLE, YES_NO, Counts, Found, Setting, Values, as_number, as_whole, enlarge

SAME = {
    "gradient_clipping": ("optimizer.max_grad_norm", NUMBER),
    "warmup_steps": ("optimizer.warmup_steps", WHOLE),
    "compile": ("memory.compile_blocks", YES_NO),
    "adapter.rank": ("lora.rank", WHOLE),
    "optimizer.lr": ("optimizer.learning_rate", NUMBER),
    "optimizer.weight_decay": ("optimizer.weight_decay", NUMBER),
}
OPTIMIZERS = {
    **{"adamw": "adamw", "adamw_optimi": "adamw", "adamw8bit": "adamw8bit", "adamw8bitkahan": "adamw8bit"},
    **{"prodigy": "prodigy", "adafactor": "adafactor"},
}
CHOICES = {
    "optimizer.type": ("optimizer.name", OPTIMIZERS),
    "lr_scheduler": ("optimizer.schedule", {"constant": "constant", "cosine": "cosine"}),
    "adapter.dtype": ("lora.precision", {"float32": "fp32", "bfloat16": "bf16"}),
}
METHODS = {"logit_normal": "sigmoid", "uniform": "uniform"}
MOVED = {"sigmoid": "shifted_sigmoid", "uniform": "shift"}  # with a shift
SHAPES, FITTED = "photos keep their shape, always", "how the model fits the GPU is planned for this computer"
COPIES = "safety copies are written every few steps"
CHECKS = "photos to check with are set aside by the studio"
REASONS = {
    "output_dir": "the studio has its own folders",
    "dataset": "what is learned is chosen in the dataset",
    "directory": "items are chosen and described in the dataset here",
    "directory.path": "import what is in it into the dataset",
    "directory.mask_path": "photos are learned whole here",
    "model": "the base model is the project's",
    "model.dtype": FITTED,
    "model.transformer_dtype": FITTED,
    "model.min_t": "where an expert begins is the base model's own",
    "model.max_t": "where an expert ends is the base model's own",
    "model.flux_shift": "a shift does not depend on the size here",
    "adapter.init_from_existing": "a run here begins with a new LoRA, or goes on with its own",
    "adapter.dropout": "no layer is left out by chance here",
    "optimizer.betas": "they are 0.9 and 0.999 here",
    "optimizer.eps": BY_ITSELF,
    "blocks_to_swap": FITTED,
    "pipeline_stages": BY_ITSELF,
    "partition_method": BY_ITSELF,
    "steps_per_print": BY_ITSELF,
    "checkpoint_every_n_minutes": COPIES,
    "checkpoint_every_n_epochs": COPIES,
    "save_dtype": BY_ITSELF,
    "caching_batch_size": BY_ITSELF,
    "map_num_proc": BY_ITSELF,
    "reentrant_activation_checkpointing": BY_ITSELF,
    "video_clip_mode": "clips are cut in the dataset",
    "eval_datasets": CHECKS,
    "eval_every_n_epochs": CHECKS,
    "eval_every_n_steps": CHECKS,
    "eval_before_first_step": CHECKS,
    "eval_micro_batch_size_per_gpu": CHECKS,
    "eval_gradient_accumulation_steps": CHECKS,
    "uncond_fraction": "captions are never left out here",
    "monitoring": "a run is watched in the window",
    "enable_ar_bucket": SHAPES,
    "min_ar": SHAPES,
    "max_ar": SHAPES,
    "num_ar_buckets": SHAPES,
    "ar_buckets": SHAPES,
    "frame_buckets": "clips take the longest of these; shorter ones as much as they have",
}
REASONS |= {f"directory.{name}": REASONS[name] for name in ("enable_ar_bucket", "min_ar", "max_ar", "num_ar_buckets", "ar_buckets")}


def read_files(files: Sequence[tuple[str, dict[str, Any]]], found: Found, counts: Counts) -> None:
    mains = [(name, data) for name, data in files if isinstance(data.get("model"), dict)]
    datasets = [(name, data) for name, data in files if not isinstance(data.get("model"), dict)]
    if len(mains) > 2:
        raise Problem(
            "These are the configs of more than one training.", fix="Choose those of one: one for each expert, and the dataset's."
        )
    folders = [folder for name, data in datasets for folder in _read_dataset(Values(data, found, f"{name}: "), found)]
    read: dict[str, OneExpert] = {}
    for name, data in mains:
        _require_family(name, data, found)
        expert = _expert_of(data, name)
        check_expert(expert, name, read, several=len(mains) > 1)
        read[expert] = _read_expert(Values(data, found, f"{name}: "), rows_an_epoch(folders, counts), knows_dataset=bool(datasets))
    join_experts(read, found)


def _require_family(name: str, data: Mapping[str, Any], found: Found) -> None:
    model = data["model"]
    if "type" in model:
        require_wan(name, str(model["type"]))
    place = str(model.get("ckpt_path", "")).replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    if other := describe_other_wan(place):
        found.leave(f"{name}: model", place, other)


def _expert_of(data: Mapping[str, Any], name: str) -> str:
    model = data["model"]
    return expert_of(as_number(model.get("min_t")), as_number(model.get("max_t")), f"{model.get('transformer_path', '')} {name}")


def _read_expert(values: Values, rows: float, *, knows_dataset: bool) -> OneExpert:
    settings = values.take_into(SAME)
    batch = values.take("micro_batch_size_per_gpu", WHOLE, 1, "accumulation")
    group = values.take("gradient_accumulation_steps", WHOLE, 1, "accumulation")
    accumulation = max(1, batch) * max(1, group)
    settings["accumulation"] = accumulation
    steps_an_epoch = max(1, int(rows) // accumulation) if rows else 0
    if not knows_dataset and "max_steps" in values.left:
        values.drop("epochs", "how long an epoch is stands in the dataset's file, which was not chosen: max_steps counts")
    elif not knows_dataset and "epochs" in values.left:
        values.drop("dataset", "its file was not among those chosen: an epoch is taken to see each photo once (num_repeats = 1)")
    steps = take_steps(values, "max_steps", "epochs", steps_an_epoch, "steps")
    save_every = take_steps(values, "save_every_n_steps", "save_every_n_epochs", steps_an_epoch, "save_every")
    if "activation_checkpointing" in values.left:
        checkpointing = values.left.pop("activation_checkpointing")  # true, false or "unsloth"
        settings["memory.gradient_checkpointing"] = bool(checkpointing)
        values.become("activation_checkpointing", checkpointing, "memory.gradient_checkpointing")
    settings |= _take_noise(values) | values.take_choices(CHOICES)
    values.take_kind_of_network("adapter.type")
    values.take_choice("model.type", {"wan": "wan"})
    values.leave_rest(REASONS)
    return OneExpert(settings, steps, save_every)


def _take_noise(values: Values) -> dict[str, Setting]:
    """A shift moves whichever levels are chosen; those of a sigmoid are, where nothing is said."""
    method = values.take_choice("model.timestep_sample_method", METHODS, DISTRIBUTION)
    found = values.take_into({"model.shift": ("timesteps.shift", NUMBER), "model.sigmoid_scale": ("timesteps.scale", NUMBER)})
    moved = found.get("timesteps.shift") not in (None, 0, 1)
    if not moved:
        found.pop("timesteps.shift", None)
    if method is None and not found:
        return found
    levels = method or METHODS["logit_normal"]
    return found | {DISTRIBUTION: MOVED[levels] if moved else levels}


def _read_dataset(values: Values, found: Found) -> list[Folder]:
    """Sizes and frames, those of a folder over those of the whole; and how often each folder is seen."""
    places = list(dict.fromkeys(".".join(name.split(".")[:2]) + "." for name in values.left if name.startswith("directory.")))
    usual_repeats = values.take("num_repeats", NUMBER, 1, "steps")
    usual_frames, usual_sizes = values.left.pop("frame_buckets", None), values.left.get("resolutions")
    folders = []
    for place in places:
        frames = _take_frames(values, place, usual_frames)
        sizes = values.left.get(f"{place}resolutions", usual_sizes)
        repeats = values.take(f"{place}num_repeats", NUMBER, usual_repeats, "steps")
        folders.append(Folder(repeats * max(1, len(sizes) if isinstance(sizes, list) else 1), frames > 1))
        _take_sizes(values, place, frames)
    _take_sizes(values, "", _take_frames(values, "", usual_frames))
    if usual_frames is not None:
        values.become("frame_buckets", usual_frames, "data.clip_frames")
    if len({folder.repeats for folder in folders}) > 1:
        values.leave("directory.num_repeats", "several", "every item is seen equally often here; the steps are those of their mean")
    values.leave_rest(REASONS)
    return folders


def _take_frames(values: Values, place: str, usual: object) -> int:
    """The longest of a folder's lengths. A dataset of one frame is of photos."""
    name = f"{place}frame_buckets"
    given = values.left.pop(name, usual)
    lengths = [length for number in given if (length := as_whole(number))] if isinstance(given, list) else []
    frames = max(lengths, default=1)
    if given is not usual and given is not None:
        if lengths:
            values.become(name, given, "data.clip_frames")
        else:
            values.leave(name, given, "it must be a list of numbers")
    if frames > 1:
        enlarge(values, "data.clip_frames", frames, name)
    return frames


def _take_sizes(values: Values, place: str, frames: int) -> None:
    """Which of our sizes one of theirs is: a folder is of photos or of clips; the whole can be of both."""
    meant = ["data.photo_size", "data.clip_size"] if frames > 1 else ["data.photo_size"]
    if place:
        meant = ["data.clip_size"] if frames > 1 else ["data.photo_size"]
    size = values.take_size(f"{place}resolutions", " and ".join(meant))
    for name in meant if size else ():
        if place or name not in values.found.settings:
            enlarge(values, name, size or 0, f"{place}resolutions")


def is_diffusion_pipe(name: str, data: Mapping[str, Any]) -> bool:
    is_dataset = isinstance(data.get("directory"), list)
    return is_dataset or (isinstance(data.get("model"), dict) and isinstance(data.get("optimizer"), dict))
