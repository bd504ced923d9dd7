"""The frozen weights of a transformer block as one piece of host memory, page-locked where the system allows."""

import weakref
from contextlib import suppress
from typing import Any

import psutil
import torch

ALIGNMENT = 256  # bytes; views of any dtype into a slab stay aligned
PINNED_SHARE = 0.5  # of all RAM: more starves the system, as pinned pages cannot be paged out


class Slab:
    """The frozen parameters of one block as one contiguous host tensor of bytes; bound to a device buffer only while in use.

    Buffers of the block and its trainable parameters are moved to the device and stay there.
    """

    def __init__(self, block: torch.nn.Module, device: torch.device) -> None:
        self.device = device
        self.parameters = [p for p in block.parameters() if not p.requires_grad]
        self.layout, size = [], 0  # (dtype, shape, first byte, last byte + 1)
        for p in self.parameters:
            self.layout.append((p.dtype, p.shape, size, size + p.nbytes))
            size += -(-p.nbytes // ALIGNMENT) * ALIGNMENT
        is_meta = any(p.is_meta for p in self.parameters)
        self.host = torch.empty(size, dtype=torch.uint8, device="meta" if is_meta else "cpu")
        for p, (_, _, start, end) in zip(self.parameters, self.layout):
            self.host[start:end].copy_(p.data.contiguous().flatten().view(torch.uint8))
        for tensor in [*block.buffers(), *(p for p in block.parameters() if p.requires_grad)]:
            tensor.data = tensor.data.to(device)
        self.evict()

    @property
    def nbytes(self) -> int:
        return self.host.nbytes

    def bind(self, buffer: torch.Tensor) -> None:
        """Let the block's parameters be views of a device buffer that holds (or is about to hold) a copy of the slab."""
        for p, (dtype, shape, start, end) in zip(self.parameters, self.layout):
            p.data = buffer[start:end].view(dtype).view(shape)

    def evict(self) -> None:
        """Leave poison of the right shape and one element's size, so that use of an evicted block shows at once."""
        for p, (dtype, shape, _, _) in zip(self.parameters, self.layout):
            p.data = torch.full((1,), poison(dtype), dtype=dtype, device=self.device).expand(shape)

    def clear(self) -> None:
        self.host = torch.empty(0, dtype=torch.uint8)


def poison(dtype: torch.dtype) -> float | int:
    """NaN, or the lowest number of a type that has none."""
    return float("nan") if dtype.is_floating_point else torch.iinfo(dtype).min


class PinnedMemory:
    """Page-locks host tensors up to a limit in bytes; behind it they stay pageable, which is slower and as right."""

    def __init__(self, device: torch.device, limit: float | None = None) -> None:
        self.device, self.num_bytes = device, 0
        self.limit = PINNED_SHARE * psutil.virtual_memory().total if limit is None else limit

    def pin(self, host: torch.Tensor) -> bool:
        """Whether the tensor is page-locked now."""
        if self.device.type != "cuda" or self.num_bytes + host.nbytes > self.limit or not _register(host, self.device):
            return False
        self.num_bytes += host.nbytes
        return True


def _register(host: torch.Tensor, device: torch.device) -> bool:
    """Page-lock a host tensor where it lies (pin_memory() would round its size up to a power of two). False if the system refuses."""
    runtime: Any = torch.cuda.cudart()
    if int(runtime.cudaHostRegister(host.data_ptr(), host.nbytes, 0)):
        with suppress(RuntimeError):  # CUDA reports the refusal once more at the next kernel: let it be this one
            torch.zeros(1, device=device)
        return False
    weakref.finalize(host, runtime.cudaHostUnregister, host.data_ptr())
    return True
