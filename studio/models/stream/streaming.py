"""Block streaming: some transformer blocks keep their frozen weights in RAM and visit the device, the next on its way while one computes."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch

from studio.models.forward import Transformer
from studio.models.stream.links import Link, make_link
from studio.models.stream.slabs import PinnedMemory, Slab

NUM_BUFFERS = 2  # on the device: one block computes while the next arrives


def place_blocks(
    model: Transformer, device: torch.device | str, blocks_swapped: int = 0, num_buffers: int = NUM_BUFFERS, link: Link | None = None
) -> "Streamer":
    """Put a frozen transformer on `device`, but for `blocks_swapped` evenly spread blocks whose weights stay in RAM.

    LoRA parameters live on the device whether they are added before or after. Returns the Streamer, also kept as `model.streamer`.
    The model's own forward then borrows the device block by block, without gradients; to train, see studio.training.step.block_pass.
    """
    device = torch.device(device)
    num_blocks = len(model.blocks)
    if not 0 <= blocks_swapped <= num_blocks:
        raise ValueError(f"blocks_swapped must be from 0 to {num_blocks}, the model's number of blocks; got {blocks_swapped}")
    if getattr(model, "streamer", None) is not None:
        raise ValueError("the blocks of this model are placed already; load it again to place them differently")
    streamer = Streamer(device, num_buffers, link or make_link(device))
    for i in sorted(swapped_indices(num_blocks, blocks_swapped)):
        streamer.swap(i, model.blocks[i])
    model.to(device)
    streamer.make_buffers()
    model.streamer = streamer
    return streamer


def swapped_indices(num_blocks: int, blocks_swapped: int) -> set[int]:
    """Which blocks are swapped: spread evenly, so that loads and resident blocks take turns."""
    return {i for i in range(num_blocks) if (i + 1) * blocks_swapped // num_blocks > i * blocks_swapped // num_blocks}


class Streamer:
    """The swapped blocks of a model, their host slabs, and the block ring: the device buffers that they visit.

    Who knows the order of the coming uses announces it (`expect`); without that, blocks are expected in turn, as a forward pass uses them.
    A buffer is filled ahead as soon as the block in it is needed later than the one that is to come. num_loads counts block loads.
    """

    def __init__(self, device: torch.device, num_buffers: int, link: Link) -> None:
        self.device, self.num_buffers, self.link = device, num_buffers, link
        self.slabs: dict[int, Slab] = {}
        self.buffers: list[torch.Tensor] = []
        self.num_loads = 0
        self.held: dict[int, torch.Tensor] = {}  # block -> buffer that holds it, or is being filled with it
        self.coming: deque[int] = deque()
        self.pinned = PinnedMemory(device)
        self.in_use: int | None = None

    def swap(self, index: int, block: torch.nn.Module) -> None:
        """Move a block's frozen weights into a host slab, and make its forward borrow the device."""
        slab = self.slabs[index] = Slab(block, self.device)
        self.pinned.pin(slab.host)
        block.forward = partial(self._forward, index, block.forward)

    def make_buffers(self) -> None:
        """Made once: new ones for every load would fragment the memory of a GPU that is nearly full."""
        count, size = min(self.num_buffers, len(self.slabs)), max((slab.nbytes for slab in self.slabs.values()), default=0)
        self.buffers = [torch.empty(size, dtype=torch.uint8, device=self.device) for _ in range(count)]

    def expect(self, order: Iterable[int]) -> None:
        """Announce in which order blocks will be used; residents in it don't matter."""
        self.coming = deque(i for i in order if i in self.slabs)

    @contextmanager
    def use(self, index: int) -> Iterator[None]:
        """Inside, the block's weights are on the device; its neighbours in the announced order are on their way."""
        if index not in self.slabs:
            yield
            return
        if self.in_use == index:  # the model's own forward inside a block pass
            yield
            return
        assert self.in_use is None, "one block at a time: the next might overwrite it"
        self._turn_to(index)
        buffer = self.held[index]
        self.in_use = index
        try:
            self.link.wait(buffer)
            self.slabs[index].bind(buffer)
            self._fill_ahead()
            yield
        finally:
            self.slabs[index].evict()
            self.link.release(buffer)
            self.in_use = None

    def clear(self) -> None:
        """Give the memory back; the blocks cannot be used afterwards."""
        self.link.synchronize()  # a copy that is under way still reads the host's memory
        self.buffers.clear()
        self.held.clear()
        self.coming.clear()
        for slab in self.slabs.values():
            slab.clear()
        self.slabs.clear()

    # -- which block is in which buffer

    def _turn_to(self, index: int) -> None:
        """Make `index` the one that is due, and see that it is at least on its way."""
        if not self.coming or self.coming[0] != index:
            order = sorted(self.slabs)
            start = order.index(index)
            self.coming = deque(order[start:] + order[: start + 1])
        self.coming.popleft()
        if index not in self.held:
            self._send(index, self._least_needed(among=list(self.held)))

    def _fill_ahead(self) -> None:
        """Send blocks that are coming, as long as a buffer's block is needed later than they are, or never again."""
        due = self._next_uses()
        for index in sorted(due, key=lambda index: due[index]):
            if index in self.held:
                continue
            free = [i for i in self.held if i != self.in_use and due.get(i, len(self.coming)) > due[index]]
            if len(self.held) == len(self.buffers) and not free:
                return
            self._send(index, self._least_needed(among=free))

    def _send(self, index: int, evicted: int | None) -> None:
        """Copy a block into a buffer that is empty, else into that of the block `evicted`."""
        unused = [b for b in self.buffers if not any(b is held for held in self.held.values())]
        if unused:
            buffer = unused[0]
        else:
            assert evicted is not None  # every buffer holds a block
            buffer = self.held.pop(evicted)
        self.link.send(buffer, self.slabs[index].host)
        self.held[index] = buffer
        self.num_loads += 1

    def _least_needed(self, among: Sequence[int]) -> int | None:
        due = self._next_uses()
        return max(among, key=lambda i: due.get(i, len(self.coming)), default=None)

    def _next_uses(self) -> dict[int, int]:
        """{block: how many uses from now}."""
        due = {}
        for n, i in enumerate(self.coming):
            due.setdefault(i, n)
        return due

    def _forward(self, index: int, run: Callable[..., torch.Tensor], *args: Any, **kwargs: Any) -> torch.Tensor:
        """As WanTransformerBlock.forward, for the model's own forward pass."""
        assert self.in_use == index or not torch.is_grad_enabled(), (
            "a swapped block is trained by a block pass, which loads it again in backward"
        )
        with self.use(index):
            return run(*args, **kwargs)
