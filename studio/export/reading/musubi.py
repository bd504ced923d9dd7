"""Reads configs of musubi-tuner: the TOML of a training or the command that starts it, and the TOML of the dataset."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from studio.errors import Problem
from studio.export.left_out import DISTRIBUTION
from studio.export.reading.command_lines import PROGRAM
from studio.export.reading.experts import Folder, OneExpert, check_expert, expert_of, join_experts, rows_an_epoch, take_steps
from studio.export.reading.families import describe_other_wan, require_wan
from studio.export.reading.values import (
    BY_ITSELF,
    NUMBER,
    TEXT,
    WHOLE,
    YES_NO,
    Counts,
    Found,
    Setting,
    Values,
    as_number,
    as_whole,
    enlarge,
)

USUAL_STEPS = 1600  # --max_train_steps, where nothing is said
SAME = {
    "max_grad_norm": ("optimizer.max_grad_norm", NUMBER),
    "lr_warmup_steps": ("optimizer.warmup_steps", WHOLE),
    "learning_rate": ("optimizer.learning_rate", NUMBER),
    "network_dim": ("lora.rank", WHOLE),
    "seed": ("seed", WHOLE),
    "gradient_checkpointing": ("memory.gradient_checkpointing", YES_NO),
    "compile": ("memory.compile_blocks", YES_NO),
}
OPTIMIZERS = {
    **{"adamw": "adamw", "torch.optim.adamw": "adamw", "adamw8bit": "adamw8bit", "bitsandbytes.optim.adamw8bit": "adamw8bit"},
    **{"adafactor": "adafactor", "prodigy": "prodigy", "prodigyopt.prodigy": "prodigy"},
}
CHOICES = {
    "optimizer_type": ("optimizer.name", OPTIMIZERS),
    "lr_scheduler": ("optimizer.schedule", {"constant": "constant", "constant_with_warmup": "constant", "cosine": "cosine"}),
}
LEVELS = {"uniform": "uniform", "sigmoid": "sigmoid", "shift": "shifted_sigmoid"}
FITTED, OWN_FOLDERS = "how the model fits the GPU is planned for this computer", "the studio has its own folders"
TESTS, MODEL = "test clips are drawn in a comparison", "the base model is the project's"
REASONS = {
    "dit": MODEL, "dit_high_noise": MODEL, "vae": MODEL, "t5": MODEL, "clip": MODEL, "vae_dtype": MODEL, "task": MODEL, "vae_cache_cpu": FITTED,
    "fp8_base": FITTED, "fp8_scaled": FITTED, "fp8_t5": FITTED, "blocks_to_swap": FITTED, "mixed_precision": FITTED, "flash_attn": FITTED,
    "offload_inactive_dit": FITTED, "gradient_checkpointing_cpu_offload": FITTED, "use_pinned_memory_for_block_swap": FITTED,
    "block_swap_h2d_only": FITTED, "sdpa": BY_ITSELF, "xformers": BY_ITSELF, "sage_attn": BY_ITSELF, "split_attn": BY_ITSELF, "flash3": BY_ITSELF,
    "dataset_config": "what is learned is chosen in the dataset", "config_file": "choose that file as well: it holds the settings",
    "output_dir": OWN_FOLDERS, "output_name": "the studio names its runs", "logging_dir": OWN_FOLDERS, "log_with": "a run is watched in the window",
    "network_weights": "a run here begins with a new LoRA, or goes on with its own", "resume": "a run here goes on with its own",
    "network_args": "the LoRA covers the same layers in every run here", "network_dropout": "no layer is left out by chance here",
    "max_data_loader_n_workers": BY_ITSELF, "persistent_data_loader_workers": BY_ITSELF, "save_state": "safety copies are written every few steps",
    "save_precision": BY_ITSELF, "save_last_n_epochs": "every pair is kept; delete what you don't want", "sample_prompts": TESTS,
    "sample_every_n_epochs": TESTS, "sample_every_n_steps": TESTS, "sample_at_first": TESTS, "optimizer_args": "the optimizer's other numbers are the studio's",
    "min_timestep": "where an expert begins is the base model's own", "max_timestep": "where an expert ends is the base model's own",
    "timestep_boundary": "where an expert ends is the base model's own", "weighting_scheme": "every noise level counts the same in the loss here",
    "preserve_distribution_shape": "the levels of an expert are always cut out of the whole, never squeezed into its range",
    "num_timestep_buckets": "levels are always spread evenly over the pictures of a step", "guidance_scale": "it is not used with WAN",
    "general.caption_extension": "captions are .txt files beside the photos", "general.enable_bucket": "photos keep their shape, always",
    "general.bucket_no_upscale": "photos are never enlarged here", "datasets": "items are chosen and described in the dataset here",
    "datasets.image_directory": "import what is in it into the dataset", "datasets.video_directory": "import what is in it into the dataset",
    "datasets.image_jsonl_file": "import it into the dataset", "datasets.video_jsonl_file": "import it into the dataset",
    "datasets.cache_directory": OWN_FOLDERS, "datasets.frame_extraction": "clips are cut in the dataset; training takes their beginning",
    "datasets.source_fps": "the rate of a clip is read from its file", "datasets.control_directory": "photos are learned without a control picture",
    "datasets.max_frames": "clips take at most as many frames as are set",
}  # fmt: skip
REASONS |= {f"datasets.{name}": REASONS[f"general.{name}"] for name in ("caption_extension", "enable_bucket", "bucket_no_upscale")}
FOR_WAN = ("wan_train_network.py", "wan_train.py")


def read_files(files: Sequence[tuple[str, dict[str, Any]]], found: Found, counts: Counts) -> None:
    trainings = [(name, _without_sections(data)) for name, data in files if not _is_dataset(data)]
    datasets = [(name, data) for name, data in files if _is_dataset(data)]
    for name, data in datasets:
        _require_musubi(name, data)
    if len(trainings) > 2:
        raise Problem(
            "These are the configs of more than one training.", fix="Choose those of one: one for each expert, and the dataset's."
        )
    read_sets = [_read_dataset(Values(data, found, f"{name}: "), found) for name, data in datasets]
    folders, batch = [folder for some, _ in read_sets for folder in some], max((size for _, size in read_sets), default=1)
    read: dict[str, OneExpert] = {}
    for name, data in trainings:
        _require_family(name, data, found)
        expert = _expert_of(data, name)
        check_expert(expert, name, read, several=len(trainings) > 1)
        values = Values(data, found, f"{name}: ")
        read[expert] = _read_expert(values, rows_an_epoch(folders, counts), batch, knows_dataset=bool(datasets))
    join_experts(read, found)


def _require_musubi(name: str, data: Mapping[str, Any]) -> None:
    """Problem for a dataset of sd-scripts, whose word for a folder is a subset."""
    if any(isinstance(one, dict) and "subsets" in one for one in data["datasets"]):
        raise Problem(f"{name} is a config of sd-scripts, which can't be read here.", fix="Set its numbers by hand under All settings.")


def _is_dataset(data: Mapping[str, Any]) -> bool:
    return isinstance(data.get("datasets"), list)


def _without_sections(data: Mapping[str, Any]) -> dict[str, Any]:
    """Its reader takes the values of all sections together."""
    flat: dict[str, Any] = {}
    for name, value in data.items():
        flat |= value if isinstance(value, dict) else {name: value}
    return flat


def _require_family(name: str, data: Mapping[str, Any], found: Found) -> None:
    module = str(data.get("network_module", "")).removeprefix("networks.")
    if module == "lora" and PROGRAM not in data:
        require_wan(name, "hunyuan" if "dit" in data else "sd")
    if module.startswith("lora_"):
        require_wan(name, module.removeprefix("lora_"))
    if PROGRAM in data and str(data[PROGRAM]) not in FOR_WAN:
        require_wan(name, _family_of(str(data[PROGRAM])))
    if other := describe_other_wan(str(data.get("task", ""))):
        found.leave(f"{name}: task", data["task"], other)


def _family_of(program: str) -> str:
    """hv_train_network.py: hv; train_network.py, of sd-scripts: sd."""
    return program.partition("_train")[0] if "_train" in program else "sd"


def _expert_of(data: Mapping[str, Any], name: str) -> str:
    low, high = as_number(data.get("min_timestep")), as_number(data.get("max_timestep"))
    low, high = (None if level is None else level / 1000 for level in (low, high))
    return expert_of(low, high, f"{data.get('dit', '')} {data.get('output_name', '')} {name}")


def _read_expert(values: Values, rows: float, batch: int, *, knows_dataset: bool) -> OneExpert:
    settings = values.take_into(SAME)
    values.take_alpha("network_alpha", settings.get("lora.rank", 4), usual=1.0)
    group = max(1, values.take("gradient_accumulation_steps", WHOLE, 1, "accumulation"))
    settings["accumulation"] = batch * group
    if "max_train_epochs" in values.left and not knows_dataset:
        values.drop("dataset_config", "its file was not among those chosen: an epoch is taken to see each photo once (num_repeats = 1)")
    an_epoch = math.ceil(math.ceil(rows / batch) / group)
    steps = _take_steps(values, an_epoch)
    save_every = take_steps(values, "save_every_n_steps", "save_every_n_epochs", an_epoch, "save_every")
    settings |= _take_noise(values) | values.take_choices(CHOICES) | _take_arguments(values)
    values.take(PROGRAM, TEXT)
    values.take_choice("network_module", {"networks.lora_wan": "lora", "lora_wan": "lora"})
    trains_both = "dit_high_noise" in values.left
    _leave_joint(values)
    values.leave_rest(REASONS)
    return OneExpert(settings, steps, save_every, trains_both)


def _take_steps(values: Values, an_epoch: int) -> int:
    """Epochs stand over steps there; where neither is said, it takes as many as it always does."""
    if "max_train_epochs" in values.left and an_epoch:
        values.drop("max_train_steps", "the number of epochs stands over it there")
        return take_steps(values, "max_train_steps", "max_train_epochs", an_epoch, "steps")
    is_said = "max_train_steps" in values.left or "max_train_epochs" in values.left
    steps = take_steps(values, "max_train_steps", "max_train_epochs", an_epoch, "steps")
    if not is_said and "config_file" not in values.left:
        values.become("max_train_steps", f"{USUAL_STEPS} (as nothing is said)", "steps")
        return USUAL_STEPS
    return steps


def _take_noise(values: Values) -> dict[str, Setting]:
    """The levels; a shift and a scale count only for those that have them."""
    name = values.take_choice("timestep_sampling", LEVELS, DISTRIBUTION)
    if name != "shifted_sigmoid":
        values.drop("discrete_flow_shift", "it counts there only for timestep_sampling = shift")
    if name is None:
        values.drop("sigmoid_scale", "it belongs to noise levels that were not taken over")
        return {}
    given = values.take_into({"discrete_flow_shift": ("timesteps.shift", NUMBER), "sigmoid_scale": ("timesteps.scale", NUMBER)})
    return given | {DISTRIBUTION: name}


def _take_arguments(values: Values) -> dict[str, Setting]:
    """weight_decay among the optimizer's arguments; the others are left."""
    given = values.left.get("optimizer_args")
    arguments = given if isinstance(given, list) else str(given or "").split()
    decay = next((str(argument).partition("=")[2] for argument in arguments if str(argument).startswith("weight_decay=")), None)
    number = as_number(decay) if decay is not None else None
    if number is None:
        return {}
    rest = [str(argument) for argument in arguments if not str(argument).startswith("weight_decay=")]
    values.left.pop("optimizer_args")
    values.become("optimizer_args", f"weight_decay={decay}", "optimizer.weight_decay")
    if rest:
        values.leave("optimizer_args", " ".join(rest), REASONS["optimizer_args"])
    return {"optimizer.weight_decay": number}


def _leave_joint(values: Values) -> None:
    if "dit_high_noise" in values.left:
        why = "one LoRA for both experts is trained there, by as many steps in all; here each has its own, and its share of the steps is a setting"
        values.drop("dit_high_noise", why)


def _read_dataset(values: Values, found: Found) -> tuple[list[Folder], int]:
    """(folders, pictures of a batch): sizes and lengths, those of a dataset over the general ones."""
    places = list(dict.fromkeys(".".join(name.split(".")[:2]) + "." for name in values.left if name.startswith("datasets.")))
    usual_repeats = values.take("general.num_repeats", WHOLE, 1, "steps")
    batches = [values.take("general.batch_size", WHOLE, 1, "accumulation")]
    usual_size = values.take_size_pair("general.resolution", "data.photo_size")
    folders = []
    for place in places:
        clips = f"{place}video_directory" in values.left or f"{place}video_jsonl_file" in values.left
        folders.append(Folder(values.take(f"{place}num_repeats", WHOLE, usual_repeats, "steps"), clips))
        batches.append(values.take(f"{place}batch_size", WHOLE, batches[0], "accumulation"))
        ours = "data.clip_size" if clips else "data.photo_size"
        size = values.take_size_pair(f"{place}resolution", ours) or usual_size
        if size:
            enlarge(values, ours, size, f"{place}resolution")
        _take_frames(values, place)
    if len({folder.repeats for folder in folders}) > 1:
        values.leave("datasets.num_repeats", "several", "every item is seen equally often here; the steps are those of their mean")
    values.leave_rest(REASONS)
    return folders, max(1, *batches)


def _take_frames(values: Values, place: str) -> None:
    name = f"{place}target_frames"
    if name not in values.left:
        return
    given = values.left.pop(name)
    lengths = [length for number in (given if isinstance(given, list) else [given]) if (length := as_whole(number))]
    if not lengths:
        values.leave(name, given, "it must be a list of numbers")
        return
    values.become(name, given, "data.clip_frames")
    if max(lengths) > 1:
        enlarge(values, "data.clip_frames", (max(lengths) - 1) // 4 * 4 + 1, name)


def is_musubi(name: str, data: Mapping[str, Any]) -> bool:
    flat = _without_sections(data)
    return PROGRAM in data or "network_module" in flat or "dataset_config" in flat or _is_dataset(data)
