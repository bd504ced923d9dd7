"""The block pass: gradients block by block. All rows of a group go through one block before the next block is needed, forward and then backward.

The forward pass keeps only each block's inputs; the backward pass computes the block again, rows by rows. So a swapped block is loaded twice for
an optimizer step, however many rows there are, and what one block's backward pass needs in between exists once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from studio.config import MemoryConfig
from studio.models.compiled import call_block, compile_block
from studio.models.forward import Context, begin, finish
from studio.models.lora import lora_off
from studio.models.stream.activation_store import ActivationStore, HostActivationStore
from studio.training.step.preservation import preservation_loss

if TYPE_CHECKING:
    from diffusers.models.transformers.transformer_wan import WanTransformer3DModel

Compute = Callable[..., torch.Tensor]  # (block, hidden, *what all blocks are given besides) -> hidden


def do_nothing() -> None:
    """In the place of what is called before each block."""


@dataclass(frozen=True)
class StepPlan:
    """How the rows of a step go through the model; it changes memory and time, not the result.

    rows_per_pass: rows of one size that a block computes as one batch. rows_per_block_pass: rows, preserved ones counted, that go through the
    blocks before the next ones do, which load every swapped block again (0: all). blocks_kept: blocks, from the last one, whose intermediate
    results are kept instead of computed again. inputs_in_ram: the blocks' inputs wait in RAM. compute: how a block is called.
    """

    rows_per_pass: int = 1
    rows_per_block_pass: int = 0
    blocks_kept: int = 0
    inputs_in_ram: bool = False
    compute: Compute = field(default=call_block, repr=False)

    @classmethod
    def of(cls, memory: MemoryConfig, num_blocks: int) -> "StepPlan":
        """For a model with so many blocks."""
        kept = min(memory.blocks_kept if memory.gradient_checkpointing else num_blocks, num_blocks)
        # a compiled block may keep a view of a weight for its backward pass, and a swapped block's weights have left that memory by then
        is_compiled = memory.compile_blocks and not (kept and memory.blocks_swapped)
        compute = compile_block() if is_compiled else call_block
        return cls(memory.rows_per_pass, memory.rows_per_walk, kept, memory.inputs_in_ram, compute)

    def make_store(self, device: torch.device) -> ActivationStore:
        return HostActivationStore(device) if self.inputs_in_ram else ActivationStore()


@dataclass(frozen=True)
class Pass:
    """Rows of one size as one batch, on the device: x_t, target (B, C, F, h, w) fp32, sigma (B,), prompt (B, L, D).

    x_t has more channels than the target where the model takes a first picture: behind the noised latents, what is given of it.
    weight: of this pass' mean loss in the group's. target is None where the base model's own answer is to be kept.
    """

    x_t: torch.Tensor
    target: torch.Tensor | None
    sigma: torch.Tensor
    prompt: torch.Tensor
    weight: float = 1.0


class BrokenOff(Exception):
    """A block pass was left between two blocks, because somebody asked for it; the gradients so far are of no use."""


NOTHING = torch.empty(0)
Graph = tuple[torch.Tensor, torch.Tensor]  # (inputs, outputs) of a block, with what its backward pass needs between them


class Stream:
    """A pass between two blocks: its hidden states, and in the backward pass their gradient. is_base: without LoRA, and forward only."""

    def __init__(self, batch: Pass, hidden: torch.Tensor, context: Context, compute: Compute, is_base: bool = False):
        self.batch, self.context, self.compute, self.is_base = batch, context, compute, is_base
        self.hidden = hidden  # empty behind the last block
        self.gradient: torch.Tensor | None = None

    def through(self, block: torch.nn.Module, hidden: torch.Tensor) -> torch.Tensor:
        return self.compute(block, hidden, *self.context.block_inputs)

    def with_graph(self, block: torch.nn.Module, hidden: torch.Tensor, i: int) -> Graph:
        """(inputs, outputs) of block i, with what its backward pass needs between them."""
        # nothing before the first block learns; a compiled one computes that gradient all the same, as one program serves all blocks
        inputs = hidden.detach().requires_grad_(i > 0 or self.compute is not call_block)
        with torch.enable_grad():
            return inputs, self.through(block, inputs)


@torch.no_grad()
def add_gradients(
    model: "WanTransformer3DModel",
    passes: Sequence[Pass],
    plan: StepPlan,
    store: ActivationStore,
    before_block: Callable[[], None] = do_nothing,
) -> list[torch.Tensor]:
    """Add the gradients of sum(weight * mean loss) to the LoRA's parameters. Returns the mean loss of every pass, tensors on the device.

    before_block: called before each block, forward and backward; it may raise BrokenOff.
    """
    store.clear()  # of a step that broke off
    streams = _start(model, passes, plan.compute)
    blocks = list(enumerate(model.blocks))
    first_kept = len(blocks) - plan.blocks_kept
    model.streamer.expect([i for i, _ in blocks] + [i for i, _ in reversed(blocks)])
    kept: dict[tuple[int, int], Graph] = {}
    # forward: all passes through each block before the next
    for i, block in blocks:
        before_block()
        with model.streamer.use(i):
            for n, stream in enumerate(streams):
                _forward(block, stream, i, n, kept if i >= first_kept else None, store)
    losses = _judge(model, streams)
    # backward: from the last block to the first; the base model's own answers need no gradients
    learning = [(n, stream) for n, stream in enumerate(streams) if not stream.is_base]
    for i, block in reversed(blocks):
        before_block()
        with model.streamer.use(i):
            for n, stream in reversed(learning):
                _backward(block, stream, kept.pop((i, n), None) or stream.with_graph(block, store.take((i, n)), i))
    return losses


@torch.no_grad()
def predict(
    model: "WanTransformer3DModel", passes: Sequence[Pass], before_block: Callable[[], None] = do_nothing, compute: Compute = call_block
) -> list[torch.Tensor]:
    """The model's answers (B, C, F, h, w) fp32, all passes through each block before the next."""
    dtype = model.dtype  # read once: diffusers asks every module
    streams = [Stream(batch, *begin_pass(model, batch, dtype), compute) for batch in passes]
    model.streamer.expect(range(len(model.blocks)))
    for i, block in enumerate(model.blocks):
        before_block()
        with model.streamer.use(i):
            for stream in streams:
                stream.hidden = stream.through(block, stream.hidden)
    return [finish(model, stream.hidden, stream.context).float() for stream in streams]


def _start(model: "WanTransformer3DModel", passes: Sequence[Pass], compute: Compute) -> list[Stream]:
    """A stream for each pass, and before it one without LoRA where the base model's answer is wanted."""
    streams, dtype = [], model.dtype  # read once: diffusers asks every module
    for batch in passes:
        hidden, context = begin_pass(model, batch, dtype)
        if batch.target is None:
            streams.append(Stream(batch, hidden, context, compute, is_base=True))
        streams.append(Stream(batch, hidden, context, compute))
    return streams


def begin_pass(model: "WanTransformer3DModel", batch: Pass, dtype: torch.dtype) -> tuple[torch.Tensor, Context]:
    """The prompt in the model's number format, as drawing has it; sigma stays fp32 until the model has made waves of it."""
    return begin(model, batch.x_t.to(dtype), batch.sigma * 1000, batch.prompt.to(dtype))


def _forward(
    block: torch.nn.Module, stream: Stream, i: int, n: int, kept: dict[tuple[int, int], Graph] | None, store: ActivationStore
) -> None:
    """Take stream n through block i; kept: where to leave its Graph, None to keep the inputs alone, in the store."""
    if stream.is_base:
        with lora_off(block):
            stream.hidden = stream.through(block, stream.hidden)
    elif kept is None:
        store.put((i, n), stream.hidden)
        stream.hidden = stream.through(block, stream.hidden)
    else:
        kept[i, n] = stream.with_graph(block, stream.hidden, i)
        stream.hidden = kept[i, n][1].detach()


def _backward(block: torch.nn.Module, stream: Stream, graph: Graph) -> None:
    """Add the gradients of a block's LoRA, and turn the gradient of its outputs into that of its inputs."""
    inputs, outputs = graph
    torch.autograd.backward(outputs, stream.gradient)
    stream.gradient, inputs.grad = inputs.grad, None


def _judge(model: "WanTransformer3DModel", streams: Sequence[Stream]) -> list[torch.Tensor]:
    """The mean loss of every pass, and each stream's gradient behind the last block."""
    losses: list[torch.Tensor] = []
    prior = NOTHING  # the base model's answer to the same pass comes just before
    for stream in streams:
        if stream.is_base:
            prior = finish(model, stream.hidden, stream.context).float()
            stream.hidden = NOTHING
            continue
        with torch.enable_grad():
            hidden = stream.hidden.detach().requires_grad_()
            answer = finish(model, hidden, stream.context).float()
            loss = preservation_loss(answer, prior) if stream.batch.target is None else F.mse_loss(answer, stream.batch.target)
            (stream.gradient,) = torch.autograd.grad(loss * stream.batch.weight, hidden)
        losses.append(loss.detach())
        stream.hidden = NOTHING
    return losses
