"""What a training does when the GPU's memory runs out: one notch less of it, and the same step again."""

from dataclasses import replace

import psutil
import torch

from studio.errors import Problem

SWAP_SHARE = 8  # each notch lets an eighth of the blocks more wait in RAM
RAM_SHARE = 0.5  # of the free RAM, that intermediate results may take: a computer without RAM is worse off than a GPU without memory
_WORDS = (
    "CUDA out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)  # libraries that raise a RuntimeError of their own


def is_out_of_memory(error):
    """Whether an exception means that the GPU's memory did not suffice."""
    return isinstance(error, torch.OutOfMemoryError) or (isinstance(error, RuntimeError) and any(words in str(error) for words in _WORDS))


class Backoff:
    """The memory settings in use: those of the run, until its GPU's memory runs out. They hold for the sitting: the next one may have more."""

    def __init__(self, memory, num_blocks, report):
        self.memory, self.num_blocks, self.report = memory, num_blocks, report

    def take_notch(self, step, num_rows, input_bytes=0):
        """Go one notch down for a step of so many rows. Whether the expert must be loaded again, as its blocks lie elsewhere.

        input_bytes: of the blocks' inputs for all the rows. Problem with advice where no notch is left.
        """
        found = next_notch(self.memory, self.num_blocks, num_rows, input_bytes < RAM_SHARE * psutil.virtual_memory().available)
        return self._use(step, found)

    def swap_more(self, step):
        """As take_notch, where only fewer resident blocks help: the memory ran out between steps, or while an expert was loaded."""
        return self._use(step, _swap_more(self.memory, self.num_blocks))

    def stop_compiling(self, step, why):
        """Go on with the blocks as they are, because a program of them could not be made."""
        self.memory = replace(self.memory, compile_blocks=False)
        self.report("memory", step=step, compile_blocks=False)
        self.report("note", message=f"The blocks are not compiled: {why}. It goes on without, which changes nothing but the speed.")

    def _use(self, step, found):
        if found is None:
            raise Problem(
                f"The GPU's memory does not suffice for step {step}, even with every block in RAM and one picture at a time.",
                cost="Everything up to the last safety copy is kept.",
                fix="Close other programs that use the GPU and resume; or start anew with smaller photos, shorter clips or a smaller LoRA.",
                action="resume",
            )
        before, (self.memory, words) = self.memory, found
        changed = {name: value for name, value in vars(self.memory).items() if value != getattr(before, name)}
        self.report("memory", step=step, **changed)
        self.report("note", message=f"The GPU's memory ran out at step {step}. It goes on from there, {words}; the result stays the same.")
        return self.memory.blocks_swapped != before.blocks_swapped


def next_notch(memory, num_blocks, num_rows, ram_suffices=True):
    """(MemoryConfig one notch lower, what it does in words); None at the end.

    In the order of what a notch costs. Fewer rows at a time, and fewer in a walk while no block travels for them, cost next to nothing.
    Kept results spare a third of a block's time. Inputs in RAM are copied beside the computing. With blocks in RAM each half walk fetches
    them all once more. More blocks in RAM come last: the expert must be loaded again.
    """
    walk = memory.rows_per_walk or num_rows
    if memory.rows_per_pass > 1:
        return replace(memory, rows_per_pass=memory.rows_per_pass // 2), "with fewer pictures at a time"
    if not memory.gradient_checkpointing:
        return replace(memory, gradient_checkpointing=True, blocks_kept=num_blocks // 2), "computing parts again instead of keeping them"
    if memory.blocks_kept:
        return replace(memory, blocks_kept=min(memory.blocks_kept, num_blocks) // 2), "computing more parts again instead of keeping them"
    shorter = replace(memory, rows_per_walk=walk // 2), "with fewer pictures on their way through the model together"
    if walk > 1 and not memory.blocks_swapped:
        return shorter
    if not memory.inputs_in_ram and ram_suffices:
        return replace(memory, inputs_in_ram=True), "with intermediate results in RAM"
    return shorter if walk > 1 else _swap_more(memory, num_blocks)


def _swap_more(memory, num_blocks):
    swapped = min(num_blocks, memory.blocks_swapped + max(1, num_blocks // SWAP_SHARE))
    if swapped == memory.blocks_swapped:
        return None
    return replace(memory, blocks_swapped=swapped), f"with {swapped} of {num_blocks} blocks in RAM"
