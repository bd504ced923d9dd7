"""musubi-tuner: a dataset file, a config for each expert, and the pair under its own key names. Names as in its documents and its own reader."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors

from studio.config import TrainConfig
from studio.export.dataset_copy import Group
from studio.export.left_out import NO_PRESERVATION, NOTHING_LIKE_IT, OF_THE_STUDIO, distribution_word, parameter
from studio.export.lora_keys import LORA_KEY
from studio.export.promises.musubi import promise
from studio.export.reading.musubi import is_musubi, read_files
from studio.export.readme import kind_words
from studio.export.scripts import Scripts
from studio.export.source import Source
from studio.export.steps import expert_steps, learning_rate, noise_range, save_interval, trained_experts
from studio.export.target import Absent, Config, Reader, Settings, Target, Words, pairs_of_experts
from studio.export.writing import finish_folder, save_text, to_toml

PARTS = {"A": "lora_down", "B": "lora_up"}
MOST_SWAPPED = 39  # WanModel.enable_block_swap: one of 40 blocks stays

README = """Carry on in musubi-tuner
========================

dataset.toml                       the dataset, for both experts
high_noise.toml, low_noise.toml    the settings of each expert
start.sh, start.bat                encode the dataset once, then train one expert after the other
weights/                           the pair, under musubi-tuner's own key names
dataset/                           pictures, clips at 16 frames a second, and captions

Linux, macOS:  sh start.sh "FOLDER/OF/musubi-tuner" "FOLDER/OF/THE/MODEL/FILES"
Windows:       start.bat "FOLDER\\OF\\musubi-tuner" "FOLDER\\OF\\THE\\MODEL\\FILES"

The second folder holds {files},
wan_2.1_vae.safetensors and models_t5_umt5-xxl-enc-bf16.pth. Have the environment of musubi-tuner active.
{optimizer}{notes}"""
NEEDS_PRODIGY = "Prodigy is no part of musubi-tuner: install it in its environment with pip install prodigyopt.\n"

SCRIPTS = Scripts(
    program="musubi-tuner",
    usage="FOLDER/OF/musubi-tuner FOLDER/OF/THE/MODEL/FILES",
    sh="""src="$place/src/musubi_tuner"
[ -f "$src/wan_train_network.py" ] || fail "Name the folder of musubi-tuner, in which src lies: sh start.sh FOLDER MODEL_FILES"
[ -f "$files/wan_2.1_vae.safetensors" ] || fail "Name the folder in which wan_2.1_vae.safetensors lies: sh start.sh FOLDER MODEL_FILES"
python=python3
for own in "$place/venv/bin/python" "$place/.venv/bin/python"; do [ -x "$own" ] && python="$own"; done
"$python" "$src/wan_cache_latents.py" --dataset_config dataset.toml --vae "$files/wan_2.1_vae.safetensors"@CACHE@
"$python" "$src/wan_cache_text_encoder_outputs.py" --dataset_config dataset.toml --t5 "$files/models_t5_umt5-xxl-enc-bf16.pth" --batch_size 16
for expert in high_noise low_noise; do
  [ -f "$expert.toml" ] || continue
  "$python" -m accelerate.commands.launch --num_cpu_threads_per_process 1 "$src/wan_train_network.py" --config_file "$expert.toml" \\
    --dit "$files/wan2.2_@KIND@_${expert}_14B_fp16.safetensors"
done
""",
    bat="""set "src=%place%\\src\\musubi_tuner"
if not exist "%src%\\wan_train_network.py" (
  echo Name the folder of musubi-tuner, in which src lies: start.bat FOLDER MODEL_FILES
  exit /b 2
)
if not exist "%files%\\wan_2.1_vae.safetensors" (
  echo Name the folder in which wan_2.1_vae.safetensors lies: start.bat FOLDER MODEL_FILES
  exit /b 2
)
set "python=python"
if exist "%place%\\venv\\Scripts\\python.exe" set "python=%place%\\venv\\Scripts\\python.exe"
if exist "%place%\\.venv\\Scripts\\python.exe" set "python=%place%\\.venv\\Scripts\\python.exe"
"%python%" "%src%\\wan_cache_latents.py" --dataset_config dataset.toml --vae "%files%\\wan_2.1_vae.safetensors"@CACHE@
if not %errorlevel%==0 exit /b 1
"%python%" "%src%\\wan_cache_text_encoder_outputs.py" --dataset_config dataset.toml --t5 "%files%\\models_t5_umt5-xxl-enc-bf16.pth" --batch_size 16
if not %errorlevel%==0 exit /b 1
if exist high_noise.toml call :train high_noise
if not %errorlevel%==0 exit /b 1
if exist low_noise.toml call :train low_noise
if not %errorlevel%==0 exit /b 1
exit /b 0
:train
"%python%" -m accelerate.commands.launch --num_cpu_threads_per_process 1 "%src%\\wan_train_network.py" --config_file "%1.toml" --dit "%files%\\wan2.2_@KIND@_%1_14B_fp16.safetensors"
exit /b %errorlevel%
""",
)


def _conditions(train: TrainConfig) -> Mapping[str, str]:
    """What depends on more than one setting."""
    if train.memory.inputs_in_ram and not train.memory.gradient_checkpointing:
        return {"memory.inputs_in_ram": "it does that only where memory is saved by computing again"}
    return {}


SETTINGS = Settings(
    distribution="sigmoid",
    words={
        "optimizer.name": Words(
            called={"adamw": "AdamW", "adamw8bit": "AdamW8bit", "adafactor": "Adafactor", "prodigy": "prodigyopt.Prodigy"}, nearest="AdamW"
        ),
        "memory.precision": Words(called={"bf16": "", "fp8": "fp8"}, nearest="fp8", why={"fp32": "it is 16 bits in this export"}),
    },
    written=frozenset(
        (
            *("steps", "save_every", "accumulation", "high_noise_share", "seed", "lora.rank", "optimizer.learning_rate"),
            *("optimizer.prodigy_factor", "optimizer.schedule", "optimizer.warmup_steps", "optimizer.weight_decay"),
            *("optimizer.max_grad_norm", "data.photo_size", "data.clip_size", "data.clip_frames"),
            *("memory.blocks_swapped", "memory.gradient_checkpointing", "memory.inputs_in_ram", "memory.compile_blocks"),
        )
    ),
    absent=OF_THE_STUDIO
    | NO_PRESERVATION
    | {
        "lora.precision": Absent("it keeps the LoRA in fp32", there="fp32"),
        "optimizer.average": Absent(NOTHING_LIKE_IT, there=0.0),
    },
    most={"memory.blocks_swapped": MOST_SWAPPED},
    besides=_conditions,
)


def write(source: Source, folder: Path) -> None:
    (folder / "weights").mkdir()
    for expert, path in source.pair.files.items():
        write_lora(path, folder / "weights" / f"{source.name}_{expert}.safetensors")
    for expert in trained_experts(source.train):
        save_text(folder / f"{expert}.toml", to_toml(training_config(source, expert)))
    save_text(folder / "dataset.toml", to_toml(dataset_config(source.train, source.groups)))
    files = " and ".join(model_file(source, expert) for expert in trained_experts(source.train))
    readme = README.replace("{files}", files).replace("{optimizer}", NEEDS_PRODIGY if source.train.optimizer.name == "prodigy" else "")
    finish_folder(source, folder, TARGET, readme, _scripts(source))


def model_file(source: Source, expert: str) -> str:
    return f"wan2.2_{_kind(source)}_{expert}_14B_fp16.safetensors"


def _kind(source: Source) -> str:
    return "i2v" if source.first_picture else "t2v"


def _scripts(source: Source) -> Scripts:
    sh, bat = (
        text.replace("@CACHE@", kind_words(source).cache_option).replace("@KIND@", _kind(source)) for text in (SCRIPTS.sh, SCRIPTS.bat)
    )
    return Scripts(program=SCRIPTS.program, usage=SCRIPTS.usage, sh=sh, bat=bat)


# -- configs


def dataset_config(train: TrainConfig, groups: Iterable[Group]) -> Config:
    """One entry a folder, because length and size belong to the folder."""
    general = {"caption_extension": ".txt", "batch_size": 1, "enable_bucket": True, "bucket_no_upscale": True}
    return {"general": general, "datasets": [_folder_config(train, group) for group in groups]}


def _folder_config(train: TrainConfig, group: Group) -> Config:
    """Clips of a folder have exactly the length that is asked for: what is shorter is skipped there. As every item is repeated for each
    picture of a step, no step at the end of an epoch averages fewer."""
    entry: Config = {
        "resolution": [group.size(train), group.size(train)],
        f"{'video' if group.is_clip else 'image'}_directory": f"dataset/{group.name}",
        "cache_directory": f"cache/{group.name}",
        "num_repeats": train.accumulation,
    }
    if group.is_clip:
        entry |= {"target_frames": [group.num_frames], "frame_extraction": "head", "source_fps": group.fps}
    return entry


def training_config(source: Source, expert: str) -> Config:
    """Arguments of wan_train_network.py for one expert, as its --config_file takes them."""
    train = source.train
    return _model_config(source, expert) | {
        **_optimizer_config(train),
        "max_grad_norm": train.optimizer.max_grad_norm,
        "network_module": "networks.lora_wan",
        "network_dim": source.rank,
        "network_alpha": source.rank,
        "network_weights": f"weights/{source.name}_{expert}.safetensors",
        **_noise_config(source, expert),
        "max_train_steps": expert_steps(train, expert),
        "save_every_n_steps": save_interval(train, expert),
        "seed": train.seed,
        "output_dir": "output",
        "output_name": f"{source.name}_{expert}",
    }


def _optimizer_config(train: TrainConfig) -> Config:
    """Its course "constant" refuses a gentle start: that is a course of its own."""
    optimizer = train.optimizer
    arguments = [f"weight_decay={optimizer.weight_decay}"]
    if optimizer.name == "adafactor":
        arguments += ["relative_step=False", "scale_parameter=False", "warmup_init=False"]
    warm = optimizer.schedule == "constant" and optimizer.warmup_steps > 0
    return {
        "optimizer_type": SETTINGS.words["optimizer.name"].word(optimizer.name),
        "optimizer_args": arguments,
        "learning_rate": learning_rate(optimizer),
        "lr_scheduler": "constant_with_warmup" if warm else optimizer.schedule,
        "lr_warmup_steps": optimizer.warmup_steps,
    }


def _model_config(source: Source, expert: str) -> Config:
    memory = source.train.memory
    eight_bits = bool(SETTINGS.words["memory.precision"].word(memory.precision))
    return {
        "task": f"{_kind(source)}-A14B",
        "dit": f"FILE/OF/{model_file(source, expert)}",
        "dataset_config": "dataset.toml",
        "sdpa": True,
        "mixed_precision": "fp16",  # as the files of the base model are
        "fp8_base": eight_bits,
        "fp8_scaled": eight_bits,
        "gradient_checkpointing": memory.gradient_checkpointing,
        "gradient_checkpointing_cpu_offload": memory.gradient_checkpointing and memory.inputs_in_ram,
        "gradient_accumulation_steps": source.train.accumulation,
        "blocks_to_swap": min(memory.blocks_swapped, MOST_SWAPPED),
        "compile": memory.compile_blocks,
    }


def _noise_config(source: Source, expert: str) -> Config:
    low, high = noise_range(expert, source.boundary)
    return {
        "timestep_sampling": distribution_word(source.train, "musubi", SETTINGS),
        "discrete_flow_shift": parameter(source.train, "musubi", "shift", 1.0),
        "sigmoid_scale": parameter(source.train, "musubi", "scale", 1.0),
        "min_timestep": round(low * 1000),
        "max_timestep": round(high * 1000),
        "preserve_distribution_shape": True,
    }


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
    writes="a config for each expert, one of the dataset, start scripts, the pair under its own key names, and the dataset",
    version=4,
    write=write,
    serves=pairs_of_experts,
    dataset="always",
    settings=SETTINGS,
    recognises=is_musubi,
    reader=Reader(files="musubi-tuner's .toml files, or the .sh or .bat that starts it", read=read_files),
    private="your photos, clips and captions, and the LoRA files, which can draw the person.",
    promise=promise,
)
