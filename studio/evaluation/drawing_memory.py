"""How an expert is kept while clips are drawn, and how many of its blocks must wait in RAM, from the model's measures. Free of torch."""

import math

from studio.config import SweepConfig
from studio.machine import GIB
from studio.models.catalogue import BaseModel
from studio.training.plan.memory import block_bytes, drawing_gb

GB = 1e9
RAM_FOR_OTHERS_GB = 8.0  # of all RAM: the system, the browser, the window, and this program


def how_to_keep(base: BaseModel, config: SweepConfig, free_gb: float, ram_gb: float, lora_rank: int = 64) -> tuple[str, int]:
    """(number format, blocks in RAM): bf16, or as an fp8 file has it; int8 where the blocks that must wait are too many for the RAM as bf16.

    ram_gb: all there is, not what is free now, so that a comparison that goes on another day is drawn the same way.
    """
    if base.has_small_files:
        return "fp8", blocks_to_swap(base, config, free_gb, lora_rank, "fp8")
    swapped = blocks_to_swap(base, config, free_gb, lora_rank)
    if swapped and swapped * block_bytes(base.preset.shape, "bf16") > (ram_gb - RAM_FOR_OTHERS_GB) * GB:
        return "int8", blocks_to_swap(base, config, free_gb, lora_rank, "int8")
    return "bf16", swapped


def blocks_to_swap(base: BaseModel, config: SweepConfig, free_gb: float, lora_rank: int = 64, precision: str = "bf16") -> int:
    """Blocks that do not fit beside the activations in `free_gb` of GPU memory; one stays in any case."""
    shape = base.preset.shape
    _, frames, height, width = base.latent_shape(config.num_frames, config.height, config.width)
    tokens = frames * height * width // math.prod(base.patch_size)
    fitting = (n for n in range(shape.num_blocks) if drawing_gb(shape, precision, n, tokens, lora_rank) * GIB <= free_gb * GB)
    return next(fitting, shape.num_blocks - 1)
