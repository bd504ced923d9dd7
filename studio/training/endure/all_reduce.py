"""Processes that train one expert together: each computes its share of a step's rows, and the sums of all are what every one of them steps by.

All of them ask the same questions in the same order, and go by the common answer: none may stop, back off or save alone, or the others wait in vain.
"""

import weakref
from contextlib import contextmanager
from datetime import timedelta

import torch

from studio.errors import ProcessLost

LONGEST_ANSWER = timedelta(minutes=30)  # longer than loading an expert from a slow disk; one whose computer went dark is given up after it


class Mates:
    """This process among those of its expert. place: 0 for the lead, which alone reports and saves."""

    def __init__(self, place=0, count=1, group=None):
        """group: of torch.distributed, on gloo; None for a process that trains its expert alone."""
        self.place, self.count = place, count
        self._group = weakref.ref(group) if group else None  # else the traceback of a failed training kept its connections open
        self._buffer = torch.empty(0)

    @property
    def is_lead(self):
        return self.place == 0

    def any(self, flag):
        """Whether it is true of any mate."""
        return bool(self.highest(flag)[0])

    def highest(self, *numbers):
        """The highest of each whole number among the mates."""
        if self.count == 1:
            return numbers
        told = torch.tensor(numbers, dtype=torch.int64)
        with hearing_all():
            torch.distributed.all_reduce(told, torch.distributed.ReduceOp.MAX, self._group())
        return tuple(told.tolist())

    @torch.no_grad()
    def add_up(self, tensors):
        """Put the sum of all mates in the place of each fp32 tensor; they travel as one, through RAM. Every mate gets the same bits."""
        if self.count == 1:
            return
        sizes = [tensor.numel() for tensor in tensors]
        if self._buffer.numel() != sum(sizes):
            self._buffer = torch.empty(sum(sizes))
        parts = self._buffer.split(sizes)
        for part, tensor in zip(parts, tensors):
            part.copy_(tensor.flatten())
        with hearing_all():
            torch.distributed.all_reduce(self._buffer, group=self._group())
        for part, tensor in zip(parts, tensors):
            tensor.copy_(part.view_as(tensor))


@contextmanager
def hearing_all():
    """ProcessLost if the processes that are spoken to in the block do not answer any more."""
    try:
        yield
    except RuntimeError as e:
        raise ProcessLost() from e
