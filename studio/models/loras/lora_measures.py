"""How strong a LoRA is and what it resembles, layer by layer, without ever forming the product of its two matrices."""

import hashlib
from collections.abc import Iterator

import numpy as np
import torch

from studio.models.loras.contents import ExpertLora
from studio.models.loras.names import our_key

SKETCH_SIDE = 4  # of the small matrix that stands for a layer: two files of 400 layers are then compared to about a hundredth


def layer_norms(lora: ExpertLora) -> dict[str, float]:
    """{layer: Frobenius norm of B A}, by |B A|^2 = trace((B^T B)(A A^T)): the only products are rank x rank."""
    return {name: float(((b.T @ b) * (a @ a.T)).sum().clamp(min=0).sqrt()) for name, a, b in _matrices(lora)}


def total_norm(norms: dict[str, float]) -> float:
    """Of all layers together."""
    return float(np.sqrt(sum(norm**2 for norm in norms.values())))


def sketch(lora: ExpertLora) -> np.ndarray:
    """(layers * SKETCH_SIDE^2,) float32 in the order of the layers' names: S B A T with signs S and T that depend on the layer alone.

    Products of such rows estimate the products of the updates themselves (Johnson and Lindenstrauss 1984). It is linear: a LoRA at a fifth of
    another's strength has exactly a fifth of its sketch.
    """
    found = [((_signs(f"{name} out", b.shape[0]).T @ b) @ (a @ _signs(f"{name} in", a.shape[1]))).ravel() for name, a, b in _matrices(lora)]
    return torch.cat(found).numpy().astype(np.float32)


def _matrices(lora: ExpertLora) -> Iterator[tuple[str, torch.Tensor, torch.Tensor]]:
    """(name, A (rank, in), B (out, rank)) in double precision, by name."""
    for name, block, layer in sorted((f"blocks.{layer.block}.{layer.name}", layer.block, layer.name) for layer in lora.layers):
        yield name, lora.state[our_key(block, layer, "A")].double(), lora.state[our_key(block, layer, "B")].double()


def _signs(name: str, size: int) -> torch.Tensor:
    """(size, SKETCH_SIDE) of +-1 / sqrt(SKETCH_SIDE), the same on every machine."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big")
    bits = torch.randint(0, 2, (size, SKETCH_SIDE), generator=torch.Generator().manual_seed(seed))
    return (bits.double() * 2 - 1) / SKETCH_SIDE**0.5
