"""One expert at work: its steps, what is told of them, and its safety copies."""

import math
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import torch

from studio.clocks import awake_seconds
from studio.config import TrainConfig, to_dict
from studio.errors import Problem
from studio.models.catalogue import BaseModel
from studio.models.compiled import describe_failure, is_compiler_failure
from studio.models.lora import trainable_lora
from studio.training.endure.deadline import Deadline
from studio.training.endure.fallback import Backoff, is_out_of_memory
from studio.training.endure.monitor import LossMonitor
from studio.training.endure.process_group import Team
from studio.training.endure.stopping import StopBetweenBlocks
from studio.training.endure.waiting import when_there_is_space
from studio.training.pairs import list_run_pairs
from studio.training.samples import Samples
from studio.training.schedule import learning_rate
from studio.training.step.batches import Batches
from studio.training.step.block_pass import BrokenOff, StepPlan
from studio.training.step.gradients import accumulate_gradients, evaluate
from studio.training.step.optimizers import LoraOptimizer
from studio.workspace import Project

LOWERED_RATE = 0.5  # share of the learning rate with which a run goes on that broke down
PACE_STEPS = 50  # recent steps that the time left is reckoned from


@dataclass(frozen=True, kw_only=True)
class Run:
    """What stays the same through a run."""

    config: TrainConfig
    run_dir: Path
    project: Project
    base: BaseModel
    trigger: str
    class_noun: str
    device: torch.device
    dtype: torch.dtype
    report: Any
    should_stop: Any
    should_save: Any
    backoff: Backoff
    deadline: Deadline
    team: Team


class Work:
    """One expert at work: model, optimizer, and how far both are. must_reload: its blocks must be placed differently before the next step."""

    def __init__(self, run, expert, model, state, samples: Samples):
        self.run, self.expert, self.model, self.state = run, expert, model, state
        self.step, self.expert_step = state.step, state.expert_steps[expert]
        self.parameters = trainable_lora(model)
        self.optimizer = LoraOptimizer(run.config.optimizer, self.parameters, run.config.lora.precision)
        run.team.restore_expert(run.run_dir, state, expert, self.optimizer)
        self.mates = run.team.mates
        self.batches = Batches(run.config, run.project, run.base, expert, samples)
        self.monitor = LossMonitor(state.recent_losses[expert])
        self.pace = deque(maxlen=PACE_STEPS)
        self.must_reload = False
        self._plan_step()
        (self.step,) = self.mates.highest(state.step)  # the other expert's steps may have been read at different moments

    def _plan_step(self):
        self.plan = StepPlan.of(self.run.backoff.memory, len(self.model.blocks))
        self.shelf = self.plan.make_shelf(self.run.device)

    def train_step(self):
        """Batch, loss, backward, clip, check, step, report. Whether the step was taken: not if it was broken off, or must_reload."""
        started, group = awake_seconds(), self.batches.group(self.expert_step)
        mine = group.part(self.mates.place, self.mates.count)
        losses = self._within_memory(
            mine.rows + mine.class_rows,
            lambda before_block: accumulate_gradients(self.model, mine, self.run.device, self.plan, self.shelf, before_block),
        )
        if losses is None:
            return False
        loss, preservation, nothing, grad_norm = self._clip(losses)
        if wrong := self.monitor.check(loss, grad_norm, nothing):
            self._roll_back(wrong)
            return False
        rate = self._update()
        self.pace.append(awake_seconds() - started)
        self.run.deadline.step_seconds = max(self.pace)
        self._report(loss, preservation if group.class_rows else None, rate, grad_norm)
        return True

    def _clip(self, losses):
        """The mates' gradients together, clipped; [loss, preservation loss, loss of a model that predicts nothing, norm before clipping]."""
        self.mates.add_up([losses, *(p.grad for p in self.parameters.values())])
        norm = torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.run.config.optimizer.max_grad_norm)
        return torch.cat([losses, norm[None].to(losses)]).tolist()  # the step's one wait for the device

    def _within_memory(self, rows, compute):
        """compute(before_block), again and with less memory as long as a mate's GPU runs out of it; None if it was broken off or the expert must be reloaded."""
        while not self.must_reload:
            found, ran_out, not_compiled = None, False, ""
            try:
                found = compute(StopBetweenBlocks(self.run.should_stop, self.run.device, self._usual_seconds()))
            except BrokenOff:
                pass
            except RuntimeError as e:
                ran_out = is_out_of_memory(e)
                if not ran_out and not is_compiler_failure(e):
                    raise
                not_compiled = "" if ran_out else describe_failure(e)
            # not in the handler, whose traceback holds what the walk had in memory
            if not_compiled:
                self._forget_gradients()
                self.run.backoff.stop_compiling(self.step + 1, not_compiled)
                self._plan_step()
                continue
            one_ran_out, one_did_not_finish = self.mates.highest(ran_out, found is None)
            if not one_did_not_finish:
                return found
            self._forget_gradients()
            if not one_ran_out:
                return None
            if self.monitor.is_calm:
                self.save()
            self.must_reload = self.mates.any(ran_out and self._back_off(rows))
            if not ran_out:
                self.run.report("note", message=f"The memory of another GPU ran out at step {self.step + 1}. It goes on with less.")
        return None

    def _back_off(self, rows):
        """One notch less memory for a step of these rows. Whether the expert must be loaded again."""
        is_moved = self.run.backoff.take_notch(self.step + 1, len(rows), self._input_bytes(rows))
        self._plan_step()
        return is_moved

    def _forget_gradients(self):
        for p in self.parameters.values():
            p.grad = None
        self.shelf.clear()
        if self.run.device.type == "cuda":
            torch.cuda.empty_cache()

    def _input_bytes(self, rows):
        """Of what all blocks would keep as inputs for rows, each as long as the longest."""
        config = self.model.config
        tokens = max((row.latents[0].numel() for row in rows), default=0) // math.prod(config.patch_size)
        size = config.num_attention_heads * config.attention_head_dim * self.model.dtype.itemsize
        return len(rows) * tokens * size * len(self.model.blocks)

    def _usual_seconds(self):
        return sum(self.pace) / len(self.pace) if self.pace else None

    def _update(self):
        config = self.run.config
        rate = learning_rate(config, self.expert, self.expert_step) * self.state.rate_factor
        rate = self.optimizer.step(rate, self.expert_step, config.seed, self.expert)
        self.step, self.expert_step = self.step + 1, self.expert_step + 1
        return rate

    def _report(self, loss, preservation, rate, grad_norm):
        total, seconds = self.run.config.steps, self.pace[-1]
        self.run.report(
            "step",
            step=self.step,
            expert=self.expert,
            expert_step=self.expert_step,
            loss=loss,
            preservation_loss=preservation,
            learning_rate=rate,
            grad_norm=grad_norm,
            seconds=round(seconds, 4),
            memory_gb=round(_memory_gb(self.run.device), 3),
            ram_gb=round(_ram_gb(), 3),
        )
        left = self.run.deadline.limit((total - self.step) * self._usual_seconds())
        message = f"Learning {self.run.base.preset.words_of(self.expert)}" if len(self.run.base.experts) > 1 else "Learning"
        self.run.report("progress", stage="Training", done=self.step, total=total, unit="steps", message=message, seconds_left=left)

    def check_held_out(self):
        """Loss of the pictures that were set aside, always under the same noise. Before the first step it is the base model's."""
        if not self.batches.samples.held_out:
            return
        rows = list(self.batches.held_out_rows())
        mine = slice(self.mates.place, None, self.mates.count)
        found = self._within_memory(
            rows[mine], lambda before_block: evaluate(self.model, rows[mine], self.run.device, self.plan, before_block)
        )
        if found is not None:
            losses = torch.zeros(len(rows), device=self.run.device)
            losses[mine] = found
            self.mates.add_up([losses])
            facts = {"loss": losses.mean().item(), "bands": self.batches.held_out_bands(losses)}
            self.run.report("held_out", step=self.step, expert=self.expert, expert_step=self.expert_step, **facts)

    def save(self):
        """Save the resume state of this step, once; returns it."""
        if self.state.expert_steps[self.expert] < self.expert_step:
            state = replace(
                self.state,
                step=self.step,
                expert_steps=self.state.expert_steps | {self.expert: self.expert_step},
                recent_losses=self.state.recent_losses | {self.expert: tuple(self.monitor.recent)},
                settings=to_dict(self.run.config),
                base_key=self.run.base.key,
            )
            tensors, numbers = self.optimizer.tensors(), self.optimizer.numbers()
            self.state = when_there_is_space(
                self.run, self.step, lambda: self.run.team.save_state(self.run.run_dir, state, self.expert, tensors, numbers), self.mates
            )
        return self.state

    def _roll_back(self, wrong):
        """Back to the last safety copy, and on with half the learning rate; Problem where that was done before. The step is not taken."""
        step, safe = self.step + 1, self.state.step
        if self.state.rate_factor < 1:
            self._stop_for_good(step, wrong)
        self.state = replace(self.state, rate_factor=LOWERED_RATE)
        self.step, self.expert_step, self.must_reload = safe, self.state.expert_steps[self.expert], True
        where = f"the safety copy of step {safe}" if safe else "the beginning"
        self.run.report("rollback", step=step, to_step=safe, rate_factor=LOWERED_RATE, reason=wrong)
        self.run.report("note", message=f"Step {step}: {wrong}. Training goes back to {where}, and on with half the learning speed.")
        self.run.report("resume", step=safe)

    def _stop_for_good(self, step, wrong):
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


def _memory_gb(device):
    """Most GPU memory used so far, or this process's RAM without a GPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1024**3
    return _ram_gb()


def _ram_gb():
    """This process's RAM now."""
    return psutil.Process().memory_info().rss / 1024**3
