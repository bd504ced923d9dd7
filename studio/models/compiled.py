"""A transformer block as a program of its own, made by torch.compile: once, for all blocks, wherever their weights lie at the time."""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F

MOST_PROGRAMS = 64  # of one block: with and without LoRA, with gradients, and each for a first size and then for any


def call_block(block: torch.nn.Module, hidden: torch.Tensor, *inputs: Any) -> torch.Tensor:
    """The block as it is, for whoever takes either."""
    return block(hidden, *inputs)


@cache
def compile_block(backend: str = "inductor") -> Callable[..., torch.Tensor]:
    """A function that computes as call_block, compiled when it first meets a kind of input.

    The block is an argument of the program, and its weights are looked up at each call: they may be views of another buffer every time. So the
    programs serve every block of both experts. Sizes that vary are left open from the second size on. Raises what `is_compiler_failure` knows.
    """
    from diffusers.models.transformers.transformer_wan import WanTransformerBlock

    # not block.forward: a swapped block's own borrows the device, block by block, and a program would be made for each
    return torch.compile(WanTransformerBlock.forward, backend=backend, fullgraph=True, recompile_limit=MOST_PROGRAMS)  # pyright: ignore[reportCallIssue] missing in torch's overloads


def is_compiler_failure(error: BaseException) -> bool:
    """Whether an exception means that a program could not be made, of torch's compiler or of what it calls."""
    from torch._dynamo.exc import TorchDynamoException

    return isinstance(error, TorchDynamoException)


def why_not_compiled(device: torch.device | str, backend: str = "inductor") -> str:
    """Why blocks cannot be compiled on a device, in one line, or "": a small program is made, forward and backward, which takes some seconds."""

    def product(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        return F.silu(x @ weight).mean()

    weight = torch.randn(64, 64, device=device, requires_grad=True)
    try:
        torch.compile(product, backend=backend, fullgraph=True)(torch.randn(64, 64, device=device), weight).backward()
    except Exception as e:  # a missing compiler shows itself in many ways, and that it is missing is what was asked
        return describe_failure(e)
    return ""


def describe_failure(error: BaseException) -> str:
    """The first line of what a compiler said, cut to a length that can be read."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
