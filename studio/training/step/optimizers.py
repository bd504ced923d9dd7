"""The optimizers of a LoRA behind one face: a step, and everything that must be saved to take the next one exactly."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from safetensors import safe_open

from studio.config import OptimizerConfig
from studio.errors import Problem
from studio.training.plan.optimizer_facts import PRODIGY_SLICE, how_to_use, why_not_usable
from studio.training.step.randomness import seed_of

BETAS = (0.9, 0.999)
NUMBERS, GROUP, EACH = "optimizer", "group", "each"  # in the metadata of a safety copy: of the parameter group, and of each parameter
FIRST_GUESS = (
    1e-5  # Prodigy's first rate. On the tiny model it ends at the same 1.5e-3 as from 1e-6, and gets there 40 steps of an expert sooner
)
EVOLVING = ("d", "d_max", "d_numerator", "d_denom", "d_hat", "k")  # numbers of a parameter group that Prodigy changes from step to step
LORA_PART, AVERAGE_PART = "lora", "average"
Parameters = dict[str, torch.nn.Parameter]  # of a LoRA, by the keys of its file
CARRIED = (LORA_PART, AVERAGE_PART)  # tensors in a safety copy that are none of the library's


def require_usable(name: str, device_type: str) -> None:
    """Problem if an optimizer of the settings can't be used on "cuda" or "cpu"."""
    reason = why_not_usable(name, device_type)
    if reason:
        raise Problem(reason, cost="Nothing was lost.", fix=how_to_use(name, device_type), action="open-settings")


class LoraOptimizer:
    """Steps of one expert's LoRA: {file key: Parameter}, fp32 on one device.

    precision "bf16" turns the parameters into bf16; their gradients stay fp32, and each step is taken in fp32 and then rounded by chance.
    """

    def __init__(self, settings: OptimizerConfig, parameters: Parameters, precision: str = "fp32"):
        self.parameters, self.worked_on = parameters, parameters
        if precision == "bf16":
            for p in parameters.values():
                p.data, p.grad_dtype = p.data.bfloat16(), torch.float32
            self.worked_on = {key: torch.nn.Parameter(torch.empty(0)) for key in parameters}
        self.library = _LIBRARIES[settings.name](list(self.worked_on.values()), settings)
        self.average = WeightAverage(settings.average, parameters) if settings.average else None

    def step(self, rate: float, expert_step: int, *key: object) -> float:
        """Take an expert's step (the first is 0) with the gradients there are, and forget them. Returns the learning rate it was taken with.

        key: what chance in rounding depends on, beside the step.
        """
        found = self.library.param_groups[0].get("d", 1.0)  # Prodigy's own estimate
        for group in self.library.param_groups:
            group["lr"] = rate
        with self._in_fp32(*key, expert_step):
            self.library.step()
        for p in self.parameters.values():
            p.grad = None
        if self.average:
            self.average.update(self.parameters, expert_step)
        return rate * found

    @contextmanager
    def _in_fp32(self, *key: object) -> Iterator[None]:
        """bf16 weights as fp32 for the length of a step, when no activations need the memory."""
        pairs = [(p, self.worked_on[name]) for name, p in self.parameters.items() if self.worked_on[name] is not p]
        for p, stand_in in pairs:
            stand_in.data = p.data.float()
            stand_in.grad = p.grad
        yield
        for number, (p, stand_in) in enumerate(pairs):
            draw = torch.Generator(p.device).manual_seed(seed_of(*key, number, "rounding"))
            p.data.copy_(round_by_chance(stand_in.data, draw))
            stand_in.grad, stand_in.data = None, torch.empty(0)

    # -- safety copies

    def tensors(self) -> dict[str, torch.Tensor]:
        """{"lora/<key>" | "<the library's name>/<key>" | "average/<key>": tensor}: with `numbers`, all that the next step depends on."""
        found: dict[str, torch.Tensor] = {f"lora/{key}": p for key, p in self.parameters.items()}
        for key, p in self.worked_on.items():
            found |= {f"{name}/{key}": t for name, t in self.library.state.get(p, {}).items() if isinstance(t, torch.Tensor)}
        if self.average:
            found |= {f"average/{key}": t for key, t in self.average.weights.items()}
        return found

    def numbers(self) -> dict[str, str]:
        """What the library keeps as plain numbers, as metadata of a file: of the group, and of each parameter (all have the same)."""
        group = {name: value for name, value in self.library.param_groups[0].items() if name in EVOLVING}
        each = {}
        for state in self.library.state.values():
            each |= {name: value for name, value in state.items() if not isinstance(value, torch.Tensor)}
        return {NUMBERS: json.dumps({GROUP: group, EACH: each})}

    @torch.no_grad()
    def restore(self, file: safe_open, expert_steps: int) -> None:
        """Put back what an open safetensors file holds of `tensors` and `numbers`."""
        numbers = json.loads((file.metadata() or {}).get(NUMBERS, "{}"))
        states = {key: dict(numbers.get(EACH, {})) for key in self.parameters}
        for name in file.keys():  # noqa: SIM118
            part, _, key = name.partition("/")
            if part not in CARRIED:
                states[key][part] = file.get_tensor(name)
        for key, p in self.parameters.items():
            p.copy_(file.get_tensor(f"lora/{key}"))
            if states[key]:
                self.library.state[self.worked_on[key]] = _placed(states[key], p.device, expert_steps)
        for group in self.library.param_groups:
            group |= numbers.get(GROUP, {})
        if self.average:
            self.average.restore(file, self.parameters)


def _placed(state: Mapping[str, Any], device: torch.device, expert_steps: int) -> dict[str, Any]:
    """A parameter's state as the library keeps it: its count of steps on the CPU, all else with the weights."""
    state = {"step": torch.tensor(float(expert_steps)), **state}  # AdamW's count was left out by earlier versions of the studio
    placed = dict(state)
    for name, value in state.items():
        if isinstance(value, torch.Tensor):
            placed[name] = value.to("cpu" if name == "step" else device, copy=True)
    return placed


class WeightAverage:
    """Exponential moving average of the weights, fp32, in RAM: it takes no memory of the GPU."""

    def __init__(self, decay: float, parameters: Parameters):
        self.decay = decay
        self.weights = {key: p.detach().to("cpu", torch.float32, copy=True) for key, p in parameters.items()}

    @torch.no_grad()
    def update(self, parameters: Parameters, expert_step: int) -> None:
        """Early on it follows quickly, (1 + n) / (10 + n) after n steps: the untrained weights are soon forgotten."""
        decay = min(self.decay, (1 + expert_step) / (10 + expert_step))
        for key, p in parameters.items():
            self.weights[key].lerp_(p.detach().to("cpu", torch.float32), 1 - decay)

    def restore(self, file: safe_open, parameters: Parameters) -> None:
        """From a safety copy; one that was made without average starts it at the weights."""
        has = set(file.keys())
        for key, p in parameters.items():
            self.weights[key].copy_(file.get_tensor(f"average/{key}") if f"average/{key}" in has else p)


def round_by_chance(x: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """fp32 -> bf16, up or down with chances that make the mean exact: steps too small for bf16 add up over time. draw: x's device's generator.

    A bf16 number is the upper half of an fp32 one: a random lower half is added, and the sum cut off.
    """
    bits = x.view(torch.int32) + torch.randint(0, 1 << 16, x.shape, dtype=torch.int32, device=x.device, generator=draw)
    rounded = bits.bitwise_and_(-(1 << 16)).view(torch.float32)
    return torch.where(x.isfinite(), rounded, x).bfloat16()


# -- the libraries' optimizers


def _adamw(parameters: list[torch.nn.Parameter], settings: OptimizerConfig) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, betas=BETAS, weight_decay=settings.weight_decay)


def _adamw8bit(parameters: list[torch.nn.Parameter], settings: OptimizerConfig) -> torch.optim.Optimizer:
    from bitsandbytes.optim import AdamW8bit  # pyright: ignore[reportMissingImports]: it is there with NVIDIA GPUs only

    return AdamW8bit(parameters, betas=BETAS, weight_decay=settings.weight_decay)


def _prodigy(parameters: list[torch.nn.Parameter], settings: OptimizerConfig) -> torch.optim.Optimizer:
    """As its authors advise for diffusion models: bias correction, and a warm-up that does not count as small gradients."""
    from prodigyopt import Prodigy

    prodigy = Prodigy(parameters, betas=BETAS, use_bias_correction=True, safeguard_warmup=True, slice_p=PRODIGY_SLICE, d0=FIRST_GUESS)
    for group in prodigy.param_groups:
        group["weight_decay"] = settings.weight_decay  # not above: there it would be announced on stdout
    return prodigy


def _adafactor(parameters: list[torch.nn.Parameter], settings: OptimizerConfig) -> torch.optim.Optimizer:
    """Without scaling by the size of the weights (eps 1): B begins at zero, and would never leave it."""
    return torch.optim.Adafactor(parameters, eps=(None, 1.0), weight_decay=settings.weight_decay)


_LIBRARIES: dict[str, Callable[[list[torch.nn.Parameter], OptimizerConfig], torch.optim.Optimizer]] = {
    "adamw": _adamw,
    "adamw8bit": _adamw8bit,
    "prodigy": _prodigy,
    "adafactor": _adafactor,
}
