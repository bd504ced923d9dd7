"""Our own LoRA files, written and measured. What ComfyUI, AI Toolkit, diffusion-pipe and diffusers read; `studio.models.loras` reads everybody's."""

import json
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch

from studio.disk import write_atomic

LoraState = dict[str, torch.Tensor]  # the matrices of a LoRA, by our keys


def save_lora_file(path: Path, state: LoraState, metadata: Mapping[str, str]) -> None:
    """Write a state in our keys as one safetensors file, whole or not at all. metadata: str -> str, without paths or personal names."""
    bad = [k for k, v in metadata.items() if not isinstance(k, str) or not isinstance(v, str)]
    if bad:
        raise TypeError(f"metadata must be text to text, got another type for {bad[0]!r}")
    tensors = {key: state[key].detach().cpu().contiguous() for key in sorted(state)}
    write_atomic(path, _with_ordered_header(safetensors.torch.save(tensors, {"format": "pt", **metadata})))


def lora_rank(state: LoraState) -> int:
    """The largest rank of the layers in a state."""
    return max(tensor.shape[0] for key, tensor in state.items() if key.endswith("lora_A.weight"))


def _with_ordered_header(data: bytes) -> bytes:
    """The same safetensors file with its header sorted. The library writes metadata in random order; equal LoRAs must be equal files."""
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8:start]), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    header = header.ljust(-(-len(header) // 8) * 8)  # the format wants tensors to begin at a multiple of 8
    return len(header).to_bytes(8, "little") + header + data[start:]
