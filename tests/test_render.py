"""The own two-stage loop draws what the stock WanPipeline draws, bit for bit, and its stages can be taken apart at the boundary."""

import dataclasses

import numpy as np
import pytest
import safetensors.torch
import torch
from model_kit import load_pipeline, lora_state
from stock_kit import draw_by_pipeline

from studio.config import SweepConfig
from studio.models import lora
from studio.models.files import lora_files
from studio.models.loading import load_expert, load_text_encoder, load_vae
from studio.models.loras.reading import read_lora_file
from studio.models.render import Stopped, decode_frames, draw_stage, stage_steps, start_state

EXPERTS = ("high_noise", "low_noise")
PROMPT, NEGATIVE, SEED = "ohwx, a person, wearing a blue shirt, grey background", "blurry", 7
DEVICE = torch.device("cpu")
SETTINGS = SweepConfig(
    width=48, height=32, num_frames=9, num_inference_steps=7, guidance_scale_high=4.0, guidance_scale_low=2.5, negative_prompt=NEGATIVE
)


@pytest.fixture(scope="module")
def parts(tiny_base):
    """(experts, embeds of prompt and negative prompt, VAE) of the tiny model."""
    encoder = load_text_encoder(tiny_base, device=DEVICE, dtype=torch.float32)
    embeds = [encoder.encode([text]) for text in (PROMPT, NEGATIVE)]
    experts = {e: load_expert(tiny_base, e, dtype=torch.float32, device=DEVICE) for e in EXPERTS}
    return experts, embeds, load_vae(tiny_base, device=DEVICE)


@pytest.fixture(scope="module")
def pair_files(tiny_base, parts, tmp_path_factory):
    """A LoRA pair with a visible effect."""
    folder, files = tmp_path_factory.mktemp("pair"), {}
    for number, expert in enumerate(EXPERTS):
        model = parts[0][expert]
        lora.add_lora(model, 4, seed=number)
        generator = torch.Generator().manual_seed(number)
        state = {k: torch.randn(t.shape, generator=generator) * 0.2 if "lora_B" in k else t for k, t in lora_state(model).items()}
        lora.remove_lora(model)
        files[expert] = folder / f"{expert}.safetensors"
        lora_files.save_lora_file(files[expert], state, {})
    return files


def draw(base, parts, settings, pair_files=None, strength=1.0, between=lambda state: state):
    """Latents of our loop; `between` may change hands with the state at the boundary."""
    experts, embeds, _ = parts
    state = start_state(base, settings, SEED)
    for expert in EXPERTS:
        model = experts[expert]
        if pair_files:
            lora.apply_lora(model, read_lora_file(pair_files[expert])[0], strength)
        try:
            state = between(draw_stage(model, base, settings, expert, state, *embeds, device=DEVICE))
        finally:
            lora.remove_lora(model)
    return state["latents"]


def draw_stock(base, settings, pair_files=None, strength=1.0, output_type="latent"):
    """The same clip by diffusers alone."""
    pipeline = load_pipeline(base)
    if pair_files:
        pipeline.load_lora_weights(pair_files["high_noise"], adapter_name="person")
        pipeline.load_lora_weights(pair_files["low_noise"], adapter_name="person", load_into_transformer_2=True)
        pipeline.set_adapters(["person"], [strength])
    return draw_by_pipeline(pipeline, settings, SEED, PROMPT, output_type=output_type, max_prompt_tokens=base.max_prompt_tokens)


@pytest.mark.parametrize("scheduler", ["unipc", "euler"])
@pytest.mark.parametrize("strength", [None, 1.0, 0.7])
def test_two_stages_equal_the_stock_pipeline_bit_for_bit(tiny_base, parts, pair_files, scheduler, strength):
    settings = dataclasses.replace(SETTINGS, scheduler=scheduler)
    files = pair_files if strength else None
    ours = draw(tiny_base, parts, settings, files, strength)
    assert all(stage_steps(tiny_base, settings, e) >= 2 for e in EXPERTS)
    assert torch.equal(ours, draw_stock(tiny_base, settings, files, strength))


@pytest.mark.parametrize("num_steps, shift, shares", [(1, 5.0, [1, 0]), (4, 20.0, [3, 1]), (5, 0.3, [1, 4])])
def test_wherever_the_boundary_falls_the_stages_equal_the_stock_pipeline(tiny_base, parts, num_steps, shift, shares):
    settings = dataclasses.replace(SETTINGS, num_inference_steps=num_steps, flow_shift=shift)
    assert [stage_steps(tiny_base, settings, e) for e in EXPERTS] == shares
    assert torch.equal(draw(tiny_base, parts, settings), draw_stock(tiny_base, settings))


def test_frames_equal_the_stock_pipeline_bit_for_bit(tiny_base, parts, pair_files):
    ours = decode_frames(parts[2], draw(tiny_base, parts, SETTINGS, pair_files, 0.7), DEVICE)
    stock = draw_stock(tiny_base, SETTINGS, pair_files, 0.7, output_type="np")[0]
    assert ours.shape == (9, 32, 48, 3)
    assert np.array_equal(ours, stock)


@pytest.mark.parametrize("scheduler", ["unipc", "euler"])
def test_a_state_that_went_through_a_file_continues_exactly(tiny_base, parts, tmp_path, scheduler):
    settings = dataclasses.replace(SETTINGS, scheduler=scheduler)

    def through_a_file(state):
        safetensors.torch.save_file(state, tmp_path / "state.safetensors")
        return safetensors.torch.load_file(tmp_path / "state.safetensors")

    assert torch.equal(draw(tiny_base, parts, settings, between=through_a_file), draw(tiny_base, parts, settings))


def test_a_lora_changes_the_clip_and_leaves_the_base_as_it_was(tiny_base, parts, pair_files):
    before = draw(tiny_base, parts, SETTINGS)
    full, weak = (draw(tiny_base, parts, SETTINGS, pair_files, strength) for strength in (1.0, 0.7))
    assert not torch.equal(before, full)
    assert not torch.equal(full, weak)
    assert torch.equal(before, draw(tiny_base, parts, SETTINGS))


@pytest.mark.parametrize("expert", EXPERTS)
def test_a_stage_without_guidance_runs_the_model_once_a_step(tiny_base, parts, expert):
    settings = dataclasses.replace(SETTINGS, guidance_scale_high=1.0, guidance_scale_low=3.0)
    calls = []
    hook = parts[0][expert].register_forward_hook(lambda *_: calls.append(1))
    try:
        draw(tiny_base, parts, settings)
    finally:
        hook.remove()
    passes = 1 if expert == "high_noise" else 2
    assert len(calls) == passes * stage_steps(tiny_base, settings, expert)


def test_stop_is_seen_between_two_denoising_steps(tiny_base, parts):
    steps = []
    with pytest.raises(Stopped):
        draw_stage(
            parts[0]["high_noise"],
            tiny_base,
            SETTINGS,
            "high_noise",
            start_state(tiny_base, SETTINGS, SEED),
            *parts[1],
            device=DEVICE,
            should_stop=lambda: len(steps) == 1,
            on_step=lambda: steps.append(1),
        )
    assert len(steps) == 1
