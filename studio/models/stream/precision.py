"""How the frozen weights of the blocks are stored: as they compute, or in 8 bits with scales, from which each Linear makes its weight when it needs it.

Only the Linears inside the blocks are stored small: 98 % of a WAN expert. Norms, embeddings, modulation and the head stay as they are.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F

from studio.errors import Problem

BLOCK = 64  # values that share a scale
COMPUTE = {"fp32": torch.float32, "bf16": torch.bfloat16, "int8": torch.bfloat16, "fp8": torch.bfloat16}
STORED = {"int8": torch.int8, "fp8": torch.float8_e4m3fn}
LARGEST = {torch.int8: 127.0, torch.float8_e4m3fn: 448.0, torch.float8_e5m2: 57344.0}
# A layer that is further off than this is broken, or has weights that 8 bits can't hold. Gaussian weights: int8 0.6 %, fp8 2.5 %.
MOST_ERROR = {torch.int8: 0.02, torch.float8_e4m3fn: 0.05}
FEWEST_ROWS = 32  # tokens from which a product of 8-bit numbers is worth it, and that its kernel takes
ROWS_AT_ONCE = 1024
SCALE_DTYPE = torch.bfloat16  # its range is that of fp32; rounding costs nothing, as values are divided by the rounded scale


class FrozenLinear(torch.nn.Linear):
    """y = W x + b with W = stored * scale, made anew in x's dtype for each use; neither W nor its parts are kept for the backward pass.

    weight: (out, in) int8 or float8; scale: (out, in / block), each for a block of a row; (out, 1) or (1, 1) for a whole row or tensor.
    """

    multiplies_small = False  # whether the product itself is of 8-bit numbers, in the forward pass

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool,
        stored: torch.dtype,
        scale_columns: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_features, out_features, bias=bias, device="meta", dtype=dtype)
        self.weight = torch.nn.Parameter(torch.empty(out_features, in_features, dtype=stored, device=device), requires_grad=False)
        self.scale = torch.nn.Parameter(torch.empty(out_features, scale_columns, dtype=SCALE_DTYPE, device=device), requires_grad=False)
        if bias:
            self.bias = torch.nn.Parameter(torch.empty(out_features, dtype=dtype, device=device), requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if torch.compiler.is_compiling():
            return _closed(x, self.weight, self.scale, self.bias, self.multiplies_small)
        return _Apply.apply(x, self)

    def make_weight(self, dtype: torch.dtype) -> torch.Tensor:
        """(out, in) in `dtype`."""
        return dequantize(self.weight, self.scale, dtype)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, stored={self.weight.dtype}, scale={tuple(self.scale.shape)}"


class _Apply(torch.autograd.Function):
    """The layer itself is remembered, not its weight: that may be in RAM again before the backward pass, and then in another buffer."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, layer: FrozenLinear) -> torch.Tensor:
        ctx.layer = layer
        return _forward(x, layer.weight, layer.scale, layer.bias, layer.multiplies_small)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradient @ ctx.layer.make_weight(gradient.dtype), None


def _forward(x: torch.Tensor, weight: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None, multiplies_small: bool) -> torch.Tensor:
    if multiplies_small and x.numel() >= FEWEST_ROWS * x.shape[-1]:
        return multiply_small(x, weight, scale, bias)
    return F.linear(x, dequantize(weight, scale, x.dtype), bias)


# The same for torch.compile, as operators that it does not look into: what it sees made, it keeps for the backward pass, and here that is the
# whole weight. (Measured: it did so with _Apply.)


@torch.library.custom_op("likeness_studio::frozen_linear", mutates_args=())
def _closed(x: torch.Tensor, weight: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None, multiplies_small: bool) -> torch.Tensor:
    return _forward(x, weight, scale, bias, multiplies_small)


@torch.library.custom_op("likeness_studio::frozen_linear_back", mutates_args=())
def _closed_back(gradient: torch.Tensor, weight: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    return gradient @ dequantize(weight, scale, gradient.dtype)


@_closed.register_fake
def _closed_shape(
    x: torch.Tensor, weight: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None, multiplies_small: bool
) -> torch.Tensor:
    return x.new_empty(*x.shape[:-1], weight.shape[0])


@_closed_back.register_fake
def _closed_back_shape(gradient: torch.Tensor, weight: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    return gradient.new_empty(*gradient.shape[:-1], weight.shape[1])


def _remember(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
    ctx.save_for_backward(*inputs[1:3])


def _go_back(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None, None, None]:
    return _closed_back(gradient, *ctx.saved_tensors), None, None, None, None


_closed.register_autograd(_go_back, setup_context=_remember)


def dequantize(stored: torch.Tensor, scale: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """stored * scale in `dtype`, (out, in); at most one further copy of that size is made on the way."""
    values = stored.view(len(stored), scale.shape[1], -1).to(dtype)
    return values.mul_(scale[..., None]).view(stored.shape)  # an fp32 scale multiplies in fp32, and only the product is rounded


def multiply_small(x: torch.Tensor, weight: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """x W^T + b with x (..., in) rounded to the weight's 8 bits too, a scale for each of its rows; scale: (out, 1), or (1, 1).

    "Vector-wise quantization" in the words of Dettmers et al. 2022 (LLM.int8()). A part of the rows at a time: sums are 32 bits large.
    """
    rows = x.reshape(-1, x.shape[-1])
    result = rows.new_empty(len(rows), len(weight))
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = rows[start : start + ROWS_AT_ONCE].float()
        by_row = part.abs().amax(1, keepdim=True).clamp(min=1e-12) / LARGEST[weight.dtype]
        part = part / by_row
        if weight.dtype == torch.int8:
            sums = _int8_sums(part.round().to(torch.int8), weight)
        else:
            one = torch.ones((), device=x.device)
            sums = torch._scaled_mm(  # pyright: ignore[reportPrivateImportUsage] torch has no other way to it
                part.to(weight.dtype), weight.t(), scale_a=one, scale_b=one, out_dtype=torch.float32
            )
        result[start : start + ROWS_AT_ONCE] = sums.float().mul_(by_row).mul_(scale.float().t())
    if bias is not None:
        result += bias
    return result.view(*x.shape[:-1], len(weight))


def _int8_sums(rows: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """int32 (rows, out). The GPU's kernel wants more than 16 rows: a short rest is filled up."""
    count = len(rows)
    if count < FEWEST_ROWS:
        rows = F.pad(rows, (0, 0, 0, FEWEST_ROWS - count))
    return torch._int_mm(rows, weight.t())[:count]  # pyright: ignore[reportPrivateImportUsage] torch has no other way to it


def why_not_multiplied(device: torch.device | str, stored: torch.dtype, scale_columns: int = 1) -> str:
    """Why 8-bit numbers of a format can't be multiplied on a device, or "". int8: from RTX 20 on; fp8: from RTX 40 on, or on a CPU."""
    if scale_columns != 1:
        return "the weights have several scales in a row"
    if torch.device(device).type != "cuda":
        return ""
    least, cards = {torch.int8: ((7, 5), "RTX 20"), torch.float8_e4m3fn: ((8, 9), "RTX 40")}.get(stored, (None, ""))
    if least is None:
        return f"{stored} numbers are not multiplied"
    return "" if torch.cuda.get_device_capability(device) >= least else f"that takes a card of the {cards} series or newer"


def quantize(weight: torch.Tensor, stored: torch.dtype, block: int = BLOCK) -> tuple[torch.Tensor, torch.Tensor]:
    """(stored, scale) of a weight (out, in): each block of a row is divided so that its largest value is the format's largest.

    Symmetric, round to nearest: "absmax" in the words of Dettmers et al. 2022 (LLM.int8()).
    """
    block = block_size(weight.shape[1], block)
    blocks = weight.detach().float().view(len(weight), -1, block)
    scale = _round_up(blocks.abs().amax(2) / LARGEST[stored]).to(SCALE_DTYPE)
    values = blocks / scale.float().clamp(min=torch.finfo(SCALE_DTYPE).tiny)[..., None]
    values = values.round() if stored == torch.int8 else values
    return values.clamp(-LARGEST[stored], LARGEST[stored]).to(stored).view(weight.shape), scale


def _round_up(scale: torch.Tensor) -> torch.Tensor:
    """To the next number that SCALE_DTYPE has: rounded down, the largest value of a block would be cut."""
    rounded = scale.to(SCALE_DTYPE).float()
    return torch.where(rounded < scale, rounded * (1 + 2**-7), rounded)


def block_size(width: int, block: int = BLOCK) -> int:
    """How many values of a row of that width share a scale: `block`, a part of it that divides the width, or (0) the whole row."""
    common = math.gcd(width, block or width)
    return common if common >= 16 else width


def relative_error(weight, stored, scale):
    """Root mean square of what storing changed, relative to that of the weight: a float."""
    weight = weight.detach().float()
    power = weight.square().mean()
    return ((dequantize(stored, scale, torch.float32) - weight).square().mean() / power).sqrt().item() if power else 0.0


def store(name, weight, stored, block=BLOCK):
    """(stored, scale, relative error) of a layer's weight. Problem that names the layer if 8 bits can't hold it."""
    values, scale = quantize(weight, stored, block)
    error = relative_error(weight, values, scale)
    if not error <= MOST_ERROR[stored]:  # also where it is not a number
        raise Problem(
            f"The layer {name} cannot be stored in 8 bits: it would be off by {error:.1%}, and {MOST_ERROR[stored]:.0%} is the most that is sound.",
            fix="Choose bf16 as the number format of the base model, or download the model again: its file may be damaged.",
        )
    return values, scale, error
