"""AI Toolkit: one job that trains both experts and continues from the pair. Names as in its examples and its own reader."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from studio.config import EXPERTS, OPTIMIZERS, TrainConfig
from studio.export.dataset_copy import Group
from studio.export.left_out import NOTHING_LIKE_IT, OF_THE_STUDIO, distribution_word
from studio.export.promises.ai_toolkit import promise
from studio.export.reading.ai_toolkit import is_ai_toolkit, read_job
from studio.export.scripts import Scripts
from studio.export.source import Source
from studio.export.steps import learning_rate, turn_steps
from studio.export.target import Absent, Config, Reader, Settings, Target, Words, pairs_of_experts
from studio.export.writing import finish_folder, save_text, to_yaml

FPS = 16  # what WAN draws and was trained at
LEAST_PRODIGY = 0.1  # toolkit/optimizer.py takes 1 in place of less
OWN_PHOTOS_ALONE = "it protects other people at your own photos alone, not at pictures of others: they may change more"

README = """Carry on in AI Toolkit
======================

config.yaml              the job, with the settings of the training run
start.sh, start.bat      start it
dataset/                 pictures, clips at 16 frames a second, and captions
output/{name}/           the pair, under the names from which AI Toolkit continues

Linux, macOS:  sh start.sh "FOLDER/OF/ai-toolkit"
Windows:       start.bat "FOLDER\\OF\\ai-toolkit"

AI Toolkit finds the pair in output/{name} and goes on from it; it counts its steps from zero.
model.name_or_path in config.yaml names the base model that it downloads; put your own folder there if you have one.
Paths in config.yaml are relative to this folder.
{notes}"""

SCRIPTS = Scripts(
    program="AI Toolkit",
    usage="FOLDER/OF/ai-toolkit",
    sh="""[ -f "$place/run.py" ] || fail "Name the folder of AI Toolkit, in which run.py lies: sh start.sh FOLDER"
python=python3
for own in "$place/venv/bin/python" "$place/.venv/bin/python"; do [ -x "$own" ] && python="$own"; done
exec "$python" "$place/run.py" config.yaml
""",
    bat="""if not exist "%place%\\run.py" (
  echo Name the folder of AI Toolkit, in which run.py lies: start.bat FOLDER
  exit /b 2
)
set "python=python"
if exist "%place%\\venv\\Scripts\\python.exe" set "python=%place%\\venv\\Scripts\\python.exe"
if exist "%place%\\.venv\\Scripts\\python.exe" set "python=%place%\\.venv\\Scripts\\python.exe"
"%python%" "%place%\\run.py" config.yaml
exit /b %errorlevel%
""",
)


def _conditions(train: TrainConfig) -> Mapping[str, str]:
    """What depends on more than one setting."""
    found = {}
    if train.high_noise_share not in (0, 0.5, 1):
        found["high_noise_share"] = "both experts get the same number of steps there"
    if train.optimizer.schedule == "cosine" and train.optimizer.warmup_steps:
        found["optimizer.warmup_steps"] = "its cosine course has no gentle start"
    if train.optimizer.name == "prodigy" and train.optimizer.prodigy_factor < LEAST_PRODIGY:
        found["optimizer.prodigy_factor"] = "it takes 1 in place of anything below 0.1"
    if train.optimizer.name == "adafactor":
        found["optimizer.max_grad_norm"] = "it does not limit the gradient with adafactor"
    return found


SETTINGS = Settings(
    distribution="sigmoid",
    words={
        "optimizer.name": Words(called={name: name for name in OPTIMIZERS}, nearest="adamw"),
        "memory.precision": Words(
            called={"bf16": "", "int8": "int8", "fp8": "qfloat8"}, nearest="", why={"fp32": "it is bf16 in this export"}
        ),
    },
    written=frozenset(
        (
            *("steps", "save_every", "accumulation", "seed", "high_noise_share", "lora.rank", "preservation.enabled"),
            *("preservation.multiplier", "optimizer.learning_rate", "optimizer.prodigy_factor", "optimizer.schedule"),
            *("optimizer.weight_decay", "optimizer.warmup_steps", "optimizer.max_grad_norm", "optimizer.average"),
            *("data.photo_size", "data.clip_size", "data.clip_frames"),
            *("memory.blocks_swapped", "memory.gradient_checkpointing", "memory.compile_blocks"),
        )
    ),
    absent=OF_THE_STUDIO
    | {
        "lora.precision": Absent("it keeps the LoRA in fp32", there="fp32"),
        "preservation.every": Absent("it protects at every picture", there=1),
        "preservation.pictures": Absent(OWN_PHOTOS_ALONE, there=0),
        "memory.inputs_in_ram": Absent(NOTHING_LIKE_IT, there=False),
    },
    besides=_conditions,
)


def write(source: Source, folder: Path) -> None:
    """The pair goes where AI Toolkit looks for the last save of a job of that name."""
    output = folder / "output" / source.name
    output.mkdir(parents=True)
    for expert, path in source.pair.files.items():
        shutil.copyfile(path, output / f"{source.name}_{source.pair.step:09d}_{expert}.safetensors")
    save_text(folder / "config.yaml", to_yaml(job_config(source)))
    finish_folder(source, folder, TARGET, README, SCRIPTS)


# -- the job


def job_config(source: Source) -> Config:
    """One process that trains both experts, continuing from output/<name>."""
    train = source.train
    process = {
        "type": "sd_trainer",
        "training_folder": "output",
        "device": "cuda:0",
        "training_seed": train.seed,
        "trigger_word": source.person.trigger,
        "network": {"type": "lora", "linear": train.lora.rank, "linear_alpha": train.lora.rank},
        "save": {"dtype": "float16", "save_every": train.save_every, "max_step_saves_to_keep": 100},
        "datasets": [_folder_config(train, group) for group in source.groups],
        "train": _train_config(train, source.person.class_noun),
        "model": _model_config(source),
    }
    return {"job": "extension", "config": {"name": source.name, "process": [process]}, "meta": {"name": "[name]", "version": "1.0"}}


def _folder_config(train: TrainConfig, group: Group) -> Config:
    """A folder of clips holds clips of one length, at 16 frames a second: it steps by whole frames, and stretches what is shorter."""
    speed = {"shrink_video_to_frames": False, "fps": FPS} if group.is_clip else {}
    size = {"num_frames": group.num_frames, "resolution": [group.size(train)]}
    return {"folder_path": f"dataset/{group.name}", "caption_ext": "txt", **size, **speed}


def _train_config(train: TrainConfig, class_noun: str) -> Config:
    preservation = train.preservation
    return {
        "steps": train.steps,
        "batch_size": 1,
        "gradient_accumulation": train.accumulation,
        "train_unet": True,
        "train_text_encoder": False,
        "gradient_checkpointing": train.memory.gradient_checkpointing,
        "noise_scheduler": "flowmatch",
        "timestep_type": distribution_word(train, "ai-toolkit", SETTINGS),
        **_optimizer_config(train),
        "dtype": "bf16",
        "switch_boundary_every": turn_steps(train) * train.accumulation,  # it counts pictures, not steps
        "diff_output_preservation": preservation.enabled,
        "diff_output_preservation_class": class_noun,
        "diff_output_preservation_multiplier": preservation.multiplier,
        "cache_text_embeddings": not preservation.enabled,
        "disable_sampling": True,
    }


def _optimizer_config(train: TrainConfig) -> Config:
    optimizer = train.optimizer
    warm = optimizer.schedule == "constant" and optimizer.warmup_steps > 0
    course = {"lr_scheduler": "constant_with_warmup", "lr_scheduler_params": {"num_warmup_steps": optimizer.warmup_steps}}
    return {
        "optimizer": SETTINGS.words["optimizer.name"].word(optimizer.name),
        "lr": learning_rate(optimizer),
        "optimizer_params": {"weight_decay": optimizer.weight_decay},
        **(course if warm else {"lr_scheduler": optimizer.schedule}),
        "max_grad_norm": optimizer.max_grad_norm,
        "ema_config": {"use_ema": optimizer.average > 0, "ema_decay": optimizer.average or 0.99},
    }


def _model_config(source: Source) -> Config:
    base, arch = ("Wan2.2-I2V-A14B", "wan22_14b_i2v") if source.first_picture else ("Wan2.2-T2V-A14B", "wan22_14b")
    memory, num_blocks = source.train.memory, source.preset.shape.num_blocks
    qtype = SETTINGS.words["memory.precision"].word(memory.precision)
    config: Config = {
        "name_or_path": f"ai-toolkit/{base}-Diffusers-bf16",
        "arch": arch,
        "quantize": bool(qtype),
        "qtype": qtype or "qfloat8",
        "quantize_te": True,
        "qtype_te": "qfloat8",
        "low_vram": True,
        "compile": memory.compile_blocks,
        "block_compile": memory.compile_blocks,
        "model_kwargs": {f"train_{expert}": source.train.share_of(expert) > 0 for expert in EXPERTS},
    }
    if memory.blocks_swapped:
        config |= {"layer_offloading": True, "layer_offloading_transformer_percent": round(min(1, memory.blocks_swapped / num_blocks), 3)}
    return config


TARGET = Target(
    name="ai-toolkit",
    title="AI Toolkit",
    writes="a job that goes on from the pair, start scripts, the pair where it looks for it, and the dataset",
    version=3,
    write=write,
    serves=pairs_of_experts,
    dataset="always",
    settings=SETTINGS,
    recognises=is_ai_toolkit,
    reader=Reader(files="AI Toolkit's .yaml or .json", read=read_job),
    private="your photos, clips and captions, and the LoRA files, which can draw the person.",
    promise=promise,
)
