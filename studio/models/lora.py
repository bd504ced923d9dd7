"""LoRA in the transformer, through peft: add, train, save, load, scale, switch off, remove."""

import hashlib
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from studio.errors import Problem
from studio.models.files.lora_files import LoraState, lora_rank
from studio.models.forward import Transformer
from studio.models.loras.names import LAYERS, file_key

ADAPTER = "likeness_studio"  # long and unique: peft matches adapter names by substring
TARGET_MODULES = r"blocks\.\d+\.(" + "|".join(name.replace(".", r"\.") for name in LAYERS.values()) + ")"


def add_lora(model: Transformer, rank: int, seed: int) -> None:
    """Add a trainable adapter of alpha == rank: A uniform from a CPU generator seeded per layer, B zero, both fp32 on the model's device.

    The first values depend on the seed, the rank and the layer's name alone: the same on every machine, in any order.
    """
    _inject(model, rank)
    for key, p in _named_lora(model).items():
        if not p.is_meta:
            p.data.copy_(_first_values(key, p.shape, seed) if key.endswith("lora_A.weight") else torch.zeros(p.shape))
        p.requires_grad_(True)


def trainable_lora(model: Transformer) -> dict[str, torch.nn.Parameter]:
    """{file key: Parameter} of the adapter, in a fixed order."""
    return _named_lora(model)


@torch.no_grad()
def load_lora_state(model: Transformer, state: LoraState, strict: bool = True) -> None:
    """Copy a state into the adapter. Problem that names a key of another model or shape; if strict, also any missing key."""
    parameters = _named_lora(model)
    _check_fit(parameters, state)
    missing = sorted(parameters.keys() - state.keys())
    if strict and missing:
        raise Problem(
            f"The LoRA is incomplete: {len(missing)} of {len(parameters)} matrices are missing, for example {missing[0]!r}.",
            fix="Use a LoRA that was trained for this base model.",
        )
    for key, tensor in state.items():
        parameters[key].copy_(tensor)


def apply_lora(model: Transformer, state: LoraState, strength: float = 1.0) -> None:
    """Put a LoRA into a model for drawing, in place of one that is there. Layers that the state leaves out stay the base's."""
    if not state:
        raise ValueError("the LoRA is empty")
    rank = lora_rank(state)
    if _current_rank(model) != rank:  # else the adapter that is there is filled anew
        remove_lora(model)
        _inject(model, rank)
    try:
        absent = {key: torch.zeros(p.shape) for key, p in _named_lora(model).items() if key not in state}
        load_lora_state(model, absent | {key: _padded(key, tensor, rank) for key, tensor in state.items()})
    except Problem:
        remove_lora(model)
        raise
    for p in _named_lora(model).values():
        p.requires_grad_(False)
    set_strength(model, strength)


def set_strength(model: Transformer, strength: float) -> None:
    """Scale the adapter's effect: 0 is the base, 1 as trained."""
    for layer in _lora_layers(model).values():
        layer.set_scale(ADAPTER, strength)


@contextmanager
def lora_off(model: torch.nn.Module) -> Iterator[None]:
    """The base model, or one block of it, exactly as it was, and without gradients: a recompute in backward would see the adapter on again."""
    layers = list(_lora_layers(model).values())
    matrices = [m for layer in layers for m in (layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight)]
    trainable = [p for p in matrices if p.requires_grad]
    try:
        for layer in layers:
            layer.enable_adapters(False)
        with torch.no_grad():
            yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)
        for p in matrices:  # peft makes all of them trainable
            p.requires_grad_(False)
        for p in trainable:
            p.requires_grad_(True)


def remove_lora(model: Transformer) -> None:
    """Take the adapter out; the model is the base again. Nothing happens if there is none."""
    if _lora_layers(model):
        model.unload_lora()


def _inject(model: Transformer, rank: int) -> None:
    """Add an adapter whose values are still to be set."""
    from peft import LoraConfig

    from studio.models.lora_layer import use_own_layer

    config = use_own_layer(LoraConfig(r=rank, lora_alpha=rank, target_modules=TARGET_MODULES))
    with torch.random.fork_rng(devices=[]):  # peft draws values that nobody uses
        model.add_adapter(config, ADAPTER)
    device = model.patch_embedding.weight.device
    for p in _named_lora(model).values():
        p.data = p.data.to(device, torch.float32)


def _current_rank(model: Transformer) -> int:
    """Rank of the adapter in the model; 0 if there is none."""
    return next((layer.r[ADAPTER] for layer in _lora_layers(model).values()), 0)


def _check_fit(parameters: Mapping[str, torch.nn.Parameter], state: LoraState) -> None:
    """Problem that names the first key or shape of a state that the model does not have."""
    fix = "Use a LoRA that was trained for this base model."
    for key, tensor in sorted(state.items()):
        if key not in parameters:
            raise Problem(f"The LoRA does not fit this base model, which has no {key!r}.", fix=fix)
        if tensor.shape != parameters[key].shape:
            expected = tuple(parameters[key].shape)
            raise Problem(f"The LoRA does not fit this base model: {key} is {tuple(tensor.shape)}, expected {expected}.", fix=fix)


def _lora_layers(model: torch.nn.Module) -> dict[str, Any]:
    """{module name: peft layer} of our adapter."""
    from peft.tuners.lora import LoraLayer

    return {name: m for name, m in model.named_modules() if isinstance(m, LoraLayer) and ADAPTER in m.lora_A}


def _named_lora(model: Transformer) -> dict[str, torch.nn.Parameter]:
    found = {}
    for name, layer in _lora_layers(model).items():
        found[file_key(name, "A")] = layer.lora_A[ADAPTER].weight
        found[file_key(name, "B")] = layer.lora_B[ADAPTER].weight
    return dict(sorted(found.items()))


def _first_values(key: str, shape: torch.Size, seed: int) -> torch.Tensor:
    """Kaiming-uniform as peft's default, (rank, in_features)."""
    digest = hashlib.sha256(f"{seed}:{key}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
    return torch.empty(shape).uniform_(-1, 1, generator=generator) / math.sqrt(shape[1])


def _padded(key: str, tensor: torch.Tensor, rank: int) -> torch.Tensor:
    """A layer of lower rank, filled up with zeros: the same update."""
    axis = 0 if key.endswith("lora_A.weight") else 1
    if tensor.shape[axis] == rank:
        return tensor
    shape = list(tensor.shape)
    shape[axis] = rank - shape[axis]
    return torch.cat([tensor, tensor.new_zeros(shape)], axis)
