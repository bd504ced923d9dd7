"""Several processes at one training: with two, each trains one expert. No gradient crosses; they meet in the run folder, at every pair."""

import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import torch
from accelerate import PartialState

from studio.config import EXPERTS
from studio.errors import Problem
from studio.training import checkpoints
from studio.training.pairs import pair_folder, read_pair

LOOK_SECONDS = 0.5
LONGEST_PREPARATION = timedelta(days=2)  # accelerate gives up after half an hour: captions and class pictures may take longer


@dataclass(frozen=True)
class Team:
    """This process among those of a run."""

    rank: int = 0
    size: int = 1

    @classmethod
    def join(cls, size):
        """The team that accelerate finds in the environment. Problem if it is not of the size that the run was planned for.

        It talks through gloo, on GPUs too: next to nothing is said, and Windows has no NCCL.
        """
        options = {"backend": "gloo", "cpu": not torch.cuda.is_available(), "timeout": LONGEST_PREPARATION} if size > 1 else {}
        state = PartialState(**options)
        if state.num_processes != size:
            raise Problem(
                f"This training is for {size} processes, and {state.num_processes} are there.",
                cost="Nothing was lost.",
                fix="Start it from the studio or with the train command, which start them all; or set 'Graphics cards' to 1.",
            )
        return cls(state.process_index, size)

    @property
    def is_main(self):
        return self.rank == 0

    @property
    def is_shared(self):
        return self.size > 1

    def trains(self, expert):
        return EXPERTS.index(expert) % self.size == self.rank

    @contextmanager
    def in_turn(self):
        """The main process goes through the block before the others; all of them must come to it."""
        if self.is_shared and not self.is_main:
            torch.distributed.barrier()
        yield
        if self.is_shared and self.is_main:
            torch.distributed.barrier()

    def save_state(self, run_dir, state, expert, tensors, numbers):
        """checkpoints.save_state, beside what the other process has saved meanwhile."""
        if not self.is_shared:
            return checkpoints.save_state(run_dir, state, expert, tensors, numbers)
        with checkpoints.resume_lock(run_dir):
            return checkpoints.save_state(run_dir, _beside(state, expert, checkpoints.newest_state(run_dir)), expert, tensors, numbers)

    def restore_expert(self, run_dir, state, expert, optimizer):
        """checkpoints.restore_expert; the other process may have put newer states in the place of this one meanwhile."""
        if not self.is_shared:
            checkpoints.restore_expert(state, expert, optimizer)
            return
        with checkpoints.resume_lock(run_dir):
            checkpoints.restore_expert(checkpoints.newest_state(run_dir), expert, optimizer)

    def save_pair(self, run, state, saved_by):
        """checkpoints.save_pair by the main process, of what all have saved."""
        if not self.is_main:
            return None
        if not self.is_shared:
            return checkpoints.save_pair(run.run_dir, state, run.config, run.base, saved_by=saved_by)
        with checkpoints.resume_lock(run.run_dir):
            return checkpoints.save_pair(run.run_dir, checkpoints.newest_state(run.run_dir), run.config, run.base, saved_by=saved_by)

    def close_span(self, run, state, end):
        """The state at which the pair of step `end` is due, once every expert is there; None if a stop was asked for while waiting.

        A process that is not the main one waits for the pair: beyond that it would overwrite what the pair is made of.
        """
        if not self.is_shared:
            return state
        while not (self.is_main and checkpoints.newest_state(run.run_dir).step >= end) and not read_pair(pair_folder(run.run_dir, end)):
            if run.should_stop():
                return None
            time.sleep(LOOK_SECONDS)
        return checkpoints.newest_state(run.run_dir)


def leave_team():
    """Forget what accelerate has found in the environment, so that it looks anew."""
    if PartialState._shared_state:
        PartialState().destroy_process_group()
        PartialState._reset_state()


def _beside(state, expert, newest):
    """The state of the working expert, and of the other one what the newest state on the disk says."""
    others = [name for name in EXPERTS if name != expert]
    steps, losses = dict(state.expert_steps), dict(state.recent_losses)
    for name in others:
        steps[name], losses[name] = newest.expert_steps[name], newest.recent_losses[name]
    files = {name: entry for name, entry in newest.files.items() if name in others}
    rate = min(state.rate_factor, newest.rate_factor)
    return replace(
        state, step=sum(steps.values()), expert_steps=steps, recent_losses=losses, files=files, folder=newest.folder, rate_factor=rate
    )
