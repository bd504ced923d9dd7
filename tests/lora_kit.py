"""LoRA files as other trainers write them: known matrices under every spelling of their names, and the change of weights that each file means."""

import json

import torch
from safetensors.torch import save_file

from studio.models.loras.names import LAYERS

RANK, WIDTH, FFN = 4, 8, 12
Matrices = dict[tuple[int, str], tuple[torch.Tensor, torch.Tensor]]  # (block, our layer) -> (A, B)


def make_matrices(num_blocks: int = 2, rank: int = RANK, width: int = WIDTH, ffn: int = FFN, seed: int = 0) -> Matrices:
    """Of all layers."""
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for block in range(num_blocks):
        for layer in LAYERS:
            num_in, num_out = {"ffn.0": (width, ffn), "ffn.2": (ffn, width)}.get(layer, (width, width))
            a, b = torch.randn(rank, num_in, generator=generator), torch.randn(num_out, rank, generator=generator)
            found[block, layer] = (a / num_in**0.5, b * 0.1)
    return found


def deltas(matrices: Matrices, factor: float = 1.0) -> dict[tuple[int, str], torch.Tensor]:
    """What a LoRA of these matrices adds to the weights, in double precision."""
    return {place: factor * (b.double() @ a.double()) for place, (a, b) in matrices.items()}


def deltas_of(state: dict[str, torch.Tensor]) -> dict[tuple[int, str], torch.Tensor]:
    """The same of a state in our keys."""
    found = {}
    for key in (key for key in state if key.endswith("lora_A.weight")):
        _, _, block, layer = key.removesuffix(".lora_A.weight").split(".", 3)
        found[int(block), layer] = state[key.replace("lora_A", "lora_B")].double() @ state[key].double()
    return found


def dotted(prefix: str, theirs: bool = False, ends: tuple[str, str] = ("lora_A.weight", "lora_B.weight")):
    """A spelling with points, of the makers' layers or diffusers': a function of (block, layer, part) -> key."""
    ends = dict(zip("AB", ends)) | {"alpha": "alpha"}
    return lambda block, layer, part: f"{prefix}blocks.{block}.{LAYERS[layer] if theirs else layer}.{ends[part]}"


def joined(prefix: str, theirs: bool = False):
    """kohya's: one word a layer, and a point before the part."""
    ends = {"A": "lora_down.weight", "B": "lora_up.weight", "alpha": "alpha"}
    return lambda block, layer, part: f"{prefix}blocks_{block}_{(LAYERS[layer] if theirs else layer).replace('.', '_')}.{ends[part]}"


def spell(matrices: Matrices, spelling, alpha=None) -> dict[str, torch.Tensor]:
    """The tensors of a file. alpha: a tensor that is written for each layer."""
    tensors = {}
    for (block, layer), (a, b) in matrices.items():
        tensors |= {spelling(block, layer, "A"): a, spelling(block, layer, "B"): b}
        tensors |= {} if alpha is None else {spelling(block, layer, "alpha"): alpha.clone()}
    return tensors


def write(path, tensors, metadata=None):
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, path, {"format": "pt"} | (metadata or {}))
    return path


def header(**values) -> dict[str, str]:
    """As diffusers keeps an adapter's config: header(transformer={"r": 4})."""
    return {"lora_adapter_metadata": json.dumps({f"{prefix}.{key}": v for prefix, table in values.items() for key, v in table.items()})}
