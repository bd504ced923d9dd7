"""Fills a transformer with weights, tensor by tensor from memory-mapped files: RAM never holds much more than the model in the format it is kept in."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from safetensors import safe_open

from studio.errors import Problem
from studio.models.precision import STORED, FrozenLinear, StorageReport, block_size, dequantize, store

NAMED_KEYS = 5  # how many wrong keys a message names
EIGHT_BITS = (torch.int8, torch.float8_e4m3fn, torch.float8_e5m2)


class Stored(NamedTuple):
    """A weight as its file has it. key: as diffusers names it; scale: of 8-bit weights, (1, 1), (out, 1) or (out, in / block), else None."""

    key: str
    tensor: torch.Tensor
    scale: torch.Tensor | None = None


def read_tensors(files) -> Iterator[Stored]:
    """The tensors of safetensors files that have diffusers' own names, one at a time; each is a view of the file until it is copied."""
    for path in files:
        with safe_open(path, "pt") as file:
            for key in file.keys():  # noqa: SIM118
                yield Stored(key, file.get_tensor(key))


def empty_transformer(config):
    """WanTransformer3DModel of a config dict, frozen, its parameters without memory ("meta"); its buffers are real."""
    from accelerate import init_empty_weights
    from diffusers import WanTransformer3DModel

    with init_empty_weights():
        return WanTransformer3DModel.from_config(config).requires_grad_(False).eval()


def fill(model, tensors, *, dtype, precision, device="cpu"):
    """Give an empty transformer its weights: blocks' Linears stored as `precision` says ("fp32", "bf16", "int8", "fp8"), the rest in `dtype`.

    What diffusers keeps in fp32 stays so. Files that are fp8 already are kept to the bit where fp8 is asked for. device: where 8-bit storage
    is worked out; the results are in RAM. Returns a StorageReport. Problem naming missing, unknown or misshaped keys, or a layer that 8 bits can't hold.
    """
    filler = _Filler(model, dtype, precision, device)
    for stored in tensors:
        filler.put(stored)
    filler.check_complete()
    return StorageReport(precision, filler.errors, filler.kept)


class _Filler:
    def __init__(self, model, dtype, precision, device):
        self.model, self.dtype, self.device = model, dtype, device
        self.stored = STORED.get(precision)
        self.modules = dict(model.named_modules())
        self.shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
        self.errors, self.kept, self.found, self.wrong = {}, 0, set(), []

    def put(self, stored):
        expected, found = self.shapes.get(stored.key), tuple(stored.tensor.shape)
        if expected != found:
            self.wrong.append(f"{stored.key} is unknown" if expected is None else f"{stored.key} is {found} instead of {expected}")
            return
        self.found.add(stored.key)
        owner, _, name = stored.key.rpartition(".")
        module = self.modules[owner]
        if self.stored is not None and name == "weight" and is_stored_small(owner, module):
            self._put_small(owner, module, stored)
        else:
            dtype = torch.float32 if keeps_fp32(stored.key) else self.dtype
            tensor = stored.tensor if stored.scale is None else _make(stored, dtype)
            self.modules[owner]._parameters[name] = _frozen(tensor.to(dtype, copy=True))

    def _put_small(self, owner, module, stored):
        """Replace a Linear by one whose weight is 8 bits large."""
        if self.stored.is_floating_point and stored.tensor.dtype in EIGHT_BITS and stored.tensor.is_floating_point():
            scale = torch.ones(()) if stored.scale is None else stored.scale
            weight, scale = stored.tensor.clone(), _by_rows(scale).clone()
            self.kept += 1
        else:
            whole = stored.tensor.to(self.device) if stored.scale is None else _make(stored, torch.float32).to(self.device)
            weight, scale, self.errors[owner] = store(owner, whole, self.stored)
            weight, scale = weight.cpu(), scale.cpu()
        small = small_linear(module, weight.dtype, scale.shape[1])
        small.weight, small.scale, small.bias = _frozen(weight), _frozen(scale), module.bias
        _replace(self.model, owner, small)
        self.modules[owner] = small

    def check_complete(self):
        missing = sorted(self.shapes.keys() - self.found)
        wrong = self.wrong + [f"{key} is missing" for key in missing]
        if wrong:
            raise Problem(
                f"The weights do not fit the model: {first(wrong)}.",
                fix="Use the files of this model, or download them again.",
            )


def store_blocks_small(model, stored):
    """Replace every Linear of an empty transformer's blocks by one of 8 bits, for counting: shapes alone."""
    for name, module in list(model.named_modules()):
        if is_stored_small(name, module):
            small = small_linear(module, stored, module.in_features // block_size(module.in_features))
            small.bias = module.bias
            _replace(model, name, small)
    return model


def is_stored_small(name, module):
    """Whether a module's weight is stored in 8 bits: every Linear in a block, from query to feed-forward."""
    return name.startswith("blocks.") and isinstance(module, torch.nn.Linear)


def small_linear(module, stored, scale_columns):
    """A FrozenLinear without memory in the place of a Linear."""
    shape = (module.in_features, module.out_features)
    return FrozenLinear(*shape, module.bias is not None, stored, scale_columns, device="meta")


def keeps_fp32(key):
    """Whether diffusers keeps a parameter in fp32, whatever the model's number format."""
    from diffusers import WanTransformer3DModel

    return bool(set(WanTransformer3DModel._keep_in_fp32_modules) & set(key.split(".")))


def first(keys):
    return ", ".join(keys[:NAMED_KEYS]) + (", ..." if len(keys) > NAMED_KEYS else "")


def _make(stored, dtype):
    """The weight that 8-bit values and their scales stand for."""
    return dequantize(stored.tensor.contiguous(), _by_rows(stored.scale), torch.float32).to(dtype)


def _by_rows(scale):
    """fp32 (1, 1) of a tensor's one scale, (out, 1) of one for each row, else (out, in / block) as it is."""
    return scale.float() if scale.ndim == 2 else scale.float().reshape(-1, 1)


def _frozen(tensor):
    return torch.nn.Parameter(tensor, requires_grad=False)


def _replace(model, name, module):
    owner, _, child = name.rpartition(".")
    setattr(model.get_submodule(owner), child, module)
