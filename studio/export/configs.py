"""Configs for other trainers, as nested dicts, from the settings a pair was trained with; and the two text forms they come in."""

import json
import math
import tomllib

import yaml

from studio.config import EXPERTS
from studio.project_facts import Person

FPS = 16  # what WAN draws and was trained at
RANGES = dict(zip(EXPERTS, (lambda boundary: (boundary, 1.0), lambda boundary: (0.0, boundary)), strict=True))
PIPE_OPTIMIZERS = {"adamw8bit": "adamw8bit", "prodigy": "Prodigy"}
NAMES = {  # of WAN 2.2 A14B in the other trainers, by whether it draws from a first picture
    False: {"base": "Wan2.2-T2V-A14B", "kind": "t2v", "arch": "wan22_14b"},
    True: {"base": "Wan2.2-I2V-A14B", "kind": "i2v", "arch": "wan22_14b_i2v"},
}


def ai_toolkit_config(name, train, project_data: Person, groups, first_picture=False):
    """AI Toolkit's job: one process that trains both experts, continuing from output/<name>."""
    preservation = train.preservation
    datasets = [
        {
            "folder_path": f"dataset/{group.name}",
            "caption_ext": "txt",
            "num_frames": train.data.clip_frames if group.kind == "clip" else 1,
            "resolution": [train.data.clip_size if group.kind == "clip" else train.data.photo_size],
        }
        | ({"shrink_video_to_frames": False, "fps": FPS} if group.kind == "clip" else {})
        for group in groups
    ]
    process = {
        "type": "sd_trainer",
        "training_folder": "output",
        "device": "cuda:0",
        "trigger_word": project_data.trigger,
        "network": {"type": "lora", "linear": train.lora.rank, "linear_alpha": train.lora.rank},
        "save": {"dtype": "float16", "save_every": train.save_every, "max_step_saves_to_keep": 100},
        "datasets": datasets,
        "train": {
            "steps": train.steps,
            "batch_size": 1,
            "gradient_accumulation": train.accumulation,
            "train_unet": True,
            "train_text_encoder": False,
            "gradient_checkpointing": True,
            "noise_scheduler": "flowmatch",
            "timestep_type": {"uniform": "linear", "shift": "shift"}.get(train.timesteps.distribution, "sigmoid"),
            "optimizer": train.optimizer.name,
            "lr": _learning_rate(train.optimizer),
            "lr_scheduler": train.optimizer.schedule,
            "optimizer_params": {"weight_decay": train.optimizer.weight_decay},
            "max_grad_norm": train.optimizer.max_grad_norm,
            "dtype": "bf16",
            "switch_boundary_every": max(1, train.save_every // 2),
            "ema_config": {"use_ema": train.optimizer.average > 0, "ema_decay": train.optimizer.average or 0.99},
            "diff_output_preservation": preservation.enabled,
            "diff_output_preservation_class": project_data.class_noun,
            "diff_output_preservation_multiplier": preservation.multiplier,
            "cache_text_embeddings": not preservation.enabled,
            "disable_sampling": True,
        },
        "model": {
            "name_or_path": f"ai-toolkit/{NAMES[first_picture]['base']}-Diffusers-bf16",
            "arch": NAMES[first_picture]["arch"],
            "quantize": True,
            "qtype": "qfloat8",
            "quantize_te": True,
            "qtype_te": "qfloat8",
            "low_vram": True,
            "model_kwargs": {"train_high_noise": True, "train_low_noise": True},
        },
    }
    return {"job": "extension", "config": {"name": name, "process": [process]}, "meta": {"name": "[name]", "version": "1.0"}}


def musubi_dataset(train, groups):
    """musubi-tuner's dataset file; one entry a folder, because frame rate and size belong to the folder."""
    entries = []
    for group in groups:
        clip = group.kind == "clip"
        size = train.data.clip_size if clip else train.data.photo_size
        entry = {
            "resolution": [size, size],
            f"{'video' if clip else 'image'}_directory": f"dataset/{group.name}",
            "cache_directory": f"cache/{group.name}",
        }
        if clip:
            entry |= {"target_frames": [train.data.clip_frames], "frame_extraction": "head", "source_fps": float(group.fps)}
        entries.append(entry)
    general = {"caption_extension": ".txt", "batch_size": 1, "enable_bucket": True, "bucket_no_upscale": True}
    return {"general": general, "datasets": entries}


def musubi_training(expert, name, train, boundary, rank, first_picture=False):
    """Arguments of wan_train_network.py for one expert, as its --config_file takes them."""
    low, high = RANGES[expert](boundary)
    kind = NAMES[first_picture]["kind"]
    return {
        "task": f"{kind}-A14B",
        "dit": f"FILE/OF/wan2.2_{kind}_{expert}_14B_fp16.safetensors",
        "dataset_config": "dataset.toml",
        "sdpa": True,
        "mixed_precision": "fp16",
        "fp8_base": True,
        "gradient_checkpointing": True,
        "gradient_accumulation_steps": train.accumulation,
        "blocks_to_swap": train.memory.blocks_swapped,
        "optimizer_type": "adamw8bit",
        "learning_rate": train.optimizer.learning_rate,
        "lr_warmup_steps": train.optimizer.warmup_steps,
        "max_grad_norm": train.optimizer.max_grad_norm,
        "network_module": "networks.lora_wan",
        "network_dim": rank,
        "network_alpha": rank,
        "network_weights": f"weights/{name}_{expert}.safetensors",
        "timestep_sampling": {"uniform": "uniform", "shift": "shift"}.get(train.timesteps.distribution, "sigmoid"),
        "discrete_flow_shift": train.timesteps.shift if train.timesteps.distribution == "shift" else 1.0,
        "min_timestep": round(low * 1000),
        "max_timestep": round(high * 1000),
        "preserve_distribution_shape": True,
        "max_train_steps": expert_steps(train, expert),
        "save_every_n_steps": max(1, train.save_every // 2),
        "seed": train.seed,
        "output_dir": "output",
        "output_name": f"{name}_{expert}",
    }


def diffusion_pipe_dataset(train, groups, first_picture=False):
    """first_picture: single pictures among clips are then an error there."""
    directories = [
        {
            "path": f"dataset/{group.name}",
            "num_repeats": 1,
            "resolutions": [train.data.clip_size if group.kind == "clip" else train.data.photo_size],
            "frame_buckets": [1, train.data.clip_frames][first_picture:] if group.kind == "clip" else [1],
        }
        for group in groups
    ]
    bounds = {"enable_ar_bucket": True, "min_ar": 0.5, "max_ar": 2.0, "num_ar_buckets": 7}
    return {"resolutions": [train.data.photo_size], **bounds, "frame_buckets": [1], "directory": directories}


def diffusion_pipe_training(expert, train, boundary, rank, num_items, first_picture=False):
    """diffusion-pipe's config for one expert. It counts epochs: enough of them for the same number of steps."""
    low, high = RANGES[expert](boundary)
    base = f"FOLDER/OF/{NAMES[first_picture]['base']}"
    steps_an_epoch = max(1, num_items // train.accumulation)
    return {
        "output_dir": f"output/{expert}",
        "dataset": "dataset.toml",
        "epochs": math.ceil(expert_steps(train, expert) / steps_an_epoch),
        "max_steps": expert_steps(train, expert),
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
        "model": {
            "type": "wan",
            "ckpt_path": base,
            "transformer_path": f"{base}/{expert}_model",
            "dtype": "bfloat16",
            "transformer_dtype": "float8",
            "timestep_sample_method": "uniform" if train.timesteps.distribution == "uniform" else "logit_normal",
            "min_t": low,
            "max_t": high,
        },
        "adapter": {"type": "lora", "rank": rank, "dtype": "bfloat16", "init_from_existing": f"lora_{expert}"},
        "optimizer": {
            "type": PIPE_OPTIMIZERS.get(train.optimizer.name, "adamw_optimi"),
            "lr": _learning_rate(train.optimizer),
            "betas": [0.9, 0.99],
            "weight_decay": train.optimizer.weight_decay,
            "eps": 1e-8,
        },
    }


def _learning_rate(optimizer):
    """Prodigy takes a factor on the learning rate that it finds."""
    return optimizer.prodigy_factor if optimizer.name == "prodigy" else optimizer.learning_rate


def expert_steps(train, expert):
    share = train.share_of(expert)
    return max(1, round(train.steps * share))


def to_toml(data):
    """TOML text of nested dicts, lists and plain values; read back to be sure."""
    text = "\n".join(_toml_lines(data)).lstrip("\n") + "\n"
    assert tomllib.loads(text) == data
    return text


def _toml_lines(data, prefix=""):
    for key, value in data.items():
        if not (isinstance(value, dict) or _is_tables(value)):
            yield f"{key} = {_toml_value(value)}"
    for key, value in data.items():
        if isinstance(value, dict):
            yield from ("", f"[{prefix}{key}]", *_toml_lines(value, f"{prefix}{key}."))
        elif _is_tables(value):
            for table in value:
                yield from ("", f"[[{prefix}{key}]]", *_toml_lines(table, f"{prefix}{key}."))


def _is_tables(value):
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _toml_value(value):
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value)  # TOML's strings, whole numbers and booleans are JSON's


def to_yaml(data):
    """YAML text; read back to be sure."""
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    assert yaml.safe_load(text) == data
    return text
