"""Whose turn it is: experts take turns in long phases, so that one is in memory at a time and every checkpoint pair is complete."""

from dataclasses import dataclass

from studio.config import EXPERTS


@dataclass(frozen=True)
class Phase:
    """A stretch of steps of one expert, from where it stands up to `last_expert_step` of its own."""

    expert: str
    first_step: int  # optimizer steps of both experts together
    last_step: int
    last_expert_step: int


def list_spans(config, done=0):
    """The steps at which a checkpoint pair is due, from `done` on: every save_every, and the last step."""
    ends = [*range(config.save_every, config.steps, config.save_every), config.steps]
    return [end for end in ends if end >= done]


def plan_phases(config, end, expert_steps):
    """The phases that lead from where the experts stand to the pair of step `end`; none if it is reached.

    An expert gets its share of all steps up to `end`. Depends only on what is done, so steps or share may change between two sittings.
    """
    done = sum(expert_steps.values())
    high_goal = min(round(end * config.high_noise_share), end - expert_steps["low_noise"])
    todo = {"high_noise": max(0, high_goal - expert_steps["high_noise"])}
    todo["low_noise"] = max(0, end - done - todo["high_noise"])
    phases = []
    for expert in EXPERTS:
        if todo[expert]:
            phases.append(Phase(expert, done + 1, done + todo[expert], expert_steps[expert] + todo[expert]))
            done += todo[expert]
    return phases


def learning_rate(config, expert_step):
    """Learning rate of an expert's step (the first is 0): grows evenly over its own warm-up steps, then stays."""
    return config.learning_rate * min(1.0, (expert_step + 1) / max(1, config.warmup_steps))
