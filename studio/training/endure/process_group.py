"""Several processes at one training. Each expert has a process group of its own, which shares its steps; between the experts no gradient crosses, and
their processes meet in the run folder, at every pair."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import torch
from accelerate import PartialState

from studio.config import EXPERTS, RENDEZVOUS_FILE, TrainConfig
from studio.errors import Problem
from studio.models.catalogue import BaseModel
from studio.training import checkpoints
from studio.training.checkpoints import State
from studio.training.endure.all_reduce import ANSWER_TIMEOUT, ProcessGroup, raising_process_lost
from studio.training.pairs import pair_folder, read_pair
from studio.training.schedule import num_process_groups
from studio.training.step.optimizers import LoraOptimizer

LOOK_SECONDS = 0.5
PREPARATION_TIMEOUT = timedelta(days=2)  # accelerate gives up after half an hour: captions and class pictures may take longer


@dataclass(frozen=True)
class World:
    """This process among all of a run. process_group: among those of its expert; num_groups: experts that learn at the same time.

    The first ranks belong to the first group, and so on: on two computers with as many cards each, gradients stay within each of them.
    """

    rank: int = 0
    size: int = 1
    num_groups: int = 1
    process_group: ProcessGroup = field(default_factory=ProcessGroup)

    @classmethod
    def join(cls, config: TrainConfig, num_experts: int) -> "World":
        """The World that accelerate finds in the environment. Problem if it is not of the size that the run was planned for.

        It talks through gloo, on GPUs too: Windows has no NCCL, and a process that has died is noticed at once.
        """
        size, num_groups = config.processes, num_process_groups(config, num_experts)
        state = init_process_group() if size > 1 else PartialState()
        if state.num_processes != size:
            raise Problem(
                f"This training is for {size} processes, and {state.num_processes} are there.",
                cost="Nothing was lost.",
                fix="Start it from the studio or with the train command, which start them all; or set 'Graphics cards' to 1.",
            )
        return cls(state.process_index, size, num_groups, _make_process_group(state.process_index, size, num_groups))

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    @property
    def is_shared(self) -> bool:
        return self.size > 1

    def trains(self, expert: str) -> bool:
        """Whether this process does; a base model with one expert has one group, and all processes are in it."""
        return EXPERTS.index(expert) % self.num_groups == self.rank // self.process_group.size

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """The main process goes through the block before the others; all of them must come to it."""
        if self.is_shared and not self.is_main:
            _barrier()
        yield
        if self.is_shared and self.is_main:
            _barrier()

    def save_state(
        self, run_dir: Path, state: State, expert: str, tensors: dict[str, torch.Tensor], numbers: dict[str, str] | None
    ) -> State:
        """checkpoints.save_state by the main process of each group, beside what the other expert's has saved meanwhile."""
        if not self.process_group.is_main:
            return state
        if not self.is_shared:
            return checkpoints.save_state(run_dir, state, expert, tensors, numbers)
        with checkpoints.resume_lock(run_dir):
            return checkpoints.save_state(run_dir, _beside(state, expert, checkpoints.newest_state(run_dir)), expert, tensors, numbers)

    def restore_expert(self, run_dir: Path, state: State, expert: str, optimizer: LoraOptimizer) -> None:
        """checkpoints.restore_expert; the other expert's processes may have put newer states in the place of this one meanwhile."""
        if not self.is_shared:
            checkpoints.restore_expert(state, expert, optimizer)
            return
        with checkpoints.resume_lock(run_dir):
            checkpoints.restore_expert(checkpoints.newest_state(run_dir), expert, optimizer)

    def save_pair(self, run_dir: Path, state: State, config: TrainConfig, base: BaseModel, saved_by: str) -> int | None:
        """checkpoints.save_pair by the main process, of what all have saved."""
        if not self.is_main:
            return None
        if not self.is_shared:
            return checkpoints.save_pair(run_dir, state, config, base, saved_by=saved_by)
        with checkpoints.resume_lock(run_dir):
            return checkpoints.save_pair(run_dir, checkpoints.newest_state(run_dir), config, base, saved_by=saved_by)

    def close_span(
        self, run_dir: Path, state: State, end: int, save_pair: Callable[[State], None], should_stop: Callable[[], bool]
    ) -> State | None:
        """save_pair(state) of step `end` once every expert is there. Returns the state; None if a stop was asked for while waiting.

        A process that is not the main one waits for the pair: beyond that it would overwrite what the pair is made of.
        """
        if not self.is_shared:
            save_pair(state)
            return state
        is_reached = self._wait_for(run_dir, end, should_stop)
        if is_reached and self.is_main:
            save_pair(checkpoints.newest_state(run_dir))
        return None if self.process_group.any(not is_reached) else checkpoints.newest_state(run_dir)

    def _wait_for(self, run_dir: Path, end: int, should_stop: Callable[[], bool]) -> bool:
        """Whether the pair of step `end` is there, or can be made by this process; False if a stop was asked for."""
        while not (self.is_main and checkpoints.newest_state(run_dir).step >= end) and not read_pair(pair_folder(run_dir, end)):
            if should_stop():
                return False
            time.sleep(LOOK_SECONDS)
        return True


def init_process_group() -> PartialState:
    """accelerate's state, once all processes that the environment tells of have found each other: the rendezvous.

    On one computer they meet in a file: torch's server for that would listen to the whole network.
    """
    options = {"backend": "gloo", "cpu": not torch.cuda.is_available(), "timeout": PREPARATION_TIMEOUT}
    with raising_process_lost():
        if file := os.environ.get(RENDEZVOUS_FILE):
            rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
            store = torch.distributed.FileStore(file, size)  # pyright: ignore[reportPrivateImportUsage]: it is documented as public
            options |= {"store": store, "rank": rank, "world_size": size}
        return PartialState(**options)


def broadcast_text(text: str) -> str:
    """The main process's text (ASCII, at most 64 letters), told to all; every process must come to it."""
    letters = torch.zeros(64, dtype=torch.uint8)
    letters[: len(text)] = torch.tensor(list(text.encode()), dtype=torch.uint8)
    with raising_process_lost():
        torch.distributed.broadcast(letters, 0)
    return bytes(letters.tolist()).rstrip(b"\0").decode()


def _make_process_group(rank: int, size: int, num_groups: int) -> ProcessGroup:
    """The ProcessGroup of a process; every process must take part in making every group."""
    count = size // num_groups
    if count == 1:
        return ProcessGroup()
    groups = [torch.distributed.new_group(range(first, first + count), ANSWER_TIMEOUT, "gloo") for first in range(0, size, count)]
    mine = groups[rank // count]
    assert not isinstance(mine, int), "this process is in the group"
    return ProcessGroup(rank % count, count, mine)


def _barrier() -> None:
    with raising_process_lost():
        torch.distributed.barrier()


def destroy_process_group() -> None:
    """Forget what accelerate has found in the environment, so that it looks anew."""
    if PartialState._shared_state:
        PartialState().destroy_process_group()
        PartialState._reset_state()


def _beside(state: State, expert: str, newest: State) -> State:
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
