"""Keeps the Linears of a transformer's blocks in 8 bits while it is filled, and says what that changed."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch

from studio.models.files.weights import Weight
from studio.models.stream.precision import BLOCK, STORED, FrozenLinear, store, why_not_multiplied

FP8 = (torch.float8_e4m3fn, torch.float8_e5m2)


@dataclass
class StorageReport:
    """errors: {layer: relative RMS error} of the layers that were stored small here; num_kept: layers whose file was 8-bit already;
    num_multiplied: layers that multiply 8-bit numbers."""

    precision: str
    errors: dict[str, float] = field(default_factory=dict)
    num_kept: int = 0
    num_multiplied: int = 0

    @property
    def worst(self) -> tuple[str, float] | None:
        """(layer, error), or None."""
        return max(self.errors.items(), key=lambda item: item[1]) if self.errors else None

    def describe(self) -> str:
        """One sentence for the log, "" where nothing is stored small."""
        parts = []
        if self.worst:
            mean, (name, most) = sum(self.errors.values()) / len(self.errors), self.worst
            parts.append(f"{len(self.errors)} layers as {self.precision}, off by {mean:.2%} on average and {most:.2%} at most ({name})")
        if self.num_kept:
            parts.append(f"{self.num_kept} layers as 8-bit as their file has them, unchanged")
        if not parts:
            return ""
        multiplied = (
            f" {self.num_multiplied} of them multiply 8-bit numbers, which is quicker and less exact." if self.num_multiplied else ""
        )
        return f"The base model's blocks are stored in 8 bits: {'; '.join(parts)}.{multiplied}"


class SmallStorage:
    """Puts weights of a transformer that was made without memory into FrozenLinears, if `precision` is one of 8 bits; the others it does not take.

    Files that are fp8 are kept to the bit where fp8 is asked for. device: where storing is worked out. multiply: "8bit" lets the layers multiply
    8-bit numbers too, where the device can; weights then have one scale a row.
    """

    def __init__(self, model: torch.nn.Module, precision: str, device: torch.device | str = "cpu", multiply: str = "exact") -> None:
        self.model, self.device, self.stored = model, device, STORED.get(precision)
        self.block = 0 if multiply == "8bit" else BLOCK
        self.linears = dict(linears_stored_small(model)) if self.stored else {}
        self.report = StorageReport(precision)

    def takes(self, key: str) -> bool:
        owner, _, leaf = key.rpartition(".")
        return leaf == "weight" and owner in self.linears

    def put(self, weight: Weight, device: torch.device | str = "cpu") -> None:
        """Replace a Linear by one whose weight, a `Weight`, is 8 bits large and lies on `device`. Problem that names a layer that 8 bits can't hold."""
        name = weight.key.removesuffix(".weight")
        if self.stored in FP8 and weight.tensor.dtype in FP8:
            stored, scale = weight.tensor.clone(), _as_column(weight.scale)
            self.report.num_kept += 1
        else:
            whole = weight.tensor if weight.scale is None else weight.to(torch.float32)
            stored, scale, self.report.errors[name] = store(name, whole.to(self.device), self.stored, self.block)
        small = replace_by_small(self.model, name, self.linears[name], stored.dtype, scale.shape[1])
        small.multiplies_small = not self.block and not why_not_multiplied(self.device, stored.dtype, scale.shape[1])
        self.report.num_multiplied += small.multiplies_small
        small.weight, small.scale = (torch.nn.Parameter(t.to(device), requires_grad=False) for t in (stored, scale))


def linears_stored_small(model: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Linear]]:
    """(name, module) of those whose weight is stored in 8 bits: every Linear in a block, from query to feed-forward."""
    for name, module in model.named_modules():
        if name.startswith("blocks.") and isinstance(module, torch.nn.Linear):
            yield name, module


def replace_by_small(model: torch.nn.Module, name: str, linear: torch.nn.Linear, stored: torch.dtype, scale_columns: int) -> FrozenLinear:
    """A FrozenLinear without memory in the place of a Linear, whose bias it takes over."""
    owner, _, child = name.rpartition(".")
    small = FrozenLinear(linear.in_features, linear.out_features, linear.bias is not None, stored, scale_columns, device="meta")
    small.bias = linear.bias
    setattr(model.get_submodule(owner), child, small)
    return small


def _as_column(scale: torch.Tensor | None) -> torch.Tensor:
    """An fp8 file's scale, a number or one a row, as fp32 (1, 1) or (out, 1)."""
    return torch.ones(1, 1) if scale is None else scale.float().reshape(-1, 1).clone()
