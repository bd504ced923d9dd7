"""The simulated memory of a step beside that of a real one on the processor, counted the same way: two blocks at WAN 2.2 A14B's true width.

    python tests/benchmarks/simulator.py [--side 32]

Prints one JSON object: bytes at the peak and between steps, simulated and real, for plans that keep, offload and stream. Bar: within 2 %.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from diffusers import WanTransformer3DModel

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from simulation_kit import Shape, simulate, simulate_step

from studio.models.files.weights import Weight
from studio.models.lora import add_lora
from studio.models.preset import model_preset
from studio.models.stream.storage import SmallStorage
from studio.models.stream.streaming import place_blocks
from studio.training.step.block_pass import Pass, StepPlan

BLOCKS, RANK = 2, 32
PLANS = (
    ("bf16", 0, StepPlan()),
    ("bf16", 2, StepPlan(inputs_in_ram=True)),
    ("bf16", 0, StepPlan(blocks_kept=1)),
    ("int8", 2, StepPlan()),
)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=32, help="latents of a picture's side; 32: 256 px, 256 tokens")
    side = parser.parse_args().side
    expect = model_preset("wan22-t2v-a14b").expect
    config = expect | {"num_layers": BLOCKS, "cross_attn_norm": True, "qk_norm": "rms_norm_across_heads", "freq_dim": 256}
    shape, found = Shape(1, side, side, rows=2, preserved=1, prompt_tokens=64), []
    for precision, swapped, plan in PLANS:
        options = dict(rank=RANK, blocks_swapped=swapped, precision=precision)
        simulated, real = simulate_step(config, shape, plan, **options), real_step(config, shape, plan, precision, swapped)
        found.append(
            {
                "precision": precision,
                "blocks_swapped": swapped,
                "plan": str(plan),
                "simulated_peak": simulated.peak,
                "real_peak": real.peak,
                "ratio": simulated.peak / real.peak,
                "resting_equal": simulated.resting == real.resting,
                "host_equal": simulated.host == real.host,
            }
        )
        print(json.dumps(found[-1]), file=sys.stderr, flush=True)
    print(json.dumps({"side": side, "steps": found, "largest_error": max(abs(step["ratio"] - 1) for step in found), "bar": 0.02}))


def real_step(config, shape, plan, precision, swapped):
    """The same block pass with real numbers; every storage that lives is counted."""
    torch.manual_seed(0)
    with torch.device("meta"):
        model = WanTransformer3DModel(**config).requires_grad_(False).eval()
    model.to_empty(device="cpu")
    model.rope = WanTransformer3DModel(**config | {"num_layers": 1, "ffn_dim": 8, "text_dim": 8}).rope
    kept = set(WanTransformer3DModel._keep_in_fp32_modules)
    for name, p in model.named_parameters():
        p.data = torch.randn(p.shape, dtype=torch.bfloat16).mul_(0.02).to(torch.float32 if kept & set(name.split(".")) else torch.bfloat16)
    small = SmallStorage(model, precision)
    for name, module in list(small.linears.items()):
        small.put(Weight(f"{name}.weight", module.weight))
    place_blocks(model, "cpu", swapped)
    add_lora(model, RANK, seed=0)

    def one(is_preserved):
        x_t = torch.randn(1, 16, shape.frames, shape.height, shape.width)
        prompt = torch.randn(1, shape.prompt_tokens, config["text_dim"])
        return Pass(x_t, None if is_preserved else torch.randn_like(x_t), torch.rand(1), prompt)

    return simulate(model, [one(False) for _ in range(shape.rows)] + [one(True) for _ in range(shape.preserved)], plan)


if __name__ == "__main__":
    main()
