"""Base models that draw from a first picture and words, end to end, on the tiny model widened for one."""

import dataclasses

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler, WanImageToVideoPipeline
from first_picture_kit import CONDITION, link_picture_model
from PIL import Image

from studio.config import EXPERTS, SweepConfig, load_preset
from studio.data.cache import to_model_range
from studio.errors import Problem
from studio.models.catalogue import BaseModel
from studio.models.first_picture import encode_first_picture
from studio.models.loading import load_expert, load_text_encoder, load_vae
from studio.models.render import decode_frames, draw_stage, start_state

CPU = torch.device("cpu")
PROMPT, NEGATIVE, SEED = "ohwx, a person, waving", "blurry", 7
SETTINGS = SweepConfig(
    width=48, height=32, num_frames=9, num_inference_steps=6, guidance_scale_high=4.0, guidance_scale_low=2.5, negative_prompt=NEGATIVE
)


@pytest.fixture
def base(tmp_path, tiny_base, monkeypatch, workspace):
    return link_picture_model(tmp_path, tiny_base, monkeypatch, workspace)


@pytest.fixture
def picture():
    """(H, W, 3) uint8."""
    return np.random.default_rng(1).integers(0, 255, (SETTINGS.height, SETTINGS.width, 3), dtype=np.uint8)


# -- what the model takes


def test_a_first_picture_is_known_by_the_channels_and_not_by_a_name(base, tiny_base):
    assert base.first_picture and not tiny_base.first_picture
    assert (base.boundary, base.latent_channels) == (0.9, 12)
    configs = base.configs | {"transformer": base.configs["transformer"] | {"in_channels": 24}}
    odd = BaseModel("odd", "Odd", base.folder, preset=base.preset)
    odd.__dict__["configs"] = configs
    with pytest.raises(Problem, match=r"Odd takes 12 channels beside the noised picture, where a first picture has 16"):
        odd.first_picture  # noqa: B018 - the question is what is tested


@pytest.mark.parametrize("name", ["wan22-t2v-a14b", "wan22-ti2v-5b", "wan21-t2v-1.3b"])
def test_the_text_to_video_models_take_none(name, tmp_path):
    preset = load_preset("models", name)
    base = BaseModel(name, preset["title"], tmp_path, preset)
    base.__dict__["configs"] = {"transformer": preset["expect"], "vae": preset["configs"]["vae"]}
    assert not base.first_picture


@pytest.mark.parametrize("num_frames", [1, 5, 9])
def test_the_condition_is_the_stock_pipelines(base, picture, num_frames):
    pipeline = WanImageToVideoPipeline.from_pretrained(base.folder, dtype=torch.float32, local_files_only=True)
    pixels = to_model_range(picture[None])
    expected = pipeline.prepare_latents(pixels[:, :, 0], 1, 12, 32, 48, num_frames, torch.float32, CPU)[1]
    found = encode_first_picture(load_vae(base, device=CPU), pixels, num_frames, base.temporal_factor)
    assert found.shape == (1, CONDITION, (num_frames - 1) // 4 + 1, 8, 12)
    assert torch.equal(found, expected)


@pytest.mark.parametrize("scheduler", ["unipc", "euler"])
def test_two_stages_from_a_picture_equal_the_stock_pipeline_bit_for_bit(base, picture, scheduler):
    settings = dataclasses.replace(SETTINGS, scheduler=scheduler)
    encoder, vae = load_text_encoder(base, device=CPU, dtype=torch.float32), load_vae(base, device=CPU)
    embeds = [encoder.encode([text]) for text in (PROMPT, NEGATIVE)]
    condition = encode_first_picture(vae, to_model_range(picture[None]), settings.num_frames, base.temporal_factor)
    drawn = {}
    for name, given in (("picture", condition), ("nothing", torch.zeros_like(condition))):
        state = start_state(base, settings, SEED, given)
        for expert in EXPERTS:
            model = load_expert(base, expert, dtype=torch.float32, device=CPU)
            state = draw_stage(model, base, settings, expert, state, *embeds, device=CPU)
        drawn[name] = decode_frames(vae, state["latents"], CPU)
    assert np.array_equal(drawn["picture"], draw_stock(base, settings, picture))
    assert not np.array_equal(drawn["picture"], drawn["nothing"])


def draw_stock(base, settings, picture):
    """The clip by diffusers alone."""
    pipeline = WanImageToVideoPipeline.from_pretrained(base.folder, dtype=torch.float32, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    kind = {"unipc": UniPCMultistepScheduler, "euler": FlowMatchEulerDiscreteScheduler}[settings.scheduler]
    options = {"flow_shift": settings.flow_shift} if settings.scheduler == "unipc" else {"shift": settings.flow_shift}
    pipeline.scheduler = kind.from_config(pipeline.scheduler.config, **options)
    return pipeline(
        Image.fromarray(picture),
        PROMPT,
        negative_prompt=NEGATIVE,
        height=settings.height,
        width=settings.width,
        num_frames=settings.num_frames,
        num_inference_steps=settings.num_inference_steps,
        guidance_scale=settings.guidance_scale_high,
        guidance_scale_2=settings.guidance_scale_low,
        generator=torch.Generator("cpu").manual_seed(SEED),
        max_sequence_length=base.max_prompt_tokens,
        output_type="np",
    ).frames[0]
