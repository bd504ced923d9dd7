"""Block streaming: some transformer blocks keep their frozen weights in RAM and borrow the device for each use.

A swapped block loads for its forward, gives the memory back, and loads again for the recompute in its backward; only its inputs are saved.
"""

import weakref
from contextlib import contextmanager, suppress
from functools import partial

import psutil
import torch

PINNED_SHARE = 0.5  # of all RAM: more starves the system, as pinned pages cannot be paged out
ALIGNMENT = 256  # bytes; views of any dtype into a slab stay aligned


def place_blocks(model, device, blocks_swapped=0, gradient_checkpointing=False):
    """Put a frozen transformer on `device`, but for `blocks_swapped` evenly spread blocks whose weights stay in RAM.

    LoRA parameters live on the device whether they are added before or after. Returns the Streamer, also kept as `model.streamer`;
    its `num_loads` counts block loads: one a forward, one more a backward, for each swapped block.
    """
    device = torch.device(device)
    num_blocks = len(model.blocks)
    if not 0 <= blocks_swapped <= num_blocks:
        raise ValueError(f"blocks_swapped must be from 0 to {num_blocks}, the model's number of blocks; got {blocks_swapped}")
    if getattr(model, "streamer", None) is not None:
        raise ValueError("the blocks of this model are placed already; load it again to place them differently")
    streamer = Streamer(device)
    swapped = swapped_indices(num_blocks, blocks_swapped)
    for i, block in enumerate(model.blocks):
        if i in swapped:
            streamer.swap(block)
        elif blocks_swapped and gradient_checkpointing:
            block.to(device)
            block.forward = partial(_run_checkpointed, block.forward)
    model.to(device)
    if gradient_checkpointing and not blocks_swapped:
        model.enable_gradient_checkpointing(partial(torch.utils.checkpoint.checkpoint, use_reentrant=False))
    model.streamer = streamer
    return streamer


def swapped_indices(num_blocks, blocks_swapped):
    """Which blocks are swapped: spread evenly, so that loads and resident blocks take turns."""
    return {i for i in range(num_blocks) if (i + 1) * blocks_swapped // num_blocks > i * blocks_swapped // num_blocks}


class Streamer:
    """The swapped blocks of a model: their host slabs, and how often they were loaded."""

    def __init__(self, device):
        self.device, self.slabs, self.num_loads, self.pinned_bytes = device, [], 0, 0
        self.buffer = torch.empty(0, dtype=torch.uint8, device=device)  # where the one block in use lies; new ones would fragment memory
        self.is_busy = False

    def swap(self, block):
        """Move a block's frozen weights into a host slab, and make its forward borrow the device."""
        slab = Slab(block, self.device)
        self.slabs.append(slab)
        if slab.host.nbytes > self.buffer.nbytes:
            self.buffer = None  # given back before the larger one is asked for
            self.buffer = torch.empty_like(slab.host, device=self.device)
        if self.device.type == "cuda" and self.pinned_bytes + slab.host.nbytes <= PINNED_SHARE * psutil.virtual_memory().total:
            self.pinned_bytes += slab.host.nbytes if _pin(slab.host, self.device) else 0
        run = block.forward
        block.forward = partial(self._forward, block, slab, run)

    def clear(self):
        """Give the memory back; the blocks cannot be used afterwards."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)  # a copy that is under way still reads the host's memory
        self.buffer = None
        for slab in self.slabs:
            slab.host = torch.empty(0, dtype=torch.uint8)
        self.slabs.clear()

    @contextmanager
    def loaded(self, slab):
        assert not self.is_busy, "one block at a time: the next would overwrite it"
        self.num_loads += 1
        self.is_busy = True
        try:
            slab.load(self.buffer)
            yield
        finally:
            slab.evict()
            self.is_busy = False

    def _forward(self, block, slab, run, hidden_states, encoder_hidden_states, temb, rotary_emb):
        """As WanTransformerBlock.forward."""
        inputs = (hidden_states, encoder_hidden_states, temb, *rotary_emb)
        if torch.is_grad_enabled():
            trainable = [p for p in block.parameters() if p.requires_grad]
            return _Streamed.apply(self, slab, run, len(inputs), *inputs, *trainable)
        with self.loaded(slab):
            return run(hidden_states, encoder_hidden_states, temb, rotary_emb)


class Slab:
    """The frozen weights of one block as one contiguous host tensor of bytes; bound to a copy on the device only while in use."""

    def __init__(self, block, device):
        self.parameters = [p for p in block.parameters() if not p.requires_grad]
        self.layout, size = [], 0  # (dtype, shape, first byte, last byte + 1)
        for p in self.parameters:
            self.layout.append((p.dtype, p.shape, size, size + p.nbytes))
            size += -(-p.nbytes // ALIGNMENT) * ALIGNMENT
        self.host, self.device = torch.empty(size, dtype=torch.uint8), device
        for p, (_, _, start, end) in zip(self.parameters, self.layout):
            self.host[start:end].copy_(p.data.contiguous().flatten().view(torch.uint8))
        for p in block.parameters():
            if p.requires_grad:
                p.data = p.data.to(device)
        self.evict()

    def load(self, buffer):
        """Copy the block into the device's buffer and bind its parameters to it."""
        buffer[: self.host.nbytes].copy_(self.host, non_blocking=True)
        for p, (dtype, shape, start, end) in zip(self.parameters, self.layout):
            p.data = buffer[start:end].view(dtype).view(shape)

    def evict(self):
        """Leave NaN of the right shape and one element's size, so that use of an evicted block shows at once."""
        for p, (dtype, shape, _, _) in zip(self.parameters, self.layout):
            p.data = torch.full((1,), float("nan"), dtype=dtype, device=self.device).expand(shape)


class _Streamed(torch.autograd.Function):
    """Saves a block's inputs only; backward loads the block again and recomputes it. LoRA parameters are inputs, so they get gradients."""

    @staticmethod
    def forward(ctx, streamer, slab, run, num_inputs, *tensors):
        ctx.streamer, ctx.slab, ctx.run, ctx.num_inputs = streamer, slab, run, num_inputs
        ctx.trainable = tensors[num_inputs:]
        kind = streamer.device.type
        ctx.autocast = dict(device_type=kind, enabled=torch.is_autocast_enabled(kind), dtype=torch.get_autocast_dtype(kind))
        ctx.save_for_backward(*tensors[:num_inputs])
        hidden, text, time, *rope = tensors[:num_inputs]
        with streamer.loaded(slab), torch.no_grad():
            return run(hidden, text, time, tuple(rope))

    @staticmethod
    def backward(ctx, grad_output):
        needed = ctx.needs_input_grad[4:]
        saved = [t.detach().requires_grad_(n) for t, n in zip(ctx.saved_tensors, needed)]
        hidden, text, time, *rope = saved
        sources = [t for t, n in zip((*saved, *ctx.trainable), needed) if n]
        with ctx.streamer.loaded(ctx.slab), torch.enable_grad(), torch.autocast(**ctx.autocast):
            output = ctx.run(hidden, text, time, tuple(rope))
            grads = iter(torch.autograd.grad(output, sources, grad_output, allow_unused=True))
        return (None, None, None, None, *(next(grads) if n else None for n in needed))


def _run_checkpointed(run, *inputs):
    """A resident block that saves only its inputs."""
    if not torch.is_grad_enabled():
        return run(*inputs)
    return torch.utils.checkpoint.checkpoint(run, *inputs, use_reentrant=False)


def _pin(host, device):
    """Page-lock a host tensor where it lies (pin_memory() would round its size up to a power of two). False if the system refuses."""
    runtime = torch.cuda.cudart()
    if int(runtime.cudaHostRegister(host.data_ptr(), host.nbytes, 0)):
        with suppress(RuntimeError):  # CUDA reports the refusal once more at the next kernel: let it be this one
            torch.zeros(1, device=device)
        return False
    weakref.finalize(host, runtime.cudaHostUnregister, host.data_ptr())
    return True
