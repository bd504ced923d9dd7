"""LoRA files as they leave the studio: their keys checked, and renamed for musubi-tuner, byte for byte and without torch."""

import json
import re
import struct

import safetensors
from safetensors import safe_open

from studio.errors import Problem

_KEY = re.compile(r"diffusion_model\.blocks\.\d+\.(?:(?:self|cross)_attn\.[qkvo]|ffn\.[02])\.lora_(?P<part>[AB])\.weight")
_MUSUBI = {"A": "lora_down", "B": "lora_up"}


def check_lora(path):
    """The rank of a LoRA file in our keys, from its header. Problem if it is damaged or holds anything else."""
    try:
        with safe_open(path, "np") as file:
            shapes = {key: file.get_slice(key).get_shape() for key in file.keys()}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError) as e:
        raise Problem(f"{path.name} can't be read ({e}).", fix="Export an earlier or later pair, or train again.") from None
    odd = next((key for key in shapes if not _KEY.fullmatch(key)), None)
    if odd or not shapes:
        raise Problem(f"{path.name} is not a LoRA pair of the studio: {odd or 'it is empty'}.", fix="Export another pair.")
    return max(shape[0] for key, shape in shapes.items() if ".lora_A." in key)


def write_for_musubi(source, target):
    """The same numbers under kohya's names, with alpha == rank for every layer."""
    tensors = dict(safetensors.deserialize(source.read_bytes()))
    renamed = {}
    for key, tensor in sorted(tensors.items()):
        layer, part = _musubi_name(key)
        renamed[f"{layer}.{_MUSUBI[part]}.weight"] = {"dtype": tensor["dtype"], "shape": tensor["shape"], "data": bytes(tensor["data"])}
        if part == "A":
            renamed[f"{layer}.alpha"] = {"dtype": "F32", "shape": [], "data": struct.pack("<f", tensor["shape"][0])}
    target.write_bytes(_serialize(renamed))


def _musubi_name(key):
    match = _KEY.fullmatch(key)
    layer = key.removeprefix("diffusion_model.").rsplit(".lora_", 1)[0]
    return "lora_unet_" + layer.replace(".", "_"), match["part"]


def _serialize(tensors):
    """safetensors: length of the header, header, numbers."""
    header, position = {"__metadata__": {"format": "pt"}}, 0
    for key, tensor in tensors.items():
        end = position + len(tensor["data"])
        header[key] = {"dtype": tensor["dtype"], "shape": list(tensor["shape"]), "data_offsets": [position, end]}
        position = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(tensor["data"] for tensor in tensors.values())
