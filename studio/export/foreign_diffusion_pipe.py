"""diffusion-pipe's configs, one for each expert and one of the dataset: which of their values mean a setting here. Names as in its examples and its own reader."""

from studio.config import EXPERTS
from studio.errors import Problem
from studio.export.foreign_values import BY_ITSELF, NUMBER, WHOLE, Values, as_kind, enlarge

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
    "model.timestep_sample_method": ("timesteps.distribution", {"logit_normal": "sigmoid", "uniform": "uniform"}),
    "optimizer.type": (
        "optimizer.name",
        {"adamw": "adamw", "adamw_optimi": "adamw", "adamw8bit": "adamw8bit", "adamw8bitkahan": "adamw8bit", "prodigy": "prodigy"},
    ),
    "lr_scheduler": ("optimizer.schedule", {"constant": "constant"}),
}
REASONS = {
    "output_dir": "the studio has its own folders",
    "dataset": "what is learned is chosen on the Dataset tab",
    "directory.path": "import what is in it on the Dataset tab",
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
    "video_clip_mode": "clips are cut on the Dataset tab",
    "eval_datasets": "photos to check with are set aside by the studio",
    "enable_ar_bucket": "photos keep their shape, always",
    "min_ar": "photos keep their shape, always",
    "max_ar": "photos keep their shape, always",
    "num_ar_buckets": "photos keep their shape, always",
}


def read_diffusion_pipe(files, found, num_items):
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


def _expert_of(data, name):
    """By the noise levels it practises, else by the names of its files."""
    low, high = (as_kind(data["model"].get(key), NUMBER) for key in ("min_t", "max_t"))
    if low is not None and low >= 0.5:
        return "high_noise"
    if high is not None and high < 1:
        return "low_noise"
    names = f"{data['model'].get('transformer_path', '')} {name}".casefold()
    return next((expert for expert in EXPERTS if expert[:-6] in names), "")


def _read_expert(values, num_items):
    """{setting: value} of one expert; "steps" and "save_every" are its own."""
    settings = values.take_into(SAME)
    batch, group = values.take("micro_batch_size_per_gpu", WHOLE, 1), values.take("gradient_accumulation_steps", WHOLE, 1)
    settings["accumulation"] = max(1, batch) * max(1, group)
    steps_an_epoch = max(1, num_items // settings["accumulation"]) if num_items else 0
    for ours, in_steps, in_epochs in (("steps", "max_steps", "epochs"), ("save_every", "save_every_n_steps", "save_every_n_epochs")):
        steps, epochs = values.take(in_steps, WHOLE), values.take(in_epochs, WHOLE)
        if steps is None and epochs is not None and not steps_an_epoch:
            values.leave(in_epochs, epochs, "it counts how often all photos are seen, and there are no photos here yet")
        elif steps is not None or epochs is not None:
            settings[ours] = steps if steps is not None else epochs * steps_an_epoch
    checkpointing = values.left.pop("activation_checkpointing", None)
    if checkpointing is not None:
        settings["memory.gradient_checkpointing"] = bool(checkpointing)
    for theirs, (ours, table) in CHOICES.items():
        if (chosen := values.take_choice(theirs, table)) is not None:
            settings[ours] = chosen
    values.take_kind_of_network("adapter.type")
    values.leave_rest(REASONS)
    return settings


def _join_experts(read, found):
    """Both experts learn with the same settings here, those of detail and identity; steps are counted together."""
    if not read:
        return
    chosen = dict(read.get("low_noise") or next(iter(read.values())))
    for expert, settings in read.items():
        for name, value in settings.items():
            if name not in ("steps", "save_every") and value != chosen.get(name, value):
                found.leave(f"{expert}: {name}", value, f"both experts learn with the same: {chosen[name]}")
    steps = {expert: settings.get("steps", 0) for expert, settings in read.items()}
    total = sum(steps.values()) * (2 if len(read) == 1 else 1)
    if len(read) == 1:
        found.leave("the other expert's config", "not among the files", "both experts learn with these settings, and as many steps each")
    elif total:
        chosen["high_noise_share"] = round(steps["high_noise"] / total, 4) if "high_noise" in steps else 0.5
    for name, value in (("steps", total), ("save_every", 2 * chosen.get("save_every", 0))):
        chosen.pop(name, None)
        chosen |= {name: value} if value else {}
    found.settings |= chosen


def _read_dataset(values, found):
    """Sizes and frames; those of a folder stand over those of the whole."""
    places = [name.removesuffix("path") for name in values.named("path", "directory.")]
    for place in [*places, ""]:
        frames = values.left.pop(f"{place}frame_buckets", None)
        frames = max((as_kind(n, WHOLE) or 1 for n in (frames if isinstance(frames, list) else [])), default=1)
        size = values.take_largest([f"{place}resolutions"] if f"{place}resolutions" in values.left else [])
        if frames > 1:
            enlarge(found, "data.clip_frames", frames)
        sizes = (
            ["data.clip_size" if frames > 1 else "data.photo_size"] if place else ["data.photo_size", "data.clip_size"][: 1 + (frames > 1)]
        )
        for name in sizes if size else []:
            if place or name not in found.settings:
                enlarge(found, name, size)
    values.leave_rest(REASONS)
