"""What a training's settings mean for one expert, for trainers that train the experts one by one."""

from studio.config import EXPERTS, OptimizerConfig, TrainConfig


def expert_steps(train: TrainConfig, expert: str) -> int:
    return round(train.steps * train.share_of(expert))


def trained_experts(train: TrainConfig) -> tuple[str, ...]:
    """Those that take steps at all."""
    return tuple(expert for expert in EXPERTS if expert_steps(train, expert))


def save_interval(train: TrainConfig, expert: str) -> int:
    """After how many of its own steps an expert is saved, so that both are saved equally often."""
    return max(1, round(train.save_every * train.share_of(expert)))


def turn_steps(train: TrainConfig) -> int:
    """How many steps an expert's turn lasts, where they take turns of equal length: two turns a save, and all turns whole."""
    saves = max(1, round(train.steps / train.save_every))
    return max(1, round(train.steps / (2 * saves)))


def noise_range(expert: str, boundary: float) -> tuple[float, float]:
    """(lowest, highest) noise level of one of two experts."""
    return {EXPERTS[0]: (boundary, 1.0), EXPERTS[1]: (0.0, boundary)}[expert]


def learning_rate(optimizer: OptimizerConfig) -> float:
    """Prodigy takes a factor on the learning rate that it finds."""
    return optimizer.prodigy_factor if optimizer.name == "prodigy" else optimizer.learning_rate
