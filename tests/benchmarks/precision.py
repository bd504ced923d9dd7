"""What 8-bit storage costs at WAN 2.2 A14B's true width: the error of every Linear of a block, the block's output, and the bytes of an expert.

Weights are Gaussian, as no hub is asked for the true ones; `models` reports the same figures of a real file when it is loaded.
    python tests/benchmarks/precision.py [--tokens 256]
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from diffusers import WanTransformer3DModel

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from simulation_kit import make_model

from studio.models.files.weights import Weight
from studio.models.forward import begin
from studio.models.stream.storage import SmallStorage
from studio.models.stream.streaming import place_blocks

A14B = dict(num_attention_heads=40, attention_head_dim=128, text_dim=4096, freq_dim=256, ffn_dim=13824, cross_attn_norm=True, num_layers=40)
BARS = {"int8": 0.008, "fp8": 0.028}
RAM_BARS_GB = {"bf16": 29.5, "int8": 15.5, "fp8": 15.5}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=256, help="tokens of the picture that goes through the block")
    args = parser.parse_args()
    result = {"layers": {}, "block_output_error": {}, "host_ram_gb": {}}
    exact = block_of("fp32")
    inputs, context = hidden_states(exact, args.tokens)
    expected = through(exact, inputs, context)
    del exact
    for precision in BARS:
        model = block_of(precision)
        result["layers"][precision] = {name: round(error, 5) for name, error in model.storage.errors.items()}
        result["block_output_error"][precision] = through(model, inputs, context, expected)
        del model
    for precision in RAM_BARS_GB:
        result["host_ram_gb"][precision] = round(expert_gb(precision), 2)
    result["bars"] = {p: {"most": max(result["layers"][p].values()), "bar": bar} for p, bar in BARS.items()}
    result["ram_bars"] = {p: {"gb": result["host_ram_gb"][p], "bar": bar} for p, bar in RAM_BARS_GB.items()}
    print(json.dumps(result, indent=1))


def block_of(precision):
    """One block at true width, its weights drawn from the same seed every time."""
    torch.manual_seed(0)
    model = WanTransformer3DModel(**A14B | {"num_layers": 1}).requires_grad_(False).eval()
    for p in model.parameters():
        if p.ndim > 1:
            torch.nn.init.normal_(p, std=p[0].numel() ** -0.5)
    small = SmallStorage(model, precision)
    for name, module in list(small.linears.items()):
        small.put(Weight(f"{name}.weight", module.weight))
    model.storage = small.report
    return model


def hidden_states(model, tokens):
    side = 2 * int(tokens**0.5)
    generator = torch.Generator().manual_seed(1)
    x_t, text = torch.randn(1, 16, 1, side, side, generator=generator), torch.randn(1, 64, 4096, generator=generator)
    with torch.no_grad():
        return begin(model, x_t, torch.tensor([500.0]), text)


def through(model, inputs, context, expected=None):
    """The block's output; or its relative error, of what the block adds to its inputs, against `expected`."""
    with torch.no_grad():
        output = model.blocks[0](inputs, *context.block_inputs)
    if expected is None:
        return output
    return round(((output - expected).norm() / (expected - inputs).norm()).item(), 5)


def expert_gb(precision):
    """RAM of one expert with every block swapped, counted on shapes, GB of 10^9."""
    model = make_model(A14B | {"num_layers": 2}, torch.bfloat16, precision)
    beside = sum(p.nbytes for name, p in model.named_parameters() if not name.startswith("blocks."))
    return (40 * place_blocks(model, "meta", 2).slabs[0].nbytes + beside) / 1e9


if __name__ == "__main__":
    main()
