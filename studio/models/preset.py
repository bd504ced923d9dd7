"""What the studio knows of a base model before it is here: a preset in presets/models, with its experts and its network's facts. Torch-free."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.config import EXPERTS, SweepConfig, TrainConfig, from_dict, guidance_settings, list_presets, load_preset, merge, share_settings
from studio.errors import Problem
from studio.facts import Facts
from studio.models.files.layouts import condition_channels

ABOVE_ALL_NOISE = 2.0  # as the boundary of a base model with one expert, which draws from first to last
WAN_WORDS = ("layout and motion", "detail and identity")  # of EXPERTS, where no preset says them
WAN_BOUNDARY = 0.875


@dataclass(frozen=True, kw_only=True)
class Expert(Facts):
    """One of the networks that a base model draws with.

    words: what it is good for, said to people; noise: (lowest, highest) noise level that it works at; share: of a training's steps, guidance:
    how closely it follows a prompt. None: as the recipe, or the usual settings, have them.
    """

    name: str
    words: str
    noise: tuple[float, ...]
    share: float | None = None
    guidance: float | None = None


@dataclass(frozen=True, kw_only=True)
class Shape(Facts):
    """Measures of a base model's networks, which the planner reckons with. Parameters, blocks and widths are those of one expert."""

    num_experts: int
    parameters_per_expert: int
    block_parameters: int
    num_blocks: int
    hidden: int
    ffn: int
    lora_parameters_per_rank: int
    text_encoder_gb: float
    vae_gb: float
    pixels_per_token: int = 16
    frames_per_latent: int = 4
    latent_channels: int = 16
    condition_channels: int = 0  # of a first picture, beside the noised one
    prompt_tokens: int = 512
    text_dim: int = 4096
    text_bytes: int = 512 * 4096 * 2  # of one encoded prompt
    head_dim: int = 128


@dataclass(frozen=True, kw_only=True)
class ModelPreset(Facts):
    """A file of presets/models. expect: facts of an expert's config that tell this model from others; configs: what the configs of its other
    parts say; comfyui: usual names of its files; train, sweep: settings that suit it."""

    name: str  # of the file
    title: str
    description: str
    order: int  # among those to choose from
    source: str
    fps: int
    max_prompt_tokens: int
    captioner: str  # name of the captioner that belongs to it; a built-in model has it in its own folder
    expect: dict[str, Any]
    experts: tuple[Expert, ...]  # in the order in which they draw
    shape: Shape
    configs: dict[str, dict[str, Any]] = field(default_factory=dict)
    comfyui: dict[str, str] = field(default_factory=dict)
    train: dict[str, Any] = field(default_factory=dict)
    sweep: dict[str, Any] = field(default_factory=dict)
    repository: str = ""
    licence: str = ""
    download_gb: float = 0.0
    pack: str = ""  # folder of presets/ that holds a built-in model
    observer: str = ""  # folder, inside the model's own, of what looks at persons
    cpu_threads: int = 0  # that suit it without a GPU; 0: as many as there are

    @property
    def is_built_in(self) -> bool:
        return bool(self.pack)

    @property
    def expert_names(self) -> tuple[str, ...]:
        return tuple(expert.name for expert in self.experts)

    @property
    def default_boundary(self) -> float:
        """Lowest noise level of the first of two experts, where the model's own files don't say; above all levels where there is but one."""
        return self.experts[0].noise[0] if len(self.experts) > 1 else ABOVE_ALL_NOISE

    @property
    def takes_first_picture(self) -> bool:
        """Whether it draws from a first picture and words; as BaseModel.first_picture, before the model is there."""
        return self.shape.condition_channels > 0

    def expert(self, name: str) -> Expert:
        return self.experts[self.expert_names.index(name)]

    def words_of(self, expert: str) -> str:
        """What an expert is good for, said to people."""
        return self.expert(expert).words

    @property
    def train_settings(self) -> dict[str, Any]:
        """[train], with the experts' shares of the steps: a layer of a TrainConfig."""
        shares = {expert.name: expert.share for expert in self.experts if expert.share is not None}
        return merge(share_settings(shares), self.train)

    @property
    def train_config(self) -> TrainConfig:
        """The usual settings with this base model's."""
        return from_dict(TrainConfig, self.train_settings)

    def sweep_config(self, overrides: Mapping[str, Any] | None = None) -> SweepConfig:
        """How it draws: defaults < the experts' guidance < [sweep] < overrides (None values are left out)."""
        given = {key: value for key, value in (overrides or {}).items() if value is not None}
        guidance = {expert.name: expert.guidance for expert in self.experts if expert.guidance is not None}
        return from_dict(SweepConfig, merge(guidance_settings(guidance), self.sweep, given), "sweep")


@dataclass(frozen=True, kw_only=True)
class CaptionerPreset(Facts):
    """A file of presets/captioners: a vision-language model that can be downloaded."""

    name: str  # of the file
    title: str
    description: str
    repository: str
    licence: str
    download_gb: float
    short: str  # its title where it is clear that it is a captioner
    order: int  # among those to choose from
    memory_gb: float  # of its weights on a graphics card, as bf16, in GB of 10^9 bytes
    memory_4bit_gb: float  # the same with the Linears of its language model in 4 bits
    is_usual: bool = False  # one of those from which the studio chooses by the graphics card
    family: str = "vision_language"  # a file of studio/models/captioners/families

    @property
    def is_built_in(self) -> bool:
        return False


def list_models() -> list[str]:
    return list_presets("models")


def list_captioners() -> list[str]:
    return list_presets("captioners")


def model_preset(name: str) -> ModelPreset:
    """presets/models/<name>.toml. Problem that names the models there are; ValueError that names the file and the field, if one is missing."""
    if name not in list_models():
        near = difflib.get_close_matches(str(name), list_models(), 1)
        hint = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(list_models())}."
        raise Problem(f"There is no base model named {name!r}.", fix=hint, action="choose-model")
    where = f"presets/models/{name}.toml"
    data = _with_experts(load_preset("models", name), where)
    for section in ("shape", "expect"):
        if not isinstance(data.get(section), Mapping):
            raise ValueError(f"{where} is damaged: the table [{section}] is missing")
    if "in_channels" not in data["expect"]:
        raise ValueError(f"{where}, expect is damaged: 'in_channels' is missing")
    return ModelPreset.from_json(data | {"name": name, "shape": _whole_shape(data)}, where)


def wan_experts(boundary: float = WAN_BOUNDARY) -> tuple[Expert, ...]:
    """The two experts of WAN 2.2: for what was made with a base model that is not known any more."""
    ranges = ((boundary, 1.0), (0.0, boundary))
    return tuple(Expert(name=name, words=words, noise=noise) for name, words, noise in zip(EXPERTS, WAN_WORDS, ranges, strict=True))


def experts_of(base_model: str) -> tuple[Expert, ...]:
    """Those of the base model of that name; of one that is not known any more, those of WAN 2.2."""
    return model_preset(base_model).experts if base_model in list_models() else wan_experts()


def captioner_preset(name: str) -> CaptionerPreset:
    """presets/captioners/<name>.toml. ValueError names the captioners there are, or the file and the field that is missing."""
    return CaptionerPreset.from_json(load_preset("captioners", name) | {"name": name}, f"presets/captioners/{name}.toml")


def _with_experts(data: dict[str, Any], where: str) -> dict[str, Any]:
    """A preset of the time before [[experts]] and [shape], brought up to date: [memory] was the shape, and said how many experts there are."""
    old = data.get("memory")
    if "experts" in data or not isinstance(old, Mapping):
        return data
    for name, table in (("num_experts", old), ("default_boundary", data)):
        if name not in table:
            raise ValueError(f"{where} is damaged: {name!r} is missing")
    rest = {key: value for key, value in data.items() if key not in ("memory", "default_boundary")}
    experts = wan_experts(min(float(data["default_boundary"]), 1.0))
    return rest | {"shape": old, "experts": [expert.to_json() for expert in experts[-old["num_experts"] :]]}


def _whole_shape(data: Mapping[str, Any]) -> dict[str, Any]:
    """[shape], and what other tables of the preset say of the same."""
    expect, experts = data["expect"], data.get("experts")
    known = {"text_dim": "text_dim", "attention_head_dim": "head_dim"}
    return (
        {ours: expect[theirs] for theirs, ours in known.items() if theirs in expect}
        | ({"prompt_tokens": data["max_prompt_tokens"]} if "max_prompt_tokens" in data else {})
        | {"num_experts": len(experts) if isinstance(experts, list) else 0, "condition_channels": condition_channels(expect)}
        | dict(data["shape"])
    )
