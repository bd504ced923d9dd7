"""Memory counted on shapes alone against the same count of a real run."""

from dataclasses import replace

import pytest
import torch
from diffusers import WanTransformer3DModel
from simulation_kit import Shape, simulate, simulate_step

from studio.models.lora import add_lora, trainable_lora
from studio.models.stream.streaming import place_blocks
from studio.training.step.block_pass import Pass, StepPlan

CONFIG = dict(
    num_attention_heads=8,
    attention_head_dim=32,
    text_dim=128,
    freq_dim=64,
    ffn_dim=768,
    num_layers=2,
    cross_attn_norm=True,
    qk_norm="rms_norm_across_heads",
)
SHAPE = Shape(frames=1, height=32, width=32, rows=2, preserved=1, prompt_tokens=32)


def real_run(plan, blocks_swapped):
    """The same block pass with real numbers on the CPU, counted the same way."""
    torch.manual_seed(0)
    model = WanTransformer3DModel(**CONFIG).requires_grad_(False).eval()
    for name, p in model.named_parameters():
        p.data = p.data.to(torch.float32 if set(WanTransformer3DModel._keep_in_fp32_modules) & set(name.split(".")) else torch.bfloat16)
    place_blocks(model, "cpu", blocks_swapped)
    add_lora(model, 8, seed=0)

    def one(is_preserved):
        x_t = torch.randn(1, 16, SHAPE.frames, SHAPE.height, SHAPE.width)
        return Pass(x_t, None if is_preserved else torch.randn_like(x_t), torch.rand(1), torch.randn(1, SHAPE.prompt_tokens, 128))

    counted = simulate(model, [one(False) for _ in range(SHAPE.rows)] + [one(True)], plan)
    assert all(p.grad is not None for p in trainable_lora(model).values())
    return counted


@pytest.mark.parametrize("blocks_swapped", [0, 2])
@pytest.mark.parametrize("plan", [StepPlan(), StepPlan(blocks_kept=1), StepPlan(inputs_in_ram=True)], ids=str)
def test_the_simulated_peak_is_that_of_a_real_run(plan, blocks_swapped):
    simulated = simulate_step(CONFIG, SHAPE, plan, rank=8, blocks_swapped=blocks_swapped)
    real = real_run(plan, blocks_swapped)
    assert simulated.resting == real.resting and simulated.host == real.host
    assert simulated.peak == pytest.approx(real.peak, rel=0.02)


def test_what_saves_memory_saves_it():
    def peak(shape=SHAPE, blocks_swapped=0, **plan):
        return simulate_step(CONFIG, shape, StepPlan(**plan), rank=8, blocks_swapped=blocks_swapped).peak

    everything = peak()
    assert peak(inputs_in_ram=True) < everything < peak(blocks_kept=2)
    assert peak(replace(SHAPE, rows=1, preserved=0)) < everything < peak(replace(SHAPE, rows=8))


def test_blocks_that_wait_are_counted_in_ram_and_two_of_them_on_the_gpu():
    resident, swapped = (simulate_step(CONFIG, SHAPE, StepPlan(), rank=8, blocks_swapped=n) for n in (0, 2))
    assert resident.host == 0
    assert swapped.host > 0 and swapped.resting == pytest.approx(resident.resting, rel=0.01), "two blocks and two buffers for them"
