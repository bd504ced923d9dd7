"""AI Toolkit's job file: which of its values mean a setting here. Names as in its examples and its own reader."""

from studio.config import EXPERTS, OPTIMIZERS
from studio.export.foreign_values import BY_ITSELF, NUMBER, WHOLE, YES_NO, Values, enlarge

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
    "train.timestep_type": ("timesteps.distribution", {"sigmoid": "sigmoid", "linear": "uniform", "shift": "shift"}),
    "train.optimizer": ("optimizer.name", {name: name for name in OPTIMIZERS}),
    "train.lr_scheduler": ("optimizer.schedule", {"constant": "constant", "cosine": "cosine"}),
}
REASONS = {
    "type": BY_ITSELF,
    "training_folder": "the studio has its own folders",
    "device": BY_ITSELF,
    "trigger_word": "the trigger is the project's, on the Dataset tab",
    "network": "the LoRA covers the same layers in every run here",
    "save.dtype": BY_ITSELF,
    "save.max_step_saves_to_keep": "every pair is kept; delete what you don't want",
    "datasets.folder_path": "import what is in it on the Dataset tab",
    "datasets.caption_ext": "captions are .txt files beside the photos",
    "datasets.caption_dropout_rate": "captions are never left out here",
    "train.train_unet": BY_ITSELF,
    "train.train_text_encoder": "the text encoder is never trained here",
    "train.noise_scheduler": "WAN is always trained by flow matching",
    "train.dtype": BY_ITSELF,
    "train.switch_boundary_every": "an expert's turn lasts until the next save: fewer loads, the same steps",
    "train.diff_output_preservation_class": "the class word is the project's, on the Dataset tab",
    "train.cache_text_embeddings": "texts are always encoded once and kept",
    "train.unload_text_encoder": "texts are always encoded once and kept",
    "train.disable_sampling": "test clips are drawn on the Evaluate tab",
    "train.skip_first_sample": "test clips are drawn on the Evaluate tab",
    "model": "the base model is the project's; how it fits the GPU is planned for this computer",
    "sample": "test clips are drawn on the Evaluate tab",
}


def read_ai_toolkit(data, found):
    processes = data["config"]["process"]
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
    for theirs, (ours, table) in CHOICES.items():
        if (chosen := values.take_choice(theirs, table)) is not None:
            found.settings[ours] = chosen
    if found.settings.get("preservation.enabled"):
        found.settings |= {"preservation.every": 1, "preservation.pictures": 0}  # as it protects: at each of the own photos
    _take_average(values)
    values.take_kind_of_network("network.type")
    _take_sizes(values, [name.removesuffix("folder_path") for name in values.named("folder_path", "datasets.")])
    trained = {expert: values.take(f"model.model_kwargs.train_{expert}", YES_NO, True) for expert in EXPERTS}
    if trained["high_noise"] != trained["low_noise"]:
        found.settings["high_noise_share"] = float(trained["high_noise"])
    values.leave_rest(REASONS)


def _take_average(values):
    used, decay = values.take("train.ema_config.use_ema", YES_NO, False), values.take("train.ema_config.ema_decay", NUMBER, 0.99)
    if used:
        values.found.settings["optimizer.average"] = decay


def _take_sizes(values, datasets):
    """Sizes of photos and clips, the largest of each; a dataset of one frame is of photos."""
    for dataset in datasets:
        frames = values.take(f"{dataset}num_frames", WHOLE, 1)
        size = values.take_largest(values.named("resolution", dataset))
        if frames > 1:
            enlarge(values.found, "data.clip_frames", frames)
        if size:
            enlarge(values.found, "data.clip_size" if frames > 1 else "data.photo_size", size)
