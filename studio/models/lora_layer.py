"""The LoRA layer that peft puts into the transformer for us: it computes in the number format of the pictures, and keeps little for the way back."""

from typing import Any

import torch
import torch.nn.functional as F
from peft import LoraConfig
from peft.tuners.lora import Linear


class LoraLinear(Linear):
    """peft's LoRA Linear, but for how it computes: y = W x + b + scale * B (A x), all in x's dtype, A and B kept in fp32.

    peft brings x to the dtype of A instead, which for a bf16 model means an fp32 copy of every input, kept for the backward pass,
    or autocast, whose cache of cast weights does not go with parts that run now without and now with gradients.
    """

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        result = self.base_layer(x)
        if self.disable_adapters:
            return result
        for name in self.active_adapters:
            a, b = self.lora_A[name].weight.to(x.dtype), self.lora_B[name].weight.to(x.dtype)
            result = result + F.linear(F.linear(x, a), b) * self.scaling[name]  # pyright: ignore[reportArgumentType] peft's ModuleDicts hold Linears alone
        return result


def use_own_layer(config: LoraConfig) -> LoraConfig:
    """Tell a peft LoraConfig to make LoraLinear of every nn.Linear; returns the config."""
    config._register_custom_module({torch.nn.Linear: LoraLinear})
    return config
