"""How many of an expert's blocks must wait in RAM while clips are drawn, from the model's measures. Free of torch."""

import math

GB = 1e9
CONTEXT_GB = 1.5  # the driver's context, the allocator's slack
BYTES = 2  # bf16


def blocks_to_swap(base, config, free_gb, lora_rank=64):
    """Blocks that do not fit beside the activations in `free_gb` of GPU memory; 0 where the model's size is not known.

    Activations, per token: about 30 bytes for each hidden unit (fp32 norms and rotary tables included) and 4 for each unit of the feed-forward.
    """
    memory = base.preset.get("memory")
    if not memory:
        return 0
    _, frames, height, width = base.latent_shape(config.num_frames, config.height, config.width)
    tokens = frames * height * width // math.prod(base.patch_size)
    activations = tokens * (30 * memory["hidden"] + 4 * memory["ffn"])
    blocks = memory["num_blocks"] * memory["block_parameters"] * BYTES
    rest = memory["parameters_per_expert"] * BYTES - blocks + memory["lora_parameters_per_rank"] * lora_rank * 4
    missing = blocks + rest + activations + CONTEXT_GB * GB - free_gb * GB
    if missing > 0:
        missing += memory["block_parameters"] * BYTES  # room for the block that visits
    swapped = math.ceil(missing / (memory["block_parameters"] * BYTES))
    return min(max(swapped, 0), memory["num_blocks"] - 1)
