"""How the frozen weights of the blocks are stored: as they compute, or in 8 bits with scales, from which each Linear makes its weight when it needs it.

Only the Linears inside the blocks are stored small: 98 % of a WAN expert. Norms, embeddings, modulation and the head stay as they are.
"""

import math

import torch
import torch.nn.functional as F

from studio.errors import Problem

BLOCK = 64  # values that share a scale
COMPUTE = {"fp32": torch.float32, "bf16": torch.bfloat16, "int8": torch.bfloat16, "fp8": torch.bfloat16}
STORED = {"int8": torch.int8, "fp8": torch.float8_e4m3fn}
LARGEST = {torch.int8: 127.0, torch.float8_e4m3fn: 448.0, torch.float8_e5m2: 57344.0}
# A layer that is further off than this is broken, or has weights that 8 bits can't hold. Gaussian weights: int8 0.6 %, fp8 2.5 %.
MOST_ERROR = {torch.int8: 0.02, torch.float8_e4m3fn: 0.05}
SCALE_DTYPE = torch.bfloat16  # its range is that of fp32; rounding costs nothing, as values are divided by the rounded scale


class FrozenLinear(torch.nn.Linear):
    """y = W x + b with W = stored * scale, made anew in x's dtype for each use; neither W nor its parts are kept for the way back.

    weight: (out, in) int8 or float8; scale: (out, in / block), each for a block of a row; (out, 1) or (1, 1) for a whole row or tensor.
    """

    def __init__(self, in_features, out_features, bias, stored, scale_columns, device=None, dtype=None):
        super().__init__(in_features, out_features, bias=bias, device="meta", dtype=dtype)
        self.weight = torch.nn.Parameter(torch.empty(out_features, in_features, dtype=stored, device=device), requires_grad=False)
        self.scale = torch.nn.Parameter(torch.empty(out_features, scale_columns, dtype=SCALE_DTYPE, device=device), requires_grad=False)
        if bias:
            self.bias = torch.nn.Parameter(torch.empty(out_features, dtype=dtype, device=device), requires_grad=False)

    def forward(self, x):
        return _Apply.apply(x, self)

    def make_weight(self, dtype):
        """(out, in) in `dtype`."""
        return dequantize(self.weight, self.scale, dtype)

    def extra_repr(self):
        return f"{super().extra_repr()}, stored={self.weight.dtype}, scale={tuple(self.scale.shape)}"


class _Apply(torch.autograd.Function):
    """The layer itself is remembered, not its weight: that may be in RAM again before the way back, and then in another buffer."""

    @staticmethod
    def forward(ctx, x, layer):
        ctx.layer = layer
        return F.linear(x, layer.make_weight(x.dtype), layer.bias)

    @staticmethod
    def backward(ctx, gradient):
        return gradient @ ctx.layer.make_weight(gradient.dtype), None


def dequantize(stored, scale, dtype):
    """stored * scale in `dtype`, (out, in); at most one further copy of that size is made on the way."""
    values = stored.view(len(stored), scale.shape[1], -1).to(dtype)
    return values.mul_(scale[..., None]).view(stored.shape)  # an fp32 scale multiplies in fp32, and only the product is rounded


def quantize(weight, stored, block=BLOCK):
    """(stored, scale) of a weight (out, in): each block of a row is divided so that its largest value is the format's largest.

    Symmetric, round to nearest: "absmax" in the words of Dettmers et al. 2022 (LLM.int8()).
    """
    block = block_size(weight.shape[1], block)
    blocks = weight.detach().float().view(len(weight), -1, block)
    scale = _round_up(blocks.abs().amax(2) / LARGEST[stored]).to(SCALE_DTYPE)
    values = blocks / scale.float().clamp(min=torch.finfo(SCALE_DTYPE).tiny)[..., None]
    values = values.round() if stored == torch.int8 else values
    return values.clamp(-LARGEST[stored], LARGEST[stored]).to(stored).view(weight.shape), scale


def _round_up(scale):
    """To the next number that SCALE_DTYPE has: rounded down, the largest value of a block would be cut."""
    rounded = scale.to(SCALE_DTYPE).float()
    return torch.where(rounded < scale, rounded * (1 + 2**-7), rounded)


def block_size(width, block=BLOCK):
    """How many values of a row of that width share a scale: `block`, a part of it that divides the width, or the whole row."""
    common = math.gcd(width, block)
    return common if common >= 16 else width


def relative_error(weight, stored, scale):
    """Root mean square of what storing changed, relative to that of the weight: a float."""
    weight = weight.detach().float()
    power = weight.square().mean()
    return ((dequantize(stored, scale, torch.float32) - weight).square().mean() / power).sqrt().item() if power else 0.0


def store(name, weight, stored):
    """(stored, scale, relative error) of a layer's weight. Problem that names the layer if 8 bits can't hold it."""
    values, scale = quantize(weight, stored)
    error = relative_error(weight, values, scale)
    if not error <= MOST_ERROR[stored]:  # also where it is not a number
        raise Problem(
            f"The layer {name} cannot be stored in 8 bits: it would be off by {error:.1%}, and {MOST_ERROR[stored]:.0%} is the most that is sound.",
            fix="Choose bf16 as the number format of the base model, or download the model again: its file may be damaged.",
        )
    return values, scale, error
