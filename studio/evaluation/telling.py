"""Which of two experts is the high-noise one, by a look at both: each predicts best at the noise levels that it was made for."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

from studio.config.expert_names import EXPERTS
from studio.evaluation.drawing_memory import GB, how_to_keep
from studio.models.catalogue import BaseModel
from studio.models.first_picture import encode_first_picture, with_condition
from studio.models.forward import Transformer
from studio.models.loading import borrowed, dtype_of, load_expert, load_text_encoder, load_vae

HIGH, LOW = EXPERTS
PLACES = (0.2, 0.4, 0.6)  # in an expert's range of noise levels
SEEDS = 2
CLEAR = 0.1  # of the logarithm of the two errors at low noise: below it a look at one picture may be chance
MUCH_MORE = (
    3.0  # how much the difference at low noise must exceed one of the same sign at high noise: else one is the better model throughout
)


@dataclass(frozen=True)
class Errors:
    """How far an expert's answers are from what would be right, at low and at high noise: mean squares."""

    file: Path
    low_noise: float
    high_noise: float


@dataclass(frozen=True)
class Telling:
    """What the look found. high_noise: the file that is the high-noise expert by it; sure: whether the one is clearly better at low noise, and not throughout."""

    errors: tuple[Errors, Errors]
    high_noise: Path
    low_noise: Path
    sure: bool

    @property
    def why(self) -> str:
        by_file = {errors.file: errors for errors in self.errors}
        low, high = by_file[self.low_noise], by_file[self.high_noise]
        words = f"At low noise {low.file.name} is off by {low.low_noise:.4g}, {high.file.name} by {high.low_noise:.4g}; "
        words += f"at high noise by {low.high_noise:.4g} and {high.high_noise:.4g}. "
        if self.sure:
            return (
                words
                + f"{low.file.name} predicts so much better at low noise alone that it is the low-noise expert, {high.file.name} the other."
            )
        return words + f"That is no clear answer; {high.file.name} is rather the high-noise expert. Try another picture."

    def to_json(self) -> dict[str, Any]:
        errors = [{"file": str(e.file), "low_noise": e.low_noise, "high_noise": e.high_noise} for e in self.errors]
        return {"errors": errors, "high_noise": str(self.high_noise), "low_noise": str(self.low_noise), "sure": self.sure, "why": self.why}


@torch.no_grad()
def tell_experts(base: BaseModel, pixels: torch.Tensor, prompt: str, device: torch.device) -> Telling:
    """Look at the two experts of a base model, in whatever order its files are. pixels: a photo, (1, 3, 1, H, W) in [-1, 1]."""
    with borrowed(load_text_encoder(base, device=device, dtype=_dtype(device))) as encoder:
        words = encoder.encode([prompt]).to(device)
    with borrowed(load_vae(base, device=device)) as vae:
        latents = vae.encode(pixels)
        condition = encode_first_picture(vae, pixels.to(device), 1, base.temporal_factor) if base.first_picture else None
    found = [_look(base, expert, latents, words, condition, device) for expert in base.experts]
    return judge(found)


def judge(found: Sequence[Errors]) -> Telling:
    """From the errors of both: who is better at low noise, in relation to who is better at high noise."""
    first, second = found
    at_low, at_high = math.log(first.low_noise / second.low_noise), math.log(first.high_noise / second.high_noise)
    low, high = (first, second) if at_low < at_high else (second, first)
    sure = abs(at_low) > CLEAR and ((at_low < 0) != (at_high < 0) or abs(at_low) > MUCH_MORE * abs(at_high))
    return Telling((first, second), high.file, low.file, sure)


def _look(
    base: BaseModel, expert: str, latents: torch.Tensor, words: torch.Tensor, condition: torch.Tensor | None, device: torch.device
) -> Errors:
    dtype = _dtype(device)
    precision, swapped = _how_to_keep(base, latents, device)
    model = load_expert(base, expert, dtype=dtype, device=device, blocks_swapped=swapped, precision=precision)
    with borrowed(model):
        errors = {name: _error(model, base.sigma_range(name), latents, words, condition, dtype) for name in EXPERTS}
    return Errors(base.source.weight_files(base.subfolder(expert))[0], errors[LOW], errors[HIGH])


def _error(
    model: Transformer,
    levels: tuple[float, float],
    latents: torch.Tensor,
    words: torch.Tensor,
    condition: torch.Tensor | None,
    dtype: torch.dtype,
) -> float:
    """The mean square of its mistakes in a range of noise levels, one picture at a time."""
    lo, hi = levels
    total = 0.0
    for number in range(SEEDS * len(PLACES)):
        sigma = lo + (hi - lo) * PLACES[number % len(PLACES)]
        noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(number)).to(latents.device)
        x_t = with_condition((1 - sigma) * latents + sigma * noise, condition).to(dtype)
        timestep = torch.tensor([sigma * 1000], device=latents.device)
        answer = model(hidden_states=x_t, timestep=timestep, encoder_hidden_states=words.to(dtype), return_dict=False)[0]
        total += (answer.float() - (noise - latents)).square().mean().item()
    return total / (SEEDS * len(PLACES))


def _dtype(device: torch.device) -> torch.dtype:
    return dtype_of("bf16" if device.type == "cuda" else "fp32")


def _how_to_keep(base: BaseModel, latents: torch.Tensor, device: torch.device) -> tuple[str, int]:
    """(number format, blocks in RAM): as a drawing of the same size would keep them."""
    if device.type != "cuda":
        return "fp32", 0
    height, width = (side * base.spatial_factor for side in latents.shape[-2:])
    config = base.preset.sweep_config({"num_frames": 1, "height": height, "width": width})
    free, total = torch.cuda.mem_get_info(device)[0] / GB, psutil.virtual_memory().total / GB
    return how_to_keep(base, config, free, total)
