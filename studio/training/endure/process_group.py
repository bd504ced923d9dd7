"""Several processes at one training. Each expert has its own, who share its steps (`mates`); between the experts no gradient crosses, and they
meet in the run folder, at every pair."""

import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import torch
from accelerate import PartialState

from studio.config import EXPERTS, MEETING_FILE
from studio.errors import Problem
from studio.training import checkpoints
from studio.training.endure.all_reduce import LONGEST_ANSWER, Mates, hearing_all
from studio.training.pairs import pair_folder, read_pair
from studio.training.schedule import num_lanes

LOOK_SECONDS = 0.5
LONGEST_PREPARATION = timedelta(days=2)  # accelerate gives up after half an hour: captions and class pictures may take longer


@dataclass(frozen=True)
class Team:
    """This process among those of a run. num_lanes: experts that learn at the same time.

    The first processes belong to the first lane, and so on: on two computers with as many cards each, gradients stay within each of them.
    """

    rank: int = 0
    size: int = 1
    num_lanes: int = 1
    mates: Mates = field(default_factory=Mates)

    @classmethod
    def join(cls, config, num_experts):
        """The team that accelerate finds in the environment. Problem if it is not of the size that the run was planned for.

        It talks through gloo, on GPUs too: Windows has no NCCL, and a process that has died is noticed at once.
        """
        size, lanes = config.processes, num_lanes(config, num_experts)
        state = meet_all() if size > 1 else PartialState()
        if state.num_processes != size:
            raise Problem(
                f"This training is for {size} processes, and {state.num_processes} are there.",
                cost="Nothing was lost.",
                fix="Start it from the studio or with the train command, which start them all; or set 'Graphics cards' to 1.",
            )
        return cls(state.process_index, size, lanes, _find_mates(state.process_index, size, lanes))

    @property
    def is_main(self):
        return self.rank == 0

    @property
    def is_shared(self):
        return self.size > 1

    def trains(self, expert):
        """Whether this process does; a base model with one expert has one lane, and all processes are in it."""
        return EXPERTS.index(expert) % self.num_lanes == self.rank // self.mates.count

    @contextmanager
    def in_turn(self):
        """The main process goes through the block before the others; all of them must come to it."""
        if self.is_shared and not self.is_main:
            _wait_for_all()
        yield
        if self.is_shared and self.is_main:
            _wait_for_all()

    def save_state(self, run_dir, state, expert, tensors, numbers):
        """checkpoints.save_state, beside what the other expert's lead has saved meanwhile; one that is no lead leaves it to its own."""
        if not self.mates.is_lead:
            return state
        if not self.is_shared:
            return checkpoints.save_state(run_dir, state, expert, tensors, numbers)
        with checkpoints.resume_lock(run_dir):
            return checkpoints.save_state(run_dir, _beside(state, expert, checkpoints.newest_state(run_dir)), expert, tensors, numbers)

    def restore_expert(self, run_dir, state, expert, optimizer):
        """checkpoints.restore_expert; the other expert's may have put newer states in the place of this one meanwhile."""
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

    def close_span(self, run, state, end, save_pair):
        """save_pair(state) of step `end` once every expert is there. Returns the state; None if a stop was asked for while waiting.

        A process that is not the main one waits for the pair: beyond that it would overwrite what the pair is made of.
        """
        if not self.is_shared:
            save_pair(state)
            return state
        is_reached = self._wait_for(run, end)
        if is_reached and self.is_main:
            save_pair(checkpoints.newest_state(run.run_dir))
        return None if self.mates.any(not is_reached) else checkpoints.newest_state(run.run_dir)

    def _wait_for(self, run, end):
        """Whether the pair of step `end` is there, or can be made by this process; False if a stop was asked for."""
        while not (self.is_main and checkpoints.newest_state(run.run_dir).step >= end) and not read_pair(pair_folder(run.run_dir, end)):
            if run.should_stop():
                return False
            time.sleep(LOOK_SECONDS)
        return True


def meet_all():
    """accelerate's state, once all processes that the environment tells of have found each other.

    On one computer they meet in a file: torch's server for that would listen to the whole network.
    """
    options = {"backend": "gloo", "cpu": not torch.cuda.is_available(), "timeout": LONGEST_PREPARATION}
    with hearing_all():
        if file := os.environ.get(MEETING_FILE):
            rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
            options |= {"store": torch.distributed.FileStore(file, size), "rank": rank, "world_size": size}
        return PartialState(**options)


def announce(text):
    """The main process's text (ASCII, at most 64 letters), told to all; every process must come to it."""
    letters = torch.zeros(64, dtype=torch.uint8)
    letters[: len(text)] = torch.tensor(list(text.encode()), dtype=torch.uint8)
    with hearing_all():
        torch.distributed.broadcast(letters, 0)
    return bytes(letters.tolist()).rstrip(b"\0").decode()


def _find_mates(rank, size, num_lanes):
    """The Mates of a process; every process must take part in making every group."""
    count = size // num_lanes
    if count == 1:
        return Mates()
    groups = [torch.distributed.new_group(range(first, first + count), LONGEST_ANSWER, "gloo") for first in range(0, size, count)]
    return Mates(rank % count, count, groups[rank // count])


def _wait_for_all():
    with hearing_all():
        torch.distributed.barrier()


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
