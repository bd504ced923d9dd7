"""What a LoRA file of any trainer holds, as types and in words: which experts, how large, how strong, for which base models, and what is no use here. Torch-free."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import Problem
from studio.models.files.layouts import Shapes, wan_shapes
from studio.models.loras.names import LAYERS, Refused
from studio.models.preset import list_models, model_preset
from studio.words import gigabytes

if TYPE_CHECKING:
    import torch

WIDTHS = {5120: "WAN 14B", 3072: "WAN 2.2 TI2V 5B", 1536: "WAN 2.1 1.3B"}  # of models that people have; what fits is told by all shapes
NAMED = 3  # how many keys a message names


@dataclass(frozen=True)
class Layer:
    """A layer that a LoRA changes by alpha / rank times B A. alpha: the rank where the file says none."""

    block: int
    name: str  # ours, "self_attn.q"
    rank: int
    alpha: float
    num_in: int
    num_out: int


@dataclass(frozen=True, kw_only=True)
class ExpertLora:
    """The LoRA of one expert. expert: "" where nothing tells which; told_by: what does; told_within: whether that is in the file; state: by our keys, in fp32, with alpha multiplied into B."""

    expert: str
    told_by: str
    told_within: bool = False
    layers: tuple[Layer, ...]
    state: dict[str, torch.Tensor] = field(repr=False, compare=False)

    @property
    def rank(self) -> int:
        """The largest of its layers'."""
        return max(layer.rank for layer in self.layers)

    @property
    def factors(self) -> tuple[float, float]:
        """(lowest, highest) alpha / rank of its layers."""
        found = [layer.alpha / layer.rank for layer in self.layers]
        return min(found), max(found)

    @property
    def bases(self) -> tuple[str, ...]:
        """The names of the base models that have all these layers, in their shapes."""
        return tuple(name for name in list_models() if not self.why_not(name))

    def why_not(self, base: str) -> str:
        """Why it can't be put into a base model, the first thing that does not fit as the end of a sentence; "" if it can."""
        shapes = _shapes_of(base)
        for layer in self.layers:
            key, found = f"blocks.{layer.block}.{layer.name}", (layer.num_out, layer.num_in)
            if f"{key}.weight" not in shapes:
                return f"the model has no {key}"
            if shapes[f"{key}.weight"] != found:
                expected = shapes[f"{key}.weight"]
                return f"its {key} is for {found[1]} x {found[0]} numbers, the model's has {expected[1]} x {expected[0]}"
        return ""


@dataclass(frozen=True, kw_only=True)
class LoraFile:
    """A LoRA file of any trainer. form: how most of it is stored, "bf16"; refused: keys that are not used, each with the reason; metadata: of its header."""

    path: Path
    num_bytes: int
    form: str
    loras: tuple[ExpertLora, ...]
    refused: tuple[Refused, ...] = ()
    notes: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)

    def require_whole(self) -> None:
        """Problem if something in it is not used: what is drawn with the rest would be said to be of this file, and is not."""
        if self.refused:
            raise Problem(
                f"{self.path.name} holds {len(self.refused)} {_parts(len(self.refused))} that the studio does not apply: {self.describe_refused()}.",
                fix="Use a plain LoRA of attention and feed-forward layers.",
            )

    def only(self) -> ExpertLora:
        """Its one LoRA. Problem if it holds those of two experts."""
        first, *others = self.loras
        if others:
            raise Problem(
                f"{self.path.name} holds a whole pair, for both experts.",
                fix=f"Make two files of it: python -m studio lora {self.path.name} --write FOLDER",
            )
        return first

    def describe_refused(self) -> str:
        """What is not used, by reason, with examples."""
        return describe_refused(self.refused)

    def describe(self) -> list[str]:
        """Lines for a person: what it is, what of it is used, and what is not."""
        lines = [f"{self.form}, {gigabytes(self.num_bytes / 1e9)}"]
        lines += [_describe(lora) for lora in self.loras]
        if self.refused:
            lines.append(f"Not used, {len(self.refused)} {_parts(len(self.refused))}: {self.describe_refused()}.")
        return [*lines, *self.notes]

    def to_json(self) -> dict[str, Any]:
        return {
            "file": str(self.path),
            "form": self.form,
            "bytes": self.num_bytes,
            "loras": [_to_json(lora) for lora in self.loras],
            "refused": [{"key": entry.key, "method": entry.method, "why": entry.why} for entry in self.refused],
            "notes": list(self.notes),
        }


def describe_refused(refused: Iterable[Refused]) -> str:
    by_reason: dict[str, list[str]] = {}
    for entry in refused:
        by_reason.setdefault(entry.why, []).append(entry.key)
    return "; ".join(
        f"{why} ({len(keys)}: {', '.join(keys[:NAMED])}{', ...' if len(keys) > NAMED else ''})" for why, keys in by_reason.items()
    )


@cache
def _shapes_of(base: str) -> Shapes:
    return wan_shapes(model_preset(base).expect)


def _parts(count: int) -> str:
    return "part" if count == 1 else "parts"


def _describe(lora: ExpertLora) -> str:
    start = (
        f"For the {lora.expert.replace('_', ' ')} expert (told by {lora.told_by})" if lora.expert else "For an expert that nothing names"
    )
    (low, high), ranks = lora.factors, {layer.rank for layer in lora.layers}
    size = f"rank {lora.rank}" if len(ranks) == 1 else f"ranks {min(ranks)} to {max(ranks)}"
    strength = f"alpha / rank {low:g}" if low == high else f"alpha / rank {low:g} to {high:g}"
    blocks = len({layer.block for layer in lora.layers})
    return f"{start}: {size}, {strength}, {len(lora.layers)} of {blocks * len(LAYERS)} layers in {blocks} blocks; {_describe_bases(lora)}"


def _describe_bases(lora: ExpertLora) -> str:
    if lora.bases:
        return f"fits {', '.join(model_preset(name).title for name in lora.bases)}"
    width = next((layer.num_in for layer in lora.layers if layer.name != "ffn.2"), 0)
    return f"fits no base model here ({WIDTHS.get(width, 'another model')}, width {width})"


def _to_json(lora: ExpertLora) -> dict[str, Any]:
    low, high = lora.factors
    names = {"expert": lora.expert, "told_by": lora.told_by, "rank": lora.rank, "alpha_per_rank": [low, high], "bases": list(lora.bases)}
    return names | {"layers": len(lora.layers), "blocks": len({layer.block for layer in lora.layers})}
