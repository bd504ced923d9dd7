"""LoRA files: one name for every layer inside the studio, and the other trainers' names for the same thing.

Ours is what ComfyUI, AI Toolkit, diffusion-pipe and diffusers read: `diffusion_model.blocks.N.self_attn.q.lora_A.weight`, without alpha.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open

from studio.disk import write_atomic
from studio.errors import Problem

LoraState = dict[str, torch.Tensor]  # the matrices of a LoRA, by our keys
PREFIX = "diffusion_model."
LAYERS = {  # original name -> diffusers name, within a block
    "self_attn.q": "attn1.to_q",
    "self_attn.k": "attn1.to_k",
    "self_attn.v": "attn1.to_v",
    "self_attn.o": "attn1.to_out.0",
    "cross_attn.q": "attn2.to_q",
    "cross_attn.k": "attn2.to_k",
    "cross_attn.v": "attn2.to_v",
    "cross_attn.o": "attn2.to_out.0",
    "ffn.0": "ffn.net.0.proj",
    "ffn.2": "ffn.net.2",
}
_ANY_NAME = {
    variant: ours for ours, theirs in LAYERS.items() for variant in (ours, theirs, ours.replace(".", "_"), theirs.replace(".", "_"))
}
_WRAPPERS = re.compile(
    r"^(base_model\.model\.|model\.diffusion_model\.|diffusion_model\.|transformer_2\.|transformer\.|lora_unet__?|lora_transformer_)+"
)
_PARTS = {"lora_A": "A", "lora_down": "A", "lora_B": "B", "lora_up": "B", "alpha": "alpha"}
_KEY = re.compile(r"^blocks[._](?P<block>\d+)[._](?P<layer>.+?)\.(?P<part>lora_A|lora_B|lora_down|lora_up|alpha)(\.\w+)?(\.weight)?$")


def file_key(module_name: str, part: str) -> str:
    """("blocks.3.attn1.to_q", "A") -> our key in a file."""
    _, block, layer = module_name.split(".", 2)
    return f"{PREFIX}blocks.{block}.{_ANY_NAME[layer]}.lora_{part}.weight"


def save_lora_file(path: Path, state: LoraState, metadata: Mapping[str, str]) -> None:
    """Write a state in our keys as one safetensors file, whole or not at all. metadata: str -> str, without paths or personal names."""
    bad = [k for k, v in metadata.items() if not isinstance(k, str) or not isinstance(v, str)]
    if bad:
        raise TypeError(f"metadata must be text to text, got another type for {bad[0]!r}")
    tensors = {key: state[key].detach().cpu().contiguous() for key in sorted(state)}
    write_atomic(path, _with_ordered_header(safetensors.torch.save(tensors, {"format": "pt", **metadata})))


def read_lora_file(path: Path | str) -> tuple[LoraState, dict[str, str]]:
    """(state in our keys, fp32, alpha folded in; metadata) of a WAN LoRA in any trainer's naming. Problem names what is wrong."""
    path = Path(path)
    tensors, metadata = _read_tensors(path)
    layers: dict[tuple[int, str], dict[str, torch.Tensor]] = {}
    unknown = []
    for key, tensor in tensors.items():
        name = _parse(key)
        if name is None:
            unknown.append(key)
        else:
            layers.setdefault(name[:2], {})[name[2]] = tensor.float()
    if not layers:
        example = f" (its first key is {next(iter(tensors))!r})" if tensors else ""
        raise Problem(f"{path.name} is not a LoRA for WAN{example}.", fix="Choose a LoRA file made for WAN 2.1 or 2.2, 14 B.")
    if unknown:
        raise Problem(
            f"{path.name} changes {len(unknown)} parts that the studio does not apply, for example {unknown[0]!r}.",
            fix="Use a LoRA of attention and feed-forward layers only.",
        )
    state = {}
    for (block, layer), parts in sorted(layers.items()):
        a, b = _scaled(path, f"blocks.{block}.{layer}", parts)
        state[f"{PREFIX}blocks.{block}.{layer}.lora_A.weight"] = a
        state[f"{PREFIX}blocks.{block}.{layer}.lora_B.weight"] = b
    return state, metadata


def lora_rank(state: LoraState) -> int:
    """The largest rank of the layers in a state."""
    return max(tensor.shape[0] for key, tensor in state.items() if key.endswith("lora_A.weight"))


def _with_ordered_header(data: bytes) -> bytes:
    """The same safetensors file with its header sorted. The library writes metadata in random order; equal LoRAs must be equal files."""
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8:start]), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    header = header.ljust(-(-len(header) // 8) * 8)  # the format wants tensors to begin at a multiple of 8
    return len(header).to_bytes(8, "little") + header + data[start:]


def _read_tensors(path: Path) -> tuple[LoraState, dict[str, str]]:
    if not path.is_file():
        raise Problem(f"There is no file {path.name}.", fix="Choose a .safetensors file.")
    if path.suffix != ".safetensors":
        raise Problem(
            f"{path.name} is no .safetensors file; other kinds can hold programs and are never opened.", fix="Choose a .safetensors file."
        )
    try:
        with safe_open(path, "pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except (SafetensorError, OSError) as e:
        raise Problem(
            f"{path.name} cannot be read ({e}); it is cut off or no safetensors file.", fix="Copy or download it again."
        ) from None


def _parse(key: str) -> tuple[int, str, str] | None:
    """(block, our layer name, "A" | "B" | "alpha") of a key in any naming, or None."""
    match = _KEY.match(_WRAPPERS.sub("", key))
    if match is None or match["layer"] not in _ANY_NAME:
        return None
    return int(match["block"]), _ANY_NAME[match["layer"]], _PARTS[match["part"]]


def _scaled(path: Path, name: str, parts: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """(A, B) of a layer with alpha / rank multiplied into B."""
    a, b = parts.get("A"), parts.get("B")
    if a is None or b is None:
        raise Problem(f"{path.name} is incomplete: {name} has only one of its two matrices.", fix="Copy or download it again.")
    if a.ndim != 2 or b.ndim != 2 or a.shape[0] != b.shape[1]:
        raise Problem(
            f"{path.name}: the matrices of {name} do not fit each other ({tuple(a.shape)} and {tuple(b.shape)}).", fix="Use another file."
        )
    if not (torch.isfinite(a).all() and torch.isfinite(b).all()):
        raise Problem(
            f"{path.name} holds numbers that are not finite in {name}; its training broke down.", fix="Use an earlier checkpoint."
        )
    return a, b * (float(parts["alpha"]) / a.shape[0]) if "alpha" in parts else b
