"""A training of the builder that may be cut off at any moment: one loop for every stage, seeded, saved, and gone on from exactly.

A stage's `train_step(step)` draws everything from generators named by the step (`studio.training.step.randomness.generator`), never from a global
one: then an interrupted training and a whole one end with the same bits, on the same machine with the same number of threads (sums over
threads are taken in another order when there are more or fewer of them, which is the one thing that the hashes depend on beside the plan).
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias, TypedDict

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from studio.tiny.muon import Muon

Plan: TypeAlias = dict[str, Any]  # JSON, kept beside a state: all that decides what a stage ends with
SAVE_SECONDS = 120
REPORT_SECONDS = 30


class Interruption(TypedDict, total=False):
    """When a stage is saved and stopped, as `run_stage` takes it."""

    save_seconds: float
    should_stop: Callable[[], bool]


def run_stage(
    folder: Path,
    plan: Plan,
    modules: Mapping[str, torch.nn.Module],
    optimizers: Mapping[str, torch.optim.Optimizer],
    train_step: Callable[[int], torch.Tensor],
    *,
    average: float = 0.0,
    report: Callable[[str], None] = print,
    save_seconds: float = SAVE_SECONDS,
    should_stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Train `modules` for plan["steps"] steps, or go on where `folder` stands. Returns whether it is finished (False: asked to stop).

    plan: JSON dict of all that decides the result, with "name", "steps", and perhaps "warm_up" and "down"; a state of another plan is not used. modules: {name: nn.Module};
    optimizers: {name: Optimizer}, their learning rates scaled by `warm_up_and_down`. train_step(step) -> loss tensor; backward is done here.
    average: decay of an exponential moving average of the weights (0: none), which stands in the modules at the end.
    """
    state = StageState(Path(folder), plan, modules, optimizers, average)
    step, seconds = state.load()
    rates = {id(group): group["lr"] for o in optimizers.values() for group in o.param_groups}
    first, losses, said = step, [], -math.inf
    pace = saved = time.monotonic()
    while step < plan["steps"] and not should_stop():
        for optimizer in optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = rates[id(group)] * warm_up_and_down(step, **{k: plan[k] for k in ("steps", "warm_up", "down") if k in plan})
        loss = train_step(step)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for m in modules.values() for p in m.parameters() if p.grad is not None], 1.0)
        for optimizer in optimizers.values():
            optimizer.step()
            optimizer.zero_grad()
        step += 1
        state.follow(step)
        losses = [*losses, loss.item()][-50:]
        if not math.isfinite(losses[-1]):
            raise ValueError(f"the stage {plan['name']} broke down at step {step}: the loss is no number; lower its learning rate")
        now = time.monotonic()
        if now - said > REPORT_SECONDS or step == plan["steps"]:
            said, each = now, (now - pace) / (step - first)
            left = each * (plan["steps"] - step) / 60
            report(
                f"{plan['name']}: step {step} of {plan['steps']}, loss {sum(losses) / len(losses):.4f}, {each:.2f} s a step, {left:.0f} min left"
            )
        if now - saved > save_seconds:
            saved = now
            state.save(step, seconds + now - pace)
    state.save(step, seconds + time.monotonic() - pace)
    if step >= plan["steps"]:
        state.take_average()
    return step >= plan["steps"]


def warm_up_and_down(step: int, steps: int, warm_up: int | None = None, down: float = 0.4) -> float:
    """Share of the learning rate at a step: up over `warm_up` steps (3 % of all), level, and to nothing over the last share `down`."""
    falling = max((1 - step / steps) / down, 0.01) if down else 1.0
    return min(1.0, (step + 1) / (warm_up or 0.03 * steps), falling)


class StageState:
    """What a stage needs to go on: weights, optimizers, averages, step; one file that appears by one rename."""

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        modules: Mapping[str, torch.nn.Module],
        optimizers: Mapping[str, torch.optim.Optimizer],
        average: float,
    ) -> None:
        self.path, self.plan, self.average = folder / "state.safetensors", plan, average
        self.modules, self.optimizers = modules, optimizers
        self.averages = {key: t.detach().clone() for key, t in self._weights().items()} if average else {}

    def load(self) -> tuple[int, float]:
        """(step, seconds spent so far) of the state on disk, put into modules and optimizers; (0, 0.0) if there is none of this plan."""
        head = _read_head(self.path)
        if not head or head["plan"] != self.plan:
            return 0, 0.0
        with safe_open(self.path, "pt") as file, torch.no_grad():
            for key, tensor in self._weights().items():
                tensor.copy_(file.get_tensor(key))
            for key, tensor in self.averages.items():
                tensor.copy_(file.get_tensor(f"average/{key}"))
            keys = [key for key in file.keys() if key.startswith("optimizer/")]  # noqa: SIM118
            for name, optimizer in self.optimizers.items():
                for i, p in enumerate(_parameters(optimizer)):
                    prefix = f"optimizer/{name}/{i}/"
                    found = {key.removeprefix(prefix): file.get_tensor(key).to(p.device) for key in keys if key.startswith(prefix)}
                    if found:
                        optimizer.state[p] = found
        if head["step"] >= self.plan["steps"]:
            self.take_average()
        return head["step"], head["seconds"]

    def save(self, step: int, seconds: float) -> None:
        tensors = {key: t.detach() for key, t in self._weights().items()} | {f"average/{key}": t for key, t in self.averages.items()}
        for name, optimizer in self.optimizers.items():
            for i, p in enumerate(_parameters(optimizer)):
                tensors |= {f"optimizer/{name}/{i}/{key}": value for key, value in optimizer.state.get(p, {}).items()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        head = {"plan": json.dumps(self.plan, sort_keys=True), "step": str(step), "seconds": f"{seconds:.1f}"}
        save_file({key: t.contiguous().clone() for key, t in tensors.items()}, temporary, head)
        os.replace(temporary, self.path)

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """Let the averages follow the weights; quickly at first, so that the start is forgotten."""
        decay = min(self.average, (1 + step) / (10 + step))
        weights = self._weights()
        for key, tensor in self.averages.items():
            tensor.lerp_(weights[key].detach().to(tensor.dtype), 1 - decay)

    @torch.no_grad()
    def take_average(self) -> None:
        weights = self._weights()
        for key, tensor in self.averages.items():
            weights[key].copy_(tensor)

    def _weights(self) -> dict[str, torch.Tensor]:
        """Floating-point parameters and buffers by "module/name"."""
        return {
            f"{name}/{key}": t
            for name, module in self.modules.items()
            for key, t in [*module.named_parameters(), *module.named_buffers()]
            if t.is_floating_point()
        }


def _parameters(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    return [p for group in optimizer.param_groups for p in group["params"]]


def _read_head(path: Path) -> dict[str, Any] | None:
    """{"plan", "step", "seconds"} of a state file; None if there is none that can be read."""
    try:
        with safe_open(path, "pt") as file:
            head = file.metadata()
        return {"plan": json.loads(head["plan"]), "step": int(head["step"]), "seconds": float(head["seconds"])}
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None


def muon_and_adamw(modules: Mapping[str, torch.nn.Module], *, learning_rate: float) -> dict[str, torch.optim.Optimizer]:
    """{"muon": for the matrices inside blocks and layers, "adamw": for everything else} over the trainable parameters of the modules."""
    matrices, others = [], []
    for module in modules.values():
        for name, p in module.named_parameters():
            if p.requires_grad:
                (matrices if p.ndim == 2 and ("blocks." in name or "layers." in name) else others).append(p)
    adamw = torch.optim.AdamW(others, lr=learning_rate, betas=(0.9, 0.98), weight_decay=0.0)
    return {"muon": Muon(matrices, lr=learning_rate), "adamw": adamw} if matrices else {"adamw": adamw}
