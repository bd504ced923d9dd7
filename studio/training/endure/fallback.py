"""What a training does when the GPU's memory runs out: it falls back to one notch less of it, and takes the same step again."""

from dataclasses import dataclass, replace

import psutil
import torch

from studio.config import MemoryConfig
from studio.errors import Problem
from studio.training.events import MEMORY, Report, say

SWAP_SHARE = 8  # each notch lets an eighth of the blocks more wait in RAM
RAM_SHARE = 0.5  # of the free RAM, that intermediate results may take: a computer without RAM is worse off than a GPU without memory
_WORDS = (
    "CUDA out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)  # libraries that raise a RuntimeError of their own


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that the GPU's memory did not suffice."""
    return isinstance(error, torch.OutOfMemoryError) or (isinstance(error, RuntimeError) and any(words in str(error) for words in _WORDS))


@dataclass(frozen=True)
class Notch:
    """Settings that take less memory, and in words what is done."""

    memory: MemoryConfig
    words: str


class Fallback:
    """The memory settings in use: those of the run, until its GPU's memory runs out. They hold for the sitting: the next one may have more."""

    def __init__(self, memory: MemoryConfig, num_blocks: int, report: Report):
        self.memory, self.num_blocks, self.report = memory, num_blocks, report

    def step_down(self, step: int, num_rows: int, input_bytes: int = 0) -> bool:
        """Go one notch down for a step of so many rows. Whether the expert must be loaded again, as its blocks lie elsewhere.

        input_bytes: of the blocks' inputs for all the rows. Problem with advice where no notch is left.
        """
        found = next_notch(self.memory, self.num_blocks, num_rows, input_bytes < RAM_SHARE * psutil.virtual_memory().available)
        return self._use(step, found)

    def swap_more(self, step: int) -> bool:
        """As step_down, where only fewer resident blocks help: the memory ran out between steps, or while an expert was loaded."""
        return self._use(step, _swap_more(self.memory, self.num_blocks))

    def stop_compiling(self, step: int, why: str) -> None:
        """Go on with the blocks as they are, because a program of them could not be made."""
        self.memory = replace(self.memory, compile_blocks=False)
        self.report(MEMORY, step=step, compile_blocks=False)
        say(self.report, f"The blocks are not compiled: {why}. It goes on without, which changes nothing but the speed.")

    def _use(self, step: int, found: Notch | None) -> bool:
        if found is None:
            raise Problem(
                f"The GPU's memory does not suffice for step {step}, even with every block in RAM and one picture at a time.",
                cost="Everything up to the last safety copy is kept.",
                fix="Close other programs that use the GPU and resume; or start anew with smaller photos, shorter clips or a smaller LoRA.",
                action="resume",
            )
        before, self.memory = self.memory, found.memory
        changed = {name: value for name, value in vars(self.memory).items() if value != getattr(before, name)}
        self.report(MEMORY, step=step, **changed)
        say(self.report, f"The GPU's memory ran out at step {step}. It goes on from there, {found.words}; the result stays the same.")
        return self.memory.blocks_swapped != before.blocks_swapped


def next_notch(memory: MemoryConfig, num_blocks: int, num_rows: int, ram_suffices: bool = True) -> Notch | None:
    """The next Notch for a step of so many rows; None at the end.

    The notches come in the order of their cost. Fewer rows in a pass, and fewer in a block pass while no block travels for them, cost next to
    nothing. Computing kept results again costs a third of a block's time. Inputs in RAM are copied beside the computing. With blocks in RAM, half
    as many rows in a block pass fetch all of them once more. More blocks in RAM come last: the expert must be loaded again.
    """
    rows = memory.rows_per_walk or num_rows
    if memory.rows_per_pass > 1:
        return Notch(replace(memory, rows_per_pass=memory.rows_per_pass // 2), "with fewer pictures at a time")
    if not memory.gradient_checkpointing:
        half_kept = replace(memory, gradient_checkpointing=True, blocks_kept=num_blocks // 2)
        return Notch(half_kept, "computing parts again instead of keeping them")
    if memory.blocks_kept:
        half_kept = replace(memory, blocks_kept=min(memory.blocks_kept, num_blocks) // 2)
        return Notch(half_kept, "computing more parts again instead of keeping them")
    fewer_rows = Notch(replace(memory, rows_per_walk=rows // 2), "with fewer pictures on their way through the model together")
    if rows > 1 and not memory.blocks_swapped:
        return fewer_rows
    if not memory.inputs_in_ram and ram_suffices:
        return Notch(replace(memory, inputs_in_ram=True), "with intermediate results in RAM")
    return fewer_rows if rows > 1 else _swap_more(memory, num_blocks)


def _swap_more(memory: MemoryConfig, num_blocks: int) -> Notch | None:
    swapped = min(num_blocks, memory.blocks_swapped + max(1, num_blocks // SWAP_SHARE))
    if swapped == memory.blocks_swapped:
        return None
    return Notch(replace(memory, blocks_swapped=swapped), f"with {swapped} of {num_blocks} blocks in RAM")
