"""Whose turn it is: experts take turns in long phases, so that one is in memory at a time and every checkpoint pair is complete."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from studio.config import EXPERTS, TrainConfig


@dataclass(frozen=True)
class Phase:
    """A stretch of steps of one expert, from where it stands up to `last_expert_step` of its own."""

    expert: str
    first_step: int  # optimizer steps of both experts together
    last_step: int
    last_expert_step: int


def list_spans(config: TrainConfig, done: int = 0) -> list[int]:
    """The steps at which a checkpoint pair is due, from `done` on: every save_every, and the last step."""
    ends = [*range(config.save_every, config.steps, config.save_every), config.steps]
    return [end for end in ends if end >= done]


def plan_phases(config: TrainConfig, end: int, expert_steps: Mapping[str, int]) -> list[Phase]:
    """The phases that lead from where the experts stand to the pair of step `end`; none if it is reached.

    An expert gets its share of all steps up to `end`. Depends only on what is done, so steps or share may change between two sittings.
    """
    done = sum(expert_steps.values())
    first, second = EXPERTS
    goal = min(round(end * config.share_of(first)), end - expert_steps[second])
    todo = {first: max(0, goal - expert_steps[first])}
    todo[second] = max(0, end - done - todo[first])
    phases = []
    for expert in EXPERTS:
        if todo[expert]:
            phases.append(Phase(expert, done + 1, done + todo[expert], expert_steps[expert] + todo[expert]))
            done += todo[expert]
    return phases


def fit_to_experts(config: TrainConfig, experts: Sequence[str]) -> TrainConfig:
    """The config with all steps for the one expert of a base model that has one. ValueError for fewer pictures a step than share an expert."""
    config = config if len(experts) > 1 else replace(config, high_noise_share=0.0)
    cards = group_size(config, len(experts))
    if cards > config.accumulation:
        raise ValueError(
            f"with {config.processes} graphics cards {cards} share the pictures of a step, and there are {config.accumulation}; "
            f"raise 'Pictures a step' (accumulation) to at least {cards}, or use fewer graphics cards"
        )
    return config


def num_process_groups(config: TrainConfig, num_experts: int) -> int:
    """How many experts of a base model learn at the same time."""
    return min(config.processes, num_experts)


def group_size(config: TrainConfig, num_experts: int) -> int:
    """How many processes share the steps of one expert."""
    return config.processes // num_process_groups(config, num_experts)


def processes_for(num_gpus: int) -> int:
    """The most processes of a run for which there are so many graphics cards."""
    return max(1, num_gpus // 2 * 2)


def of_one_process(config: TrainConfig, num_experts: int) -> TrainConfig:
    """The config of a run whose steps are as much work as this process's part of a step."""
    return replace(config, processes=1, accumulation=-(-config.accumulation // group_size(config, num_experts)))


def steps_in_turn(config: TrainConfig) -> float:
    """How many of a run's steps follow each other: with several processes those of the expert that has more, as the experts learn at once."""
    return config.steps if config.processes == 1 else config.steps * max(map(config.share_of, EXPERTS))


def steps_of_expert(config: TrainConfig, expert: str) -> int:
    """How many of a run's steps an expert takes."""
    first = round(config.steps * config.share_of(EXPERTS[0]))
    return first if expert == EXPERTS[0] else config.steps - first


def learning_rate(config: TrainConfig, expert: str, expert_step: int) -> float:
    """Learning rate of an expert's step (the first is 0): grows evenly over the expert's own warm-up steps, then stays, or falls as half
    a cosine to almost nothing at its last step. For Prodigy it is the factor on the rate that it finds.

    torch's schedulers are not used: they count steps in a state of their own, which every resume, rollback and exchange of experts had to restore.
    """
    settings = config.optimizer
    highest = settings.prodigy_factor if settings.name == "prodigy" else settings.learning_rate
    rate = highest * min(1.0, (expert_step + 1) / max(1, settings.warmup_steps))
    if settings.schedule == "constant":
        return rate
    done = (expert_step - settings.warmup_steps) / max(1, steps_of_expert(config, expert) - settings.warmup_steps)
    return rate * (1 + math.cos(math.pi * min(1.0, max(0.0, done)))) / 2
