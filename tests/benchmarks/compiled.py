"""torch.compile of the blocks, translated into machine code, beside the blocks as they are: gradients, programs made, seconds.

On a processor it shows that it is right, streamed and in 8 bits too; what it is worth on a GPU, `doctor --gpu` measures there. Five minutes.
    python tests/benchmarks/compiled.py [--device cuda]
"""

import argparse
import json
import sys
import time
from pathlib import Path

import torch
from diffusers import WanTransformer3DModel
from torch._dynamo.utils import counters

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from studio.models.compiled import call_block, compile_block
from studio.models.files.weights import Weight
from studio.models.lora import add_lora, trainable_lora
from studio.models.stream.links import make_link
from studio.models.stream.storage import SmallStorage
from studio.models.stream.streaming import place_blocks
from studio.training.step.block_pass import StepPlan
from studio.training.step.gradients import Group, Row, accumulate_gradients

CONFIG = dict(
    num_attention_heads=4,
    attention_head_dim=64,
    ffn_dim=1024,
    text_dim=64,
    freq_dim=64,
    num_layers=4,
    cross_attn_norm=True,
    qk_norm="rms_norm_across_heads",
)
STEPS = 5
BAR = 1e-5


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    device = torch.device(parser.parse_args().device)
    result = {}
    for precision in ("fp32", "int8"):
        expected, plain_seconds = steps_of(precision, 0, call_block, device)
        for swapped in (0, 3):
            found, seconds = steps_of(precision, swapped, compile_block(), device)
            error = max(((found[k] - g).norm() / g.norm()).item() for k, g in expected.items())
            result[f"{precision}, {swapped} of 4 blocks swapped"] = {
                "largest_relative_error": error,
                "bar": BAR,
                "programs_so_far": counters["stats"]["unique_graphs"],
                "seconds_of_first_step": round(seconds[0], 1),
                "seconds_per_step": round(min(seconds[1:]), 3),
                "plain_seconds_per_step": round(min(plain_seconds[1:]), 3),
            }
    print(json.dumps(result, indent=1))
    return int(any(not case["largest_relative_error"] <= BAR for case in result.values()))


def steps_of(precision, swapped, compute, device):
    """(gradients of the last step, seconds of each)."""
    model, seconds = model_of(precision), []
    place_blocks(model, device, swapped, link=make_link(device, spoils=True))
    add_lora(model, 4, seed=0)
    draw = torch.Generator().manual_seed(2)
    for key, p in trainable_lora(model).items():
        if "lora_B" in key:
            p.data.copy_(torch.randn(p.shape, generator=draw) * 0.1)
    for _ in range(STEPS):
        model.zero_grad()
        started = time.perf_counter()
        accumulate_gradients(model, group(), device, StepPlan(compute=compute)).tolist()
        seconds.append(time.perf_counter() - started)
    return {key: p.grad.cpu() for key, p in trainable_lora(model).items()}, seconds


def model_of(precision):
    torch.manual_seed(0)
    model = WanTransformer3DModel(**CONFIG).requires_grad_(False).eval()
    small = SmallStorage(model, precision)
    for name, module in list(small.linears.items()):
        small.put(Weight(f"{name}.weight", module.weight))
    return model


def group():
    """Photos of two sizes and a clip to learn, and one of others."""
    draw = torch.Generator().manual_seed(3)

    def row(frames, side, sigma):
        latents, noise = (torch.randn(16, frames, side, side, generator=draw) for _ in range(2))
        return Row(latents, noise, sigma, torch.randn(32, 64, generator=draw))

    return Group((row(1, 32, 0.2), row(1, 24, 0.5), row(3, 16, 0.8)), (row(1, 32, 0.4),), 0.75)


if __name__ == "__main__":
    raise SystemExit(main())
