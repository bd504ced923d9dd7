"""One expert at work: its steps, what is told of them, and its safety copies."""

import enum
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import psutil
import torch

from studio.clocks import awake_seconds
from studio.config import to_dict
from studio.errors import Problem
from studio.machine import GIB
from studio.models.compiled import describe_failure, is_compiler_failure
from studio.models.loading import load_expert, release
from studio.models.lora import add_lora, trainable_lora
from studio.training import checkpoints
from studio.training.checkpoints import State
from studio.training.endure.fallback import is_out_of_memory
from studio.training.endure.monitor import LossMonitor
from studio.training.endure.stopping import StopBetweenBlocks
from studio.training.endure.waiting import when_there_is_space
from studio.training.events import HeldOut, Progressed, Resumed, RolledBack, StepTaken, say, tell
from studio.training.pairs import list_run_pairs
from studio.training.run import Run
from studio.training.samples import Samples
from studio.training.schedule import learning_rate
from studio.training.step.batches import Batches
from studio.training.step.block_pass import BrokenOff, StepPlan
from studio.training.step.gradients import Row, accumulate_gradients, evaluate
from studio.training.step.optimizers import LoraOptimizer
from studio.training.step.randomness import seed_of

if TYPE_CHECKING:
    from diffusers.models.transformers.transformer_wan import WanTransformer3DModel

LOWERED_RATE = 0.5  # share of the learning rate with which a run goes on that broke down
PACE_STEPS = 50  # recent steps that the time left is reckoned from
Compute = Callable[[Callable[[], None]], torch.Tensor]  # takes what is called before each block
Used = TypeVar("Used")


class Outcome(enum.IntEnum):
    """How an attempt ended, the worst last: several processes go by the worst of theirs."""

    FINISHED = 0
    BROKEN_OFF = 1
    OUT_OF_MEMORY = 2


@dataclass(frozen=True)
class Attempt:
    """What was computed; None where it was not finished."""

    outcome: Outcome
    found: torch.Tensor | None = None


@dataclass(frozen=True)
class StepLosses:
    """Of a step, over all its rows. nothing: the loss of a model that predicts nothing; grad_norm: before clipping."""

    loss: float
    preservation: float
    nothing: float
    grad_norm: float


class Work:
    """One expert at work: model, optimizer, and how far both are. must_reload: its blocks must be placed differently before the next step."""

    def __init__(self, run: Run, expert: str, model: "WanTransformer3DModel", state: State, samples: Samples):
        self.run, self.expert, self.model, self.state = run, expert, model, state
        self.expert_step = state.expert_steps[expert]
        self.parameters = trainable_lora(model)
        self.optimizer = LoraOptimizer(run.config.optimizer, self.parameters, run.config.lora.precision)
        run.world.restore_expert(run.run_dir, state, expert, self.optimizer)
        self.process_group = run.world.process_group
        self.batches = Batches(run.config, run.project, run.base, expert, samples)
        self.monitor = LossMonitor(state.recent_losses[expert])
        self.pace: deque[float] = deque(maxlen=PACE_STEPS)
        self.must_reload = False
        self._plan_step()
        self.step = self.process_group.all_reduce_max(state.step)  # the other expert's steps may have been read at different moments

    def _plan_step(self) -> None:
        self.plan = StepPlan.of(self.run.fallback.memory, len(self.model.blocks))
        self.store = self.plan.make_store(self.run.device)

    def train_step(self) -> bool:
        """Batch, loss, backward, clip, check, step, report. Whether the step was taken: not if it was broken off, or must_reload."""
        started, group = awake_seconds(), self.batches.group(self.expert_step)
        mine = group.part(self.process_group.rank, self.process_group.size)
        totals = self._within_memory(
            mine.rows + mine.class_rows,
            lambda before_block: accumulate_gradients(self.model, mine, self.run.device, self.plan, self.store, before_block),
        )
        if totals is None:
            return False
        losses = self._clip(totals)
        if wrong := self.monitor.check(losses.loss, losses.grad_norm, losses.nothing):
            self._roll_back(wrong)
            return False
        rate = self._update()
        self.pace.append(awake_seconds() - started)
        self.run.deadline.step_seconds = max(self.pace)
        self._report(losses, bool(group.class_rows), rate)
        return True

    def _clip(self, totals: torch.Tensor) -> StepLosses:
        """Sum the gradients of the expert's processes and clip them. totals: as accumulate_gradients gives them."""
        gradients = [p.grad for p in self.parameters.values() if p.grad is not None]
        self.process_group.all_reduce_sum([totals, *gradients])
        norm = torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.run.config.optimizer.max_grad_norm)
        return StepLosses(*torch.cat([totals, norm[None].to(totals)]).tolist())  # the step's one wait for the device

    def _within_memory(self, rows: Sequence[Row], compute: Compute) -> torch.Tensor | None:
        """What is computed, if need be with less memory. None if it was broken off, or the expert must be loaded again."""
        while not self.must_reload:
            mine = self._attempt(compute)
            worst = Outcome(self.process_group.all_reduce_max(mine.outcome))
            if worst is Outcome.FINISHED:
                return mine.found
            self._forget_gradients()
            if worst is Outcome.BROKEN_OFF:
                return None
            self._fall_back(rows, mine.outcome)
        return None

    def _attempt(self, compute: Compute) -> Attempt:
        """compute(before_block), once; blocks that could not be compiled are computed as they are."""
        try:
            return Attempt(Outcome.FINISHED, compute(StopBetweenBlocks(self.run.should_stop, self.run.device, self._usual_seconds())))
        except BrokenOff:
            return Attempt(Outcome.BROKEN_OFF)
        except RuntimeError as e:
            if is_out_of_memory(e):
                return Attempt(Outcome.OUT_OF_MEMORY)
            if not is_compiler_failure(e):
                raise
            why_not_compiled = describe_failure(e)
        # not in the handler, whose traceback holds what the block pass had in memory
        self._forget_gradients()
        self.run.fallback.stop_compiling(self.step + 1, why_not_compiled)
        self._plan_step()
        return self._attempt(compute)

    def _fall_back(self, rows: Sequence[Row], mine: Outcome) -> None:
        """One notch less memory where this process ran out of it; what was learned is safe before. Sets must_reload."""
        if self.monitor.is_calm:
            self.save()
        ran_out = mine is Outcome.OUT_OF_MEMORY
        self.must_reload = self.process_group.any(ran_out and self._step_down(rows))
        if not ran_out:
            say(self.run.report, f"The memory of another GPU ran out at step {self.step + 1}. It goes on with less.")

    def _step_down(self, rows: Sequence[Row]) -> bool:
        """One notch less memory for a step of these rows. Whether the expert must be loaded again."""
        is_moved = self.run.fallback.step_down(self.step + 1, len(rows), self._input_bytes(rows))
        self._plan_step()
        return is_moved

    def _forget_gradients(self) -> None:
        for p in self.parameters.values():
            p.grad = None
        self.store.clear()
        if self.run.device.type == "cuda":
            torch.cuda.empty_cache()

    def _input_bytes(self, rows: Sequence[Row]) -> int:
        """Of what all blocks would keep as inputs for rows, each as long as the longest."""
        patches = self.model.patch_embedding
        tokens = max((row.latents[0].numel() for row in rows), default=0) // math.prod(patches.kernel_size)
        return len(rows) * tokens * patches.out_channels * self.model.dtype.itemsize * len(self.model.blocks)

    def _usual_seconds(self) -> float | None:
        return sum(self.pace) / len(self.pace) if self.pace else None

    def _update(self) -> float:
        """Take the step; returns its learning rate."""
        config = self.run.config
        rate = learning_rate(config, self.expert, self.expert_step) * self.state.rate_factor
        rate = self.optimizer.step(rate, self.expert_step, config.seed, self.expert)
        self.step, self.expert_step = self.step + 1, self.expert_step + 1
        return rate

    def _report(self, losses: StepLosses, has_preserved: bool, rate: float) -> None:
        run, total = self.run, self.run.config.steps
        taken = StepTaken(
            step=self.step,
            expert=self.expert,
            expert_step=self.expert_step,
            loss=losses.loss,
            preservation_loss=losses.preservation if has_preserved else None,
            learning_rate=rate,
            grad_norm=losses.grad_norm,
            seconds=round(self.pace[-1], 4),
            memory_gb=round(_memory_gb(run.device), 3),
            ram_gb=round(_ram_gb(), 3),
        )
        tell(run.report, taken)
        left = run.deadline.limit((total - self.step) * (self._usual_seconds() or 0.0))
        message = f"{run.words.doing} {run.base.preset.words_of(self.expert)}" if len(run.base.experts) > 1 else run.words.doing
        tell(
            run.report,
            Progressed(
                stage=run.words.stage, code=run.words.code, done=self.step, total=total, unit="steps", message=message, seconds_left=left
            ),
        )

    def check_held_out(self) -> None:
        """Loss of the pictures that were set aside, always under the same noise. Before the first step it is the base model's."""
        if not self.batches.samples.held_out:
            return
        rows = list(self.batches.held_out_rows())
        mine = slice(self.process_group.rank, None, self.process_group.size)
        found = self._within_memory(
            rows[mine], lambda before_block: evaluate(self.model, rows[mine], self.run.device, self.plan, before_block)
        )
        if found is None:
            return
        losses = torch.zeros(len(rows), device=self.run.device)
        losses[mine] = found
        self.process_group.all_reduce_sum([losses])
        check = HeldOut(
            step=self.step,
            expert=self.expert,
            expert_step=self.expert_step,
            loss=losses.mean().item(),
            bands=self.batches.held_out_bands(losses),
        )
        tell(self.run.report, check)

    def save(self) -> State:
        """Save the resume state of this step, once; returns it."""
        if self.state.expert_steps[self.expert] >= self.expert_step:
            return self.state
        state = replace(
            self.state,
            step=self.step,
            expert_steps=self.state.expert_steps | {self.expert: self.expert_step},
            recent_losses=self.state.recent_losses | {self.expert: tuple(self.monitor.recent)},
            settings=to_dict(self.run.config),
            base_key=self.run.base.key,
        )
        tensors, numbers = self.optimizer.tensors(), self.optimizer.numbers()

        def save() -> State:
            return self.run.world.save_state(self.run.run_dir, state, self.expert, tensors, numbers)

        self.state = when_there_is_space(self.run, self.step, save, self.process_group)
        return self.state

    def _roll_back(self, wrong: str) -> None:
        """Back to the last safety copy, and on with half the learning rate; Problem where that was done before. The step is not taken."""
        step, safe = self.step + 1, self.state.step
        if self.state.rate_factor < 1:
            self._stop_for_good(step, wrong)
        self.state = replace(self.state, rate_factor=LOWERED_RATE)
        self.step, self.expert_step, self.must_reload = safe, self.state.expert_steps[self.expert], True
        where = f"the safety copy of step {safe}" if safe else "the beginning"
        tell(self.run.report, RolledBack(step=step, to_step=safe, rate_factor=LOWERED_RATE, reason=wrong))
        say(self.run.report, f"Step {step}: {wrong}. Training goes back to {where}, and on with half the learning speed.")
        tell(self.run.report, Resumed(step=safe))

    def _stop_for_good(self, step: int, wrong: str) -> None:
        pairs = list_run_pairs(self.run.run_dir)
        kept = f"The checkpoint pair of step {pairs[-1].step} is kept" if pairs else "No checkpoint pair was made yet"
        optimizer = self.run.config.optimizer
        speed = optimizer.prodigy_factor if optimizer.name == "prodigy" else optimizer.learning_rate
        raise Problem(
            f"Training stopped at step {step}: {wrong}. Half the learning speed did not help.",
            cost=f"{kept}; the last safety copy is of step {self.state.step}.",
            fix=f"Halve the learning speed (it is {speed:g}) and go on, or look for a damaged photo.",
            action="halve-learning-rate",
        )


def use_expert(run: Run, expert: str, state: State, samples: Samples, use: Callable[[Work], Used]) -> Used:
    """use(work) of an expert that stands at `state`. It is loaded again, and used anew from where it was saved, as often as its blocks must be
    placed differently, and with more blocks in RAM where the GPU's memory runs out between steps.

    Memory that runs out while the expert is loaded is this process's own affair; later the others of its group would wait at another step.
    """
    group = run.world.process_group
    while True:
        work = None
        try:
            with opened_expert(run, expert, state, samples) as work:
                used = use(work)
        except RuntimeError as e:
            if not is_out_of_memory(e) or (work and group.size > 1):
                raise
        else:
            if not work.must_reload or group.any(run.should_stop()):
                return used
            state = work.state
            continue
        # not in the handler, whose traceback holds the model; the step that was being taken may be there in part
        state = checkpoints.newest_state(run.run_dir) if work else state
        run.fallback.swap_more(state.step + 1)
        tell(run.report, Resumed(step=state.step))


@contextmanager
def opened_expert(run: Run, expert: str, state: State, samples: Samples) -> Iterator[Work]:
    """The Work of an expert in memory, as it was when its last phase ended; its memory is given back before the next one comes."""
    memory, total = run.fallback.memory, run.config.steps
    tell(
        run.report,
        Progressed(stage=run.words.stage, code=run.words.code, done=state.step, total=total, unit="steps", message=f"Loading {expert}"),
    )
    with run.deadline.measure("loading_seconds"):
        model = load_expert(
            run.base,
            expert,
            dtype=run.dtype,
            device=run.device,
            blocks_swapped=memory.blocks_swapped,
            precision=memory.precision,
            multiply=memory.multiply,
        )
    if changed := model.storage.describe():
        say(run.report, changed)
    if memory.multiply == "8bit" and not model.storage.num_multiplied:
        say(run.report, "Products stay exact: for products of 8-bit numbers the base model must be int8 or fp8, and the card able to.")
    try:
        add_lora(model, run.config.lora.rank, seed_of(run.config.seed, expert, "lora"))
        yield Work(run, expert, model, state, samples)
    finally:
        release(model)


def _memory_gb(device: torch.device) -> float:
    """Most GPU memory used so far, or this process's RAM without a GPU."""
    return torch.cuda.max_memory_allocated(device) / GIB if device.type == "cuda" else _ram_gb()


def _ram_gb() -> float:
    """This process's RAM now."""
    return psutil.Process().memory_info().rss / GIB
