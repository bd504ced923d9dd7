"""What a training's settings mean for one expert, for trainers that train the experts one by one."""

from studio.config import EXPERTS, OptimizerConfig, TrainConfig


def expert_steps(train: TrainConfig, expert: str) -> int:
    return max(1, round(train.steps * train.share_of(expert)))


def noise_range(expert: str, boundary: float) -> tuple[float, float]:
    """(lowest, highest) noise level of one of two experts."""
    return {EXPERTS[0]: (boundary, 1.0), EXPERTS[1]: (0.0, boundary)}[expert]


def learning_rate(optimizer: OptimizerConfig) -> float:
    """Prodigy takes a factor on the learning rate that it finds."""
    return optimizer.prodigy_factor if optimizer.name == "prodigy" else optimizer.learning_rate
