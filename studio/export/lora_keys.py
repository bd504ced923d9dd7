"""LoRA files as they leave the studio: their keys are checked, without torch."""

import re
from pathlib import Path

import safetensors
from safetensors import safe_open

from studio.errors import Problem

LORA_KEY = re.compile(r"diffusion_model\.blocks\.\d+\.(?:(?:self|cross)_attn\.[qkvo]|ffn\.[02])\.lora_(?P<part>[AB])\.weight")


def check_lora(path: Path) -> int:
    """The rank of a LoRA file in our keys, from its header. Problem if it is damaged or holds anything else."""
    try:
        with safe_open(path, "np") as file:
            shapes = {key: file.get_slice(key).get_shape() for key in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as e:
        raise Problem(f"{path.name} can't be read ({e}).", fix="Export an earlier or later pair, or train again.") from None
    odd = next((key for key in shapes if not LORA_KEY.fullmatch(key)), None)
    if odd or not shapes:
        raise Problem(f"{path.name} is not a LoRA pair of the studio: {odd or 'it is empty'}.", fix="Export another pair.")
    return max(shape[0] for key, shape in shapes.items() if ".lora_A." in key)
