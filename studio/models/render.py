"""Draws one clip in two stages that can be taken apart: high-noise expert, a state that fits in a file, low-noise expert, video.

Bit for bit what `diffusers.WanPipeline` and `WanImageToVideoPipeline` draw with the same numbers; each stage skips guidance on its own when its scale is 1.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import torch
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

from studio.config import SweepConfig
from studio.models.catalogue import BaseModel
from studio.models.first_picture import with_condition
from studio.models.forward import Transformer
from studio.models.loading import Vae
from studio.models.simple_schedule import simple_times

Scheduler: TypeAlias = Any  # one of diffusers', which have no common type
State = dict[str, torch.Tensor]  # what a drawing is between two steps: latents, what is given, and the scheduler's numbers
NUM_TRAIN_TIMESTEPS = 1000
_UNIPC_LISTS = ("model_outputs", "timestep_list")
_UNIPC_NUMBERS = ("lower_order_nums", "this_order")


class Stopped(Exception):
    """The person asked to stop; seen between two denoising steps."""


def make_scheduler(base: BaseModel, settings: SweepConfig) -> Scheduler:
    """A fresh scheduler, without steps yet."""
    if settings.scheduler == "unipc":
        scheduler = UniPCMultistepScheduler.from_config(
            base.configs["scheduler"], prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=settings.flow_shift
        )
    else:
        scheduler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=NUM_TRAIN_TIMESTEPS, shift=settings.flow_shift)
    return scheduler


def set_steps(scheduler: Scheduler, settings: SweepConfig, device: torch.device | str = "cpu") -> None:
    """Give a scheduler its steps."""
    if settings.scheduler == "comfyui":
        scheduler.set_timesteps(sigmas=simple_times(settings.num_inference_steps), device=device)
    else:
        scheduler.set_timesteps(settings.num_inference_steps, device=device)


def start_state(base: BaseModel, settings: SweepConfig, seed: int, condition: torch.Tensor | None = None) -> State:
    """The noise a clip begins with, {"latents": (1, C, F, H, W) fp32}: drawn on the CPU, so that a seed means the same on every machine.

    condition: of the first picture, where the model takes one; it goes through both stages with the noise, as "condition".
    """
    shape = (1, *base.latent_shape(settings.num_frames, settings.height, settings.width))
    noise = torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed), dtype=torch.float32)
    return {"latents": noise} | ({} if condition is None else {"condition": condition})


def stage_steps(base: BaseModel, settings: SweepConfig, expert: str) -> int:
    """How many of the denoising steps belong to this expert."""
    scheduler = make_scheduler(base, settings)
    set_steps(scheduler, settings)
    return sum(_belongs(base, scheduler, t, expert) for t in scheduler.timesteps)


@torch.no_grad()
def draw_stage(
    model: Transformer,
    base: BaseModel,
    settings: SweepConfig,
    expert: str,
    state: State,
    prompt_embeds: torch.Tensor,
    negative_embeds: torch.Tensor,
    *,
    device: torch.device | str,
    should_stop: Callable[[], bool] = lambda: False,
    on_step: Callable[[], object] = lambda: None,
) -> State:
    """Take a state through one expert's steps; returns the state after them, on the CPU. Stopped between steps if asked.

    prompt_embeds, negative_embeds: (1, tokens, D); the negative ones are used only where this stage's guidance is above 1.
    """
    scheduler = make_scheduler(base, settings)
    set_steps(scheduler, settings, device)
    scheduler.set_begin_index(0)
    restore_scheduler(scheduler, state, device)
    latents, condition = state["latents"].to(device), state.get("condition")
    given = None if condition is None else condition.to(device)
    guidance = settings.guidance_of(expert)
    dtype = model.dtype  # read once: diffusers asks every module
    embeds = [prompt_embeds.to(device, dtype)] + ([negative_embeds.to(device, dtype)] if guidance > 1 else [])
    for t in scheduler.timesteps:
        if not _belongs(base, scheduler, t, expert):
            continue
        if should_stop():
            raise Stopped
        latents = _denoise(model, scheduler, t, latents, given, embeds, guidance)
        on_step()
    carried = {} if condition is None else {"condition": condition}
    return {"latents": latents.cpu()} | carried | save_scheduler(scheduler)


def _belongs(base: BaseModel, scheduler: Scheduler, t: torch.Tensor, expert: str) -> bool:
    return base.expert_of(t, scheduler.config.num_train_timesteps) == expert


def _denoise(
    model: Transformer,
    scheduler: Scheduler,
    t: torch.Tensor,
    latents: torch.Tensor,
    condition: torch.Tensor | None,
    embeds: list[torch.Tensor],
    guidance: float,
) -> torch.Tensor:
    noisy, timestep = with_condition(latents, condition).to(embeds[0].dtype), t.expand(len(latents))
    predictions = [model(hidden_states=noisy, timestep=timestep, encoder_hidden_states=e, return_dict=False)[0] for e in embeds]
    velocity = predictions[0] if len(predictions) == 1 else predictions[1] + guidance * (predictions[0] - predictions[1])
    return scheduler.step(velocity, t, latents, return_dict=False)[0]


def save_scheduler(scheduler: Scheduler) -> State:
    """What a scheduler knows between two steps, as CPU tensors by name. UniPC looks back two steps: without this it would start again."""
    state = {"step_index": torch.tensor(scheduler.step_index or 0)}
    if isinstance(scheduler, UniPCMultistepScheduler):
        for name in _UNIPC_LISTS:
            entries = enumerate(getattr(scheduler, name))
            state |= {f"{name}.{i}": value.detach().cpu().clone() for i, value in entries if value is not None}
        state |= {name: torch.tensor(getattr(scheduler, name, 0)) for name in _UNIPC_NUMBERS}
        if scheduler.last_sample is not None:
            state["last_sample"] = scheduler.last_sample.detach().cpu().clone()
    return state


def restore_scheduler(scheduler: Scheduler, state: State, device: torch.device | str) -> None:
    """Continue where `save_scheduler` left off; a state without scheduler entries is a fresh start."""
    if "step_index" not in state:
        return
    scheduler._step_index = state["step_index"].item()
    if isinstance(scheduler, UniPCMultistepScheduler):
        for name in _UNIPC_LISTS:
            entries = getattr(scheduler, name)
            entries[:] = [state[f"{name}.{i}"].to(device) if f"{name}.{i}" in state else None for i in range(len(entries))]
        for name in _UNIPC_NUMBERS:
            setattr(scheduler, name, state[name].item())
        scheduler.last_sample = state["last_sample"].to(device) if "last_sample" in state else None


@torch.no_grad()
def decode_frames(vae: Vae, latents: torch.Tensor, device: torch.device | str) -> np.ndarray:
    """Normalised latents (1, C, f, h, w) -> frames (F, H, W, 3) in 0..1, fp32 numpy, as the pipeline's `output_type="np"`."""
    pixels = vae.decode(latents.to(device))
    return (pixels * 0.5 + 0.5).clamp(0, 1)[0].permute(1, 2, 3, 0).float().cpu().numpy()


def to_bytes(frames: np.ndarray) -> np.ndarray:
    """Frames in 0..1 -> uint8, rounded."""
    return (frames * 255).round().astype("uint8")
