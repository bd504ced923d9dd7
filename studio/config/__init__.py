"""Every setting of the studio, defined once: default, limits and help text; forms, presets, TOML and JSON derive from it."""

import copy
import difflib
import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.config.caption_config import CaptionConfig
from studio.config.drawing_config import USUAL_STRENGTH, SweepConfig, guidance_settings
from studio.config.expert_names import EXPERTS
from studio.config.sections import Section, flatten, from_dict, list_settings, merge, nest, setting, to_dict
from studio.doors import member_names

__all__ = [
    "DISTRIBUTIONS",
    "EXPERTS",
    "RENDEZVOUS_FILE",
    "OPTIMIZERS",
    "NUM_KEPT",
    "PRESETS_DIR",
    "USUAL_STRENGTH",
    "CaptionConfig",
    "DataConfig",
    "LoraConfig",
    "MemoryConfig",
    "OptimizerConfig",
    "PreservationConfig",
    "SweepConfig",
    "TimestepConfig",
    "TrainConfig",
    "flatten",
    "from_dict",
    "guidance_settings",
    "list_presets",
    "list_settings",
    "load_preset",
    "merge",
    "nest",
    "share_settings",
    "to_dict",
]

PRESETS_DIR = Path(__file__).resolve().parents[2] / "presets"
# a file each in that folder; their names are enough here, none is imported
DISTRIBUTIONS = member_names(Path(__file__).resolve().parents[1] / "training/step/distributions", first="sigmoid")
# environment variable of a training's processes on one computer: the file in which they find each other
RENDEZVOUS_FILE = "STUDIO_RENDEZVOUS_FILE"
TIME_OF_DAY = re.compile(r"([01]?\d|2[0-3]):[0-5]\d")
NUM_KEPT = 24  # the most photos, and as many clips, that choosing the best ones leaves in a dataset
OPTIMIZERS = ("adamw", "adamw8bit", "prodigy", "adafactor")


@dataclass(frozen=True, kw_only=True)
class LoraConfig(Section):
    rank: int = setting(
        32,
        "Size of the learned update; larger learns more detail and more noise.",
        label="Size of the LoRA",
        term="rank",
        minimum=1,
        maximum=256,
    )
    precision: str = setting(
        "fp32",
        "How the LoRA's own numbers are kept while it learns. bf16 takes less GPU memory; it is rounded up or down by chance, so that small steps add up all the same.",
        label="Number format of the LoRA",
        term="stochastic rounding with bf16",
        choices=("fp32", "bf16"),
    )


@dataclass(frozen=True, kw_only=True)
class TimestepConfig(Section):
    distribution: str = setting(
        "sigmoid",
        "Which noise levels are practised most. Sigmoid favours the middle, where a face takes shape.",
        label="Noise levels to practise",
        term="timestep distribution",
        choices=DISTRIBUTIONS,
    )
    scale: float = setting(
        1.0, "Width of the sigmoid; larger spreads further.", label="Spread", term="sigmoid scale", minimum=0.1, maximum=4.0
    )
    shift: float = setting(
        3.0,
        "Moves practice towards strong noise; used by 'shift' and 'shifted_sigmoid' only.",
        label="Towards noise",
        term="shift",
        minimum=0.1,
        maximum=20.0,
    )


@dataclass(frozen=True, kw_only=True)
class PreservationConfig(Section):
    """Differential Output Preservation (DOP): the class must look as it did before training."""

    enabled: bool = setting(
        True,
        "Keeps other people looking like themselves while yours is learned.",
        label="Protect other people",
        term="Differential Output Preservation",
    )
    multiplier: float = setting(
        1.0,
        "How strongly other people are protected over the whole run, however seldom; every recipe has 1.",
        label="Protection strength",
        term="DOP multiplier",
        minimum=0.0,
        maximum=20.0,
    )
    every: int = setting(
        1,
        "Protect at every n-th picture only, there n times as strongly, so that it is as much over the whole run: cheaper.",
        label="Protect every n pictures",
        term="DOP interval",
        minimum=1,
        maximum=16,
    )
    pictures: int = setting(
        0,
        "How many pictures of other people the base model draws first, to be kept as they are. 0: protect at your own photos alone, which keeps less.",
        label="Pictures of other people",
        term="class pictures",
        minimum=0,
        maximum=400,
    )


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig(Section):
    name: str = setting(
        "adamw",
        "How the learning steps are reckoned. adamw is the tried one; adamw8bit needs a quarter of its memory, and an NVIDIA GPU; adafactor needs even less; prodigy finds the learning speed by itself, and needs more memory.",
        label="Way of learning",
        term="optimizer",
        choices=OPTIMIZERS,
    )
    learning_rate: float = setting(
        2e-4,
        "How large each learning step is. Not used by prodigy, which finds it by itself.",
        label="Learning speed",
        term="learning rate",
        minimum=1e-7,
        maximum=1.0,
    )
    prodigy_factor: float = setting(
        1.0,
        "Makes prodigy learn that many times as fast as it finds right. Used by prodigy only.",
        label="Speed of prodigy",
        term="learning rate of Prodigy",
        minimum=0.01,
        maximum=10.0,
    )
    schedule: str = setting(
        "constant",
        "Whether the learning speed stays, or falls gently to almost nothing towards the end of the run.",
        label="Course of the learning speed",
        term="schedule",
        choices=("constant", "cosine"),
    )
    warmup_steps: int = setting(
        50,
        "Steps over which the learning speed grows from zero.",
        label="Gentle start",
        term="warm-up",
        unit="steps",
        minimum=0,
        maximum=5000,
    )
    weight_decay: float = setting(
        0.01, "Pulls the update back towards zero.", label="Restraint", term="weight decay", minimum=0.0, maximum=1.0
    )
    max_grad_norm: float = setting(
        1.0, "Limits how far one odd photo can pull.", label="Outlier limit", term="max gradient norm", minimum=0.01, maximum=100.0
    )
    average: float = setting(
        0.0,
        "Saves the average of the last steps beside the last step itself: smoother. 0.99 looks back over about 100 steps of an expert, 0.999 over 1,000. 0: no average.",
        label="Average of the last steps",
        term="EMA decay",
        minimum=0.0,
        maximum=0.9999,
    )


@dataclass(frozen=True, kw_only=True)
class DataConfig(Section):
    photo_size: int = setting(
        768,
        "Photos are scaled down to about this many pixels on a side; never up.",
        label="Photo size",
        term="resolution",
        unit="px",
        minimum=32,
        maximum=2048,
    )
    clip_size: int = setting(
        480,
        "Clips are scaled down to about this many pixels on a side.",
        label="Clip size",
        term="resolution",
        unit="px",
        minimum=32,
        maximum=1280,
    )
    clip_frames: int = setting(
        33,
        "Frames taken from each clip, at the model's own frame rate; a multiple of four plus one.",
        label="Frames of a clip",
        term="num_frames",
        minimum=1,
        maximum=161,
    )
    held_out_items: int = setting(
        2,
        "Pictures set aside from training, to see whether learning carries over. Never more than a fifth of the dataset.",
        label="Set aside for checking",
        term="held-out items",
        minimum=0,
        maximum=20,
    )


@dataclass(frozen=True, kw_only=True)
class MemoryConfig(Section):
    precision: str = setting(
        "bf16",
        "How the base model's numbers are kept. bf16 is the full quality of WAN. int8 takes half the memory and is 0.6 % off; fp8 keeps files "
        "that are fp8 already as they are, and is 2.5 % off from others. fp32 is for computers without a GPU.",
        label="Number format of the base model",
        term="precision",
        choices=("fp32", "bf16", "int8", "fp8"),
    )
    multiply: str = setting(
        "exact",
        "How a base model that is kept in 8 bits computes. 8bit multiplies 8-bit numbers: quicker on most cards (int8 from RTX 20 on, fp8 from "
        "RTX 40 on), and about 1 % off. `doctor --gpu` measures both on yours.",
        label="Products of the base model",
        term="matmul precision",
        choices=("exact", "8bit"),
    )
    blocks_swapped: int = setting(
        0,
        "How many of the model's blocks wait in RAM instead of on the GPU; more fits a smaller GPU and takes longer.",
        label="Blocks kept in RAM",
        term="blocks swapped",
        minimum=0,
        maximum=80,
    )
    gradient_checkpointing: bool = setting(
        True,
        "Computes parts again instead of keeping them: much less GPU memory, about a third more time.",
        label="Save GPU memory",
        term="gradient checkpointing",
    )
    rows_per_pass: int = setting(
        1,
        "How many pictures of one size go through the model together; more is quicker on small models and takes more memory. The result is the same.",
        label="Pictures at a time",
        term="rows per pass",
        minimum=1,
        maximum=64,
    )
    rows_per_walk: int = setting(
        0,
        "How many pictures of a step go through the blocks together; fewer take less memory, and the blocks in RAM are fetched once for each group. 0: all of them.",
        label="Pictures per fetch",
        term="rows per block pass",
        minimum=0,
        maximum=256,
    )
    blocks_kept: int = setting(
        0,
        "In how many blocks intermediate results are kept instead of computed again, where memory is saved; more is quicker and takes more GPU memory.",
        label="Blocks not computed again",
        term="selective recompute",
        minimum=0,
        maximum=80,
    )
    inputs_in_ram: bool = setting(
        False,
        "Lets what the way back needs wait in RAM: long clips then fit a smaller GPU, a little slower.",
        label="Intermediate results in RAM",
        term="activation offload",
    )
    compile_blocks: bool = setting(
        False,
        "Turns the model's blocks into a program made for your card: may be quicker, after some minutes at the beginning. Where that cannot be "
        "done (on Windows it needs Triton), training says so and goes on without. `doctor --gpu` measures both.",
        label="Compile the blocks",
        term="torch.compile",
    )


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Section):
    """Everything one training run does; the project adds trigger, class noun and base model when a run is made."""

    steps: int = setting(3000, "Learning steps in all, shared by the two experts.", label="Steps", term="steps", minimum=2, maximum=100_000)
    save_every: int = setting(
        1000,
        "A checkpoint pair is saved after this many steps.",
        label="Save every",
        term="save interval",
        unit="steps",
        minimum=2,
        maximum=100_000,
    )
    resume_every: int = setting(
        50,
        "After a crash at most this many steps are lost.",
        label="Safety copy every",
        term="resume interval",
        unit="steps",
        minimum=1,
        maximum=1000,
    )
    held_out_every: int = setting(
        100,
        "How often the set-aside pictures are checked.",
        label="Check every",
        term="held-out interval",
        unit="steps",
        minimum=1,
        maximum=10_000,
    )
    accumulation: int = setting(
        4, "Pictures that are averaged into one step.", label="Pictures a step", term="gradient accumulation", minimum=1, maximum=64
    )
    high_noise_share: float = setting(
        0.5,
        "Share of the steps for the expert of layout and motion; the rest goes to detail and identity.",
        label="Share for layout and motion",
        term="high-noise share",
        minimum=0.0,
        maximum=1.0,
    )
    processes: int = setting(
        1,
        "With 2, each of two graphics cards trains one expert, in half the time; that takes twice the RAM. With 4, 6 or more, an even number, "
        "the cards of an expert share the pictures of each step.",
        label="Graphics cards",
        term="processes",
        minimum=1,
        maximum=16,
    )
    finish_by: str = setting(
        "",
        "A time of day such as 07:00, before which the run ends with a saved pair, even if it is not done; it can go on later. Empty: no such time.",
        label="Finish by",
        term="24-hour clock",
    )
    seed: int = setting(0, "The same number gives the same run.", label="Random seed", term="seed", minimum=0, maximum=2**31 - 1)
    lora: LoraConfig = field(default_factory=LoraConfig)
    timesteps: TimestepConfig = field(default_factory=TimestepConfig)
    preservation: PreservationConfig = field(default_factory=PreservationConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    data: DataConfig = field(default_factory=DataConfig)
    memory: MemoryConfig = field(default_factory=MemoryConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.save_every > self.steps:
            object.__setattr__(self, "save_every", self.steps)
        if self.finish_by and not TIME_OF_DAY.fullmatch(self.finish_by):
            raise ValueError(f"finish_by must be a time of day such as 07:00 or 23:30, got {self.finish_by!r}")
        if self.processes > 1 and self.processes % 2:
            raise ValueError(
                f"processes (graphics cards) must be 1 or an even number, as each expert gets half of them; got {self.processes}, "
                f"try {self.processes - 1}"
            )
        n = self.data.clip_frames
        if (n - 1) % 4:
            raise ValueError(f"data.clip_frames must be 4n + 1, got {n}; try {(n - 1) // 4 * 4 + 1}")

    def share_of(self, expert: str) -> float:
        """An expert's share of the steps."""
        return {EXPERTS[0]: self.high_noise_share, EXPERTS[1]: 1 - self.high_noise_share}[expert]


def share_settings(shares: Mapping[str, float]) -> dict[str, float]:
    """The setting of a TrainConfig that gives the experts these shares of the steps; {} for no shares."""
    first, second = EXPERTS
    if first in shares:
        return {"high_noise_share": shares[first]}
    return {"high_noise_share": 1 - shares[second]} if second in shares else {}


def list_presets(kind: str) -> list[str]:
    """Names of the presets of a kind ("models", "hardware", "recipes", "prompts"), sorted."""
    return sorted(p.stem for p in (PRESETS_DIR / kind).glob("*.toml"))


def load_preset(kind: str, name: str) -> dict[str, Any]:
    """A preset as a dict. ValueError names the presets there are."""
    path = PRESETS_DIR / kind / f"{name}.toml"
    if name not in list_presets(kind):
        near = difflib.get_close_matches(name, list_presets(kind), 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(list_presets(kind))}"
        raise ValueError(f"no preset {name!r} in presets/{kind}; {hint}")
    try:
        return copy.deepcopy(_parse_preset(path, path.stat().st_mtime_ns))
    except ValueError as e:
        raise ValueError(f"presets/{kind}/{path.name} can't be read: {e}") from None


@functools.lru_cache(maxsize=256)
def _parse_preset(path: Path, mtime_ns: int) -> dict[str, Any]:
    """A file of presets, read once for each of its versions: an open page asks for many of them at every look."""
    return tomllib.loads(path.read_text(encoding="utf-8"))
