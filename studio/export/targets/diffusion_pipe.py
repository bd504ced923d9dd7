"""diffusion-pipe: a config for each expert and one of the dataset. Names as in its examples and its own reader."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from studio.config import TrainConfig
from studio.export.dataset_copy import Group
from studio.export.left_out import NO_PRESERVATION, NOTHING_LIKE_IT, OF_THE_STUDIO, distribution_word, parameter
from studio.export.promises.diffusion_pipe import promise
from studio.export.reading.diffusion_pipe import is_diffusion_pipe, read_files
from studio.export.scripts import Scripts
from studio.export.source import Source
from studio.export.steps import expert_steps, learning_rate, noise_range, save_interval, trained_experts
from studio.export.target import Absent, Config, Reader, Settings, Target, Words, pairs_of_experts
from studio.export.writing import finish_folder, save_text, to_toml

MOST_SWAPPED = 38  # WanPipeline.enable_block_swap: two of 40 blocks stay
SHAPE_STEP = 0.05  # of the logarithm of width / height, within which pictures share a bucket
BASE = "FOLDER/OF"

README = """Carry on in diffusion-pipe
==========================

dataset.toml                       the dataset, for both experts
high_noise.toml, low_noise.toml    one config for each expert
start.sh, start.bat                train one expert after the other; start.bat does it in WSL, as diffusion-pipe needs Linux
lora_high_noise/, lora_low_noise/  the pair, one file in each folder
dataset/                           pictures, clips at 16 frames a second, and captions

Linux:    sh start.sh "FOLDER/OF/diffusion-pipe" "FOLDER/OF/{base}"
Windows:  start.bat "/home/you/diffusion-pipe" "/mnt/d/models/{base}"     (folders as WSL names them)

The second folder is WAN's original repository, with its text encoder, its VAE, and the folders high_noise_model and low_noise_model.
diffusion-pipe leaves out what does not fill its groups of gradient_accumulation_steps pictures of one shape and length: num_repeats is that
number, so that every group is filled. It counts epochs: they are as many as make up max_steps, at which it ends.
{notes}"""

SCRIPTS = Scripts(
    program="diffusion-pipe",
    usage="FOLDER/OF/diffusion-pipe FOLDER/OF/THE/BASE/MODEL",
    sh="""[ -f "$place/train.py" ] || fail "Name the folder of diffusion-pipe, in which train.py lies: sh start.sh FOLDER BASE_MODEL"
[ -d "$files/low_noise_model" ] || fail "Name the folder of the base model, in which low_noise_model lies: sh start.sh FOLDER BASE_MODEL"
mkdir -p started
safe=$(printf '%s' "$files" | sed 's/[\\&|]/\\\\&/g')
for config in high_noise low_noise; do
  [ -f "$config.toml" ] || continue
  sed "s|FOLDER/OF/Wan2.2-[A-Z0-9]*-A14B|$safe|" "$config.toml" > "started/$config.toml"
  deepspeed --num_gpus=1 "$place/train.py" --deepspeed --config "started/$config.toml"
done
""",
    bat="""where wsl >nul 2>nul
if errorlevel 1 (
  echo diffusion-pipe needs Linux. Install WSL with: wsl --install
  exit /b 2
)
wsl sh ./start.sh %*
exit /b %errorlevel%
""",
)


def _conditions(train: TrainConfig) -> Mapping[str, str]:
    """What depends on more than one setting."""
    found = {}
    if train.memory.inputs_in_ram and not train.memory.gradient_checkpointing:
        found["memory.inputs_in_ram"] = "it does that only where memory is saved by computing again"
    if train.optimizer.name == "adafactor":
        found["optimizer.name"] = "it is AdaFactor there, which keeps a momentum besides"
    return found


SETTINGS = Settings(
    distribution="logit_normal",
    words={
        "optimizer.name": Words(
            called={"adamw": "adamw_optimi", "adamw8bit": "adamw8bit", "prodigy": "Prodigy", "adafactor": "AdaFactor"},
            nearest="adamw_optimi",
        ),
        "lora.precision": Words(called={"fp32": "float32", "bf16": "bfloat16"}, nearest="float32"),
        "memory.precision": Words(called={"fp32": "float32", "bf16": "bfloat16", "fp8": "float8"}, nearest="float8"),
    },
    written=frozenset(
        (
            *("steps", "save_every", "accumulation", "high_noise_share", "lora.rank", "optimizer.learning_rate"),
            *("optimizer.prodigy_factor", "optimizer.schedule", "optimizer.warmup_steps", "optimizer.weight_decay"),
            *("optimizer.max_grad_norm", "data.photo_size", "data.clip_size", "data.clip_frames"),
            *("memory.blocks_swapped", "memory.gradient_checkpointing", "memory.inputs_in_ram", "memory.compile_blocks"),
        )
    ),
    absent=OF_THE_STUDIO
    | NO_PRESERVATION
    | {"optimizer.average": Absent(NOTHING_LIKE_IT, there=0.0), "seed": Absent("it draws its noise anew in every run")},
    most={"memory.blocks_swapped": MOST_SWAPPED},
    besides=_conditions,
)


def write(source: Source, folder: Path) -> None:
    for expert, path in source.pair.files.items():
        (folder / f"lora_{expert}").mkdir()
        shutil.copyfile(path, folder / f"lora_{expert}" / "adapter_model.safetensors")
    for expert in trained_experts(source.train):
        save_text(folder / f"{expert}.toml", to_toml(training_config(source, expert)))
    save_text(folder / "dataset.toml", to_toml(dataset_config(source)))
    finish_folder(source, folder, TARGET, README.replace("{base}", base_folder(source)), SCRIPTS)


def base_folder(source: Source) -> str:
    return "Wan2.2-I2V-A14B" if source.first_picture else "Wan2.2-T2V-A14B"


# -- configs


def dataset_config(source: Source) -> Config:
    folders = [_folder_config(source, group) for group in source.groups]
    return {"resolutions": [source.train.data.photo_size], "enable_ar_bucket": True, "frame_buckets": [1], "directory": folders}


def _folder_config(source: Source, group: Group) -> Config:
    """The folder's own shapes and its one length; num_repeats fills every group, whatever the number of items."""
    return {
        "path": f"dataset/{group.name}",
        "num_repeats": source.train.accumulation,
        "resolutions": [group.size(source.train)],
        "ar_buckets": shapes_of(group),
        "frame_buckets": [group.num_frames],
    }


def shapes_of(group: Group) -> list[float]:
    """Width / height of its items, so that hardly anything is cut off; they share a bucket if nearly equal."""
    ratios: Iterable[float] = (item.width / item.height for item in group.items if item.width and item.height)
    return sorted({round(math.exp(round(math.log(ratio) / SHAPE_STEP) * SHAPE_STEP), 3) for ratio in ratios}) or [1.0]


def training_config(source: Source, expert: str) -> Config:
    """For one expert. An epoch takes as many steps as there are items, as each is repeated for every picture of a step."""
    train, steps = source.train, expert_steps(source.train, expert)
    return {
        "output_dir": f"output/{expert}",
        "dataset": "dataset.toml",
        "epochs": math.ceil(steps / max(1, source.num_items)),
        "max_steps": steps,
        "micro_batch_size_per_gpu": 1,
        "pipeline_stages": 1,
        "gradient_accumulation_steps": train.accumulation,
        "gradient_clipping": train.optimizer.max_grad_norm,
        "warmup_steps": train.optimizer.warmup_steps,
        "lr_scheduler": train.optimizer.schedule,
        "blocks_to_swap": min(train.memory.blocks_swapped, MOST_SWAPPED),
        "save_every_n_steps": save_interval(train, expert),
        "checkpoint_every_n_minutes": 120,
        "activation_checkpointing": _checkpointing(train),
        "compile": train.memory.compile_blocks,
        "save_dtype": "bfloat16",
        "caching_batch_size": 1,
        "video_clip_mode": "single_beginning",
        "model": _model_config(source, expert),
        "adapter": {
            "type": "lora",
            "rank": source.rank,
            "dtype": _word(train.lora.precision, "lora.precision"),
            "init_from_existing": f"lora_{expert}",
        },
        "optimizer": _optimizer_config(train),
    }


def _word(choice: str, name: str) -> str:
    return SETTINGS.words[name].word(choice)


def _checkpointing(train: TrainConfig) -> bool | str:
    """ "unsloth" lets what the way back needs wait in RAM."""
    if not train.memory.gradient_checkpointing:
        return False
    return "unsloth" if train.memory.inputs_in_ram else True


def _model_config(source: Source, expert: str) -> Config:
    train, base = source.train, f"{BASE}/{base_folder(source)}"
    low, high = noise_range(expert, source.boundary)
    config: Config = {
        "type": "wan",
        "ckpt_path": base,
        "transformer_path": f"{base}/{expert}_model",
        "dtype": "bfloat16",
        "transformer_dtype": _word(train.memory.precision, "memory.precision"),
        "timestep_sample_method": distribution_word(train, "diffusion-pipe", SETTINGS),
        "sigmoid_scale": parameter(train, "diffusion-pipe", "scale", 1.0),
        "min_t": low,
        "max_t": high,
    }
    shift = parameter(train, "diffusion-pipe", "shift", 1.0)
    return config if shift == 1 else config | {"shift": shift}


def _optimizer_config(train: TrainConfig) -> Config:
    config: Config = {
        "type": _word(train.optimizer.name, "optimizer.name"),
        "lr": learning_rate(train.optimizer),
        "betas": [0.9, 0.999],
        "weight_decay": train.optimizer.weight_decay,
    }
    if train.optimizer.name == "adafactor":
        return config | {"scale_parameter": False, "relative_step": False}
    return config | {"eps": 1e-8}


TARGET = Target(
    name="diffusion-pipe",
    title="diffusion-pipe",
    writes="a config for each expert, one of the dataset, start scripts, the pair, and the dataset",
    version=3,
    write=write,
    serves=pairs_of_experts,
    dataset="always",
    settings=SETTINGS,
    recognises=is_diffusion_pipe,
    reader=Reader(files="diffusion-pipe's .toml files: those of both experts and the one of the dataset", read=read_files),
    private="your photos, clips and captions, and the LoRA files, which can draw the person.",
    promise=promise,
)
