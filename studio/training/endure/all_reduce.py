"""The processes that train one expert together: each computes its share of a step's rows, and all of them step by the sum of their gradients.

All of them ask the same questions in the same order, and go by the common answer: none may stop, fall back or save alone, or the others wait in vain.
"""

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import torch

from studio.errors import ProcessLost

ANSWER_TIMEOUT = timedelta(
    minutes=30
)  # longer than loading an expert from a slow disk; a process whose computer went dark is given up after it


class ProcessGroup:
    """This process among those of its expert. rank: 0 for the main one, which alone reports and saves."""

    def __init__(self, rank: int = 0, size: int = 1, group: torch.distributed.ProcessGroup | None = None):
        """group: of torch.distributed, on gloo; None for a process that trains its expert alone."""
        self.rank, self.size = rank, size
        self._group = weakref.ref(group) if group else None  # else the traceback of a failed training kept its connections open
        self._buffer = torch.empty(0)

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    def any(self, flag: bool) -> bool:
        """Whether it is true in any of the processes."""
        return bool(self.all_reduce_max(flag))

    def all_reduce_max(self, number: int) -> int:
        """The highest of the processes' whole numbers."""
        if self.size == 1:
            return number
        told = torch.tensor([number], dtype=torch.int64)
        with raising_process_lost():
            torch.distributed.all_reduce(told, torch.distributed.ReduceOp.MAX, self._handle())
        return int(told.item())

    @torch.no_grad()
    def all_reduce_sum(self, tensors: Sequence[torch.Tensor]) -> None:
        """Put the sum over the processes in the place of each fp32 tensor; they travel as one, through RAM. Every process gets the same bits."""
        if self.size == 1:
            return
        sizes = [tensor.numel() for tensor in tensors]
        if self._buffer.numel() != sum(sizes):
            self._buffer = torch.empty(sum(sizes))
        parts = self._buffer.split(sizes)
        for part, tensor in zip(parts, tensors):
            part.copy_(tensor.flatten())
        with raising_process_lost():
            torch.distributed.all_reduce(self._buffer, group=self._handle())
        for part, tensor in zip(parts, tensors):
            tensor.copy_(part.view_as(tensor))

    def _handle(self) -> torch.distributed.ProcessGroup | None:
        return self._group() if self._group else None


@contextmanager
def raising_process_lost() -> Iterator[None]:
    """ProcessLost if the processes that are spoken to in the block do not answer any more."""
    try:
        yield
    except RuntimeError as e:
        raise ProcessLost() from e
