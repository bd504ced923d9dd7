"""musubi-tuner: a dataset file, a config for each expert, and the pair under its own key names."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors

from studio.config import TrainConfig
from studio.export.dataset import Group
from studio.export.left_out import NO_PRESERVATION, NOTHING_LIKE_IT, OF_THE_STUDIO, distribution_word
from studio.export.lora_keys import LORA_KEY
from studio.export.source import Source
from studio.export.steps import expert_steps, noise_range
from studio.export.target import Absent, Config, Settings, Target, Words, pairs_of_experts
from studio.export.writing import save_text, to_toml, write_dataset_and_readme

PARTS = {"A": "lora_down", "B": "lora_up"}
OPTIMIZER = "adamw8bit"

README = """Carry on in musubi-tuner
========================

dataset.toml                       the dataset, for both experts
high_noise.toml, low_noise.toml    the settings of each expert; put the files of your base model into the line "dit"
weights/                           the pair, under musubi-tuner's own key names
dataset/                           pictures, clips and captions

Open a terminal in this folder, with musubi-tuner's environment active (SRC is its folder src/musubi_tuner):

1. python SRC/wan_cache_latents.py --dataset_config dataset.toml{cache_option} --vae FILE/OF/wan_2.1_vae.safetensors
2. python SRC/wan_cache_text_encoder_outputs.py --dataset_config dataset.toml --t5 FILE/OF/models_t5_umt5-xxl-enc-bf16.pth --batch_size 16
3. accelerate launch --num_cpu_threads_per_process 1 SRC/wan_train_network.py --config_file high_noise.toml
4. the same with low_noise.toml
{notes}"""

SETTINGS = Settings(
    distribution="sigmoid",
    words={"optimizer.name": Words(called={"adamw8bit": OPTIMIZER}, nearest=OPTIMIZER)},
    written=frozenset(
        (
            *("steps", "save_every", "accumulation", "high_noise_share", "seed", "lora.rank", "memory.blocks_swapped"),
            *("optimizer.learning_rate", "optimizer.warmup_steps", "optimizer.max_grad_norm"),
            *("data.photo_size", "data.clip_size", "data.clip_frames"),
        )
    ),
    absent=OF_THE_STUDIO
    | NO_PRESERVATION
    | {
        "optimizer.schedule": Absent("it stays the same in this export", there="constant"),
        "optimizer.prodigy_factor": Absent(f"{OPTIMIZER} is set, which takes the learning rate itself"),
        "optimizer.weight_decay": Absent("this export leaves it as the optimizer has it there"),
        "optimizer.average": Absent(NOTHING_LIKE_IT, there=0.0),
    },
)


def write(source: Source, folder: Path) -> None:
    (folder / "weights").mkdir()
    for expert, path in source.pair.files.items():
        write_lora(path, folder / "weights" / f"{source.name}_{expert}.safetensors")
        save_text(folder / f"{expert}.toml", to_toml(training_config(source, expert)))
    save_text(folder / "dataset.toml", to_toml(dataset_config(source.train, source.groups)))
    write_dataset_and_readme(source, folder, TARGET, README)


# -- configs


def dataset_config(train: TrainConfig, groups: Iterable[Group]) -> Config:
    """One entry a folder, because frame rate and size belong to the folder."""
    general = {"caption_extension": ".txt", "batch_size": 1, "enable_bucket": True, "bucket_no_upscale": True}
    return {"general": general, "datasets": [_folder_config(train, group) for group in groups]}


def _folder_config(train: TrainConfig, group: Group) -> Config:
    clip = group.kind == "clip"
    size = train.data.clip_size if clip else train.data.photo_size
    entry: Config = {
        "resolution": [size, size],
        f"{'video' if clip else 'image'}_directory": f"dataset/{group.name}",
        "cache_directory": f"cache/{group.name}",
    }
    if clip:
        entry |= {"target_frames": [train.data.clip_frames], "frame_extraction": "head", "source_fps": float(group.fps)}
    return entry


def training_config(source: Source, expert: str) -> Config:
    """Arguments of wan_train_network.py for one expert, as its --config_file takes them."""
    train = source.train
    return _model_config(source, expert) | {
        "optimizer_type": OPTIMIZER,
        "learning_rate": train.optimizer.learning_rate,
        "lr_warmup_steps": train.optimizer.warmup_steps,
        "max_grad_norm": train.optimizer.max_grad_norm,
        "network_module": "networks.lora_wan",
        "network_dim": source.rank,
        "network_alpha": source.rank,
        "network_weights": f"weights/{source.name}_{expert}.safetensors",
        **_noise_config(source, expert),
        "max_train_steps": expert_steps(train, expert),
        "save_every_n_steps": max(1, train.save_every // 2),
        "seed": train.seed,
        "output_dir": "output",
        "output_name": f"{source.name}_{expert}",
    }


def _model_config(source: Source, expert: str) -> Config:
    kind = "i2v" if source.first_picture else "t2v"
    return {
        "task": f"{kind}-A14B",
        "dit": f"FILE/OF/wan2.2_{kind}_{expert}_14B_fp16.safetensors",
        "dataset_config": "dataset.toml",
        "sdpa": True,
        "mixed_precision": "fp16",
        "fp8_base": True,
        "gradient_checkpointing": True,
        "gradient_accumulation_steps": source.train.accumulation,
        "blocks_to_swap": source.train.memory.blocks_swapped,
    }


def _noise_config(source: Source, expert: str) -> Config:
    low, high = noise_range(expert, source.boundary)
    word = distribution_word(source.train, "musubi", SETTINGS)
    return {
        "timestep_sampling": word,
        "discrete_flow_shift": source.train.timesteps.shift if word == "shift" else 1.0,
        "min_timestep": round(low * 1000),
        "max_timestep": round(high * 1000),
        "preserve_distribution_shape": True,
    }


def is_musubi(name: str, data: Config) -> bool:
    return "network_module" in data or "datasets" in data


# -- the LoRA files


@dataclass(frozen=True)
class Stored:
    """A tensor as safetensors stores it."""

    dtype: str
    shape: tuple[int, ...]
    data: bytes


def write_lora(source: Path, target: Path) -> None:
    """The same numbers under kohya's names, byte for byte, with alpha == rank for every layer."""
    tensors: dict[str, Any] = dict(safetensors.deserialize(source.read_bytes()))
    renamed = {}
    for key in sorted(tensors):
        tensor = Stored(tensors[key]["dtype"], tuple(tensors[key]["shape"]), bytes(tensors[key]["data"]))
        layer, part = _kohya_name(key)
        renamed[f"{layer}.{PARTS[part]}.weight"] = tensor
        if part == "A":
            renamed[f"{layer}.alpha"] = Stored("F32", (), struct.pack("<f", tensor.shape[0]))
    target.write_bytes(_serialize(renamed))


def _kohya_name(key: str) -> tuple[str, str]:
    """(name of the layer, "A" or "B")."""
    match = LORA_KEY.fullmatch(key)
    assert match, key  # check_lora came first
    layer = key.removeprefix("diffusion_model.").rsplit(".lora_", 1)[0]
    return "lora_unet_" + layer.replace(".", "_"), match["part"]


def _serialize(tensors: Mapping[str, Stored]) -> bytes:
    """safetensors: length of the header, header, numbers."""
    header: Config = {"__metadata__": {"format": "pt"}}
    position = 0
    for key, tensor in tensors.items():
        end = position + len(tensor.data)
        header[key] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [position, end]}
        position = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(tensor.data for tensor in tensors.values())


TARGET = Target(
    name="musubi",
    title="musubi-tuner",
    writes="a config for each expert, one of the dataset, the pair under its own key names, and the dataset",
    version=2,
    write=write,
    serves=pairs_of_experts,
    dataset="always",
    settings=SETTINGS,
    recognises=is_musubi,
)
