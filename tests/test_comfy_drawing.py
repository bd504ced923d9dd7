"""What a workflow's numbers draw: ComfyUI's way of taking the steps, reckoned apart from ours, gives our clips and those of diffusers.

Reckoned as ComfyUI has it (Comfy-Org/ComfyUI): ModelSamplingDiscreteFlow and CONST of comfy/model_sampling.py, simple_scheduler and KSampler.sample
of comfy/samplers.py, sample_euler of comfy/k_diffusion/sampling.py, prepare_noise of comfy/sample.py, common_ksampler of nodes.py.
"""

import itertools

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from model_kit import load_pipeline, lora_state
from stock_kit import run_pipeline

from studio.config import SweepConfig
from studio.export.comfy.sampling import Drawing
from studio.models import lora
from studio.models.files.lora_files import save_lora_file
from studio.models.loading import load_expert, load_text_encoder, load_vae
from studio.models.loras.reading import read_lora_file
from studio.models.render import decode_frames, draw_stage, stage_steps, start_state
from studio.models.simple_schedule import simple_sigmas

EXPERTS, DEVICE, SEED, STRENGTH = ("high_noise", "low_noise"), torch.device("cpu"), 7, 0.7
PROMPT, NEGATIVE = "ohwx, a person, wearing a blue shirt, grey background", "blurry"
SETTINGS = SweepConfig(
    width=48,
    height=32,
    num_frames=9,
    num_inference_steps=7,
    guidance_scale_high=4.0,
    guidance_scale_low=2.5,
    negative_prompt=NEGATIVE,
    scheduler="comfyui",
)


def drawing_for(settings):
    """The numbers of a workflow for these settings."""
    return Drawing(
        width=settings.width,
        height=settings.height,
        num_frames=settings.num_frames,
        fps=16,
        steps=settings.num_inference_steps,
        shift=settings.flow_shift,
        guidance=(settings.guidance_scale_high, settings.guidance_scale_low),
        seed=SEED,
        prompt=PROMPT,
        negative_prompt=NEGATIVE,
    )


class ComfyUI:
    """KSamplerAdvanced behind ModelSamplingSD3."""

    def __init__(self, shift):
        times = torch.arange(1, 1001, 1) / 1000 * 1000 / 1000
        self.table = shift * times / (1 + (shift - 1) * times)  # from little noise to all of it

    def sigmas(self, steps):
        spacing = len(self.table) / steps
        return torch.FloatTensor([float(self.table[-(1 + int(x * spacing))]) for x in range(steps)] + [0.0])

    def sample(self, predict, latent, *, add_noise, seed, steps, cfg, start_at_step, end_at_step, leftover_noise):
        """predict(x, sigma): (velocity for the prompt, for the negative one)."""
        noise = (
            torch.randn(latent.size(), dtype=torch.float32, generator=torch.manual_seed(seed)) if add_noise else torch.zeros_like(latent)
        )
        sigmas = self.sigmas(steps)
        if end_at_step < len(sigmas) - 1:
            sigmas = sigmas[: end_at_step + 1]
            if not leftover_noise:
                sigmas[-1] = 0
        if start_at_step >= len(sigmas) - 1:
            return latent
        sigmas = sigmas[start_at_step:]
        x = sigmas[0] * noise + (1.0 - sigmas[0]) * latent
        for sigma, following in itertools.pairwise(sigmas):
            positive, negative = (x - velocity * sigma for velocity in predict(x, sigma))  # what would be left without noise
            denoised = negative + (positive - negative) * cfg
            x = x + (x - denoised) / sigma * (following - sigma)
        return x / (1.0 - sigmas[-1])


@pytest.fixture(scope="module")
def parts(tiny_base, tmp_path_factory):
    """(experts, embeds of prompt and negative prompt, files of a LoRA pair) of the tiny model."""
    encoder = load_text_encoder(tiny_base, device=DEVICE, dtype=torch.float32)
    embeds = [encoder.encode([text]) for text in (PROMPT, NEGATIVE)]
    experts, files, folder = {}, {}, tmp_path_factory.mktemp("pair")
    for number, expert in enumerate(EXPERTS):
        model = experts[expert] = load_expert(tiny_base, expert, dtype=torch.float32, device=DEVICE)
        lora.add_lora(model, 4, seed=number)
        generator = torch.Generator().manual_seed(number)
        state = {k: torch.randn(t.shape, generator=generator) * 0.2 if "lora_B" in k else t for k, t in lora_state(model).items()}
        lora.remove_lora(model)
        files[expert] = folder / f"{expert}.safetensors"
        save_lora_file(files[expert], state, {})
    return experts, embeds, files


def draw_ours(base, parts, settings):
    state = start_state(base, settings, SEED)
    for expert, model in parts[0].items():
        lora.apply_lora(model, read_lora_file(parts[2][expert])[0], STRENGTH)
        try:
            state = draw_stage(model, base, settings, expert, state, *parts[1], device=DEVICE)
        finally:
            lora.remove_lora(model)
    return state["latents"]


@torch.no_grad()
def draw_as_comfyui(base, parts, settings):
    drawing, sampler = drawing_for(settings), ComfyUI(settings.flow_shift)
    change = drawing.boundary_step(base.boundary)
    spans = ((0, change, True), (change, 10000, False))  # as the workflow has them
    latent = torch.zeros_like(start_state(base, settings, SEED)["latents"])
    for number, (model, (start, end, leftover)) in enumerate(zip(parts[0].values(), spans, strict=True)):
        lora.apply_lora(model, read_lora_file(parts[2][EXPERTS[number]])[0], STRENGTH)

        def predict(x, sigma, model=model):
            time = (sigma * 1000).expand(len(x))
            return [model(hidden_states=x, timestep=time, encoder_hidden_states=e, return_dict=False)[0] for e in parts[1]]

        latent = sampler.sample(
            predict,
            latent,
            add_noise=number == 0,
            seed=drawing.seed,
            steps=drawing.steps,
            cfg=drawing.guidance[number],
            start_at_step=start,
            end_at_step=end,
            leftover_noise=leftover,
        )
        lora.remove_lora(model)
    return latent


class AtTheseLevels(FlowMatchEulerDiscreteScheduler):
    """diffusers' own Euler steps at levels that it is given, whatever number of steps a pipeline asks for."""

    levels: tuple[float, ...] = ()

    def set_timesteps(self, num_inference_steps=None, device=None, **others):
        super().set_timesteps(sigmas=list(self.levels), device=device)


def draw_by_diffusers(base, parts, settings):
    """At ComfyUI's noise levels, reckoned apart, which are moved by the shift already."""
    pipeline = load_pipeline(base)
    pipeline.load_lora_weights(parts[2]["high_noise"], adapter_name="person")
    pipeline.load_lora_weights(parts[2]["low_noise"], adapter_name="person", load_into_transformer_2=True)
    pipeline.set_adapters(["person"], [STRENGTH])
    pipeline.scheduler = AtTheseLevels(num_train_timesteps=1000, shift=1.0)
    pipeline.scheduler.levels = tuple(ComfyUI(settings.flow_shift).sigmas(settings.num_inference_steps)[:-1].tolist())
    return run_pipeline(pipeline, settings, SEED, PROMPT, max_prompt_tokens=base.max_prompt_tokens)


@pytest.fixture(scope="module")
def ours(tiny_base, parts):
    return draw_ours(tiny_base, parts, SETTINGS)


def test_our_loop_comfyuis_steps_and_diffusers_draw_the_same_frames(tiny_base, parts, ours):
    assert all(stage_steps(tiny_base, SETTINGS, expert) >= 2 for expert in EXPERTS)
    comfyui, vae = draw_as_comfyui(tiny_base, parts, SETTINGS), load_vae(tiny_base, device=DEVICE)
    assert (comfyui - ours).abs().max() < 2e-4 * ours.abs().max()
    frames = decode_frames(vae, ours, DEVICE)
    assert np.abs(frames - decode_frames(vae, comfyui, DEVICE)).max() < 1 / 255
    assert np.abs(frames - draw_by_diffusers(tiny_base, parts, SETTINGS)[0]).max() < 1 / 255


def test_another_boundary_step_draws_something_else(tiny_base, parts, ours, monkeypatch):
    """The test above would see it."""
    right = Drawing.boundary_step
    monkeypatch.setattr(Drawing, "boundary_step", lambda drawing, boundary: right(drawing, boundary) + 1)
    assert (draw_as_comfyui(tiny_base, parts, SETTINGS) - ours).abs().max() > 1e-2 * ours.abs().max()


GRID = list(itertools.product((2, 4, 6, 8, 10, 15, 20, 25, 30, 40, 50), (1.0, 2.0, 3.0, 5.0, 7.0, 8.0, 12.0), (0.875, 0.9)))


@pytest.mark.parametrize(("steps", "shift", "boundary"), GRID)
def test_the_experts_change_at_the_step_at_which_comfyuis_noise_crosses_the_boundary(steps, shift, boundary):
    sigmas = ComfyUI(shift).sigmas(steps)
    assert torch.allclose(sigmas, torch.tensor(simple_sigmas(steps, shift)), atol=1e-6)
    settings = SweepConfig(num_inference_steps=steps, flow_shift=shift)
    change = drawing_for(settings).boundary_step(boundary)
    assert all(sigma > boundary - 1e-6 for sigma in sigmas[:change])  # at the boundary it is the first expert's
    assert all(sigma < boundary + 1e-6 for sigma in sigmas[change:])


@pytest.mark.parametrize("steps", [4, 7, 20, 40])
@pytest.mark.parametrize("shift", [3.0, 5.0, 8.0])
def test_the_workflow_changes_experts_where_our_loop_does(tiny_base, steps, shift):
    settings = SweepConfig(num_inference_steps=steps, flow_shift=shift, scheduler="comfyui")
    assert drawing_for(settings).boundary_step(tiny_base.boundary) == stage_steps(tiny_base, settings, "high_noise")
