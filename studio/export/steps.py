"""What a training's settings mean for one expert, for trainers that train the experts one by one."""

from studio.config import EXPERTS, OptimizerConfig, TrainConfig


def expert_steps(train: TrainConfig, expert: str) -> int:
    share = train.high_noise_share if expert == EXPERTS[0] else 1 - train.high_noise_share
    return max(1, round(train.steps * share))


def noise_range(expert: str, boundary: float) -> tuple[float, float]:
    return {"high_noise": (boundary, 1.0), "low_noise": (0.0, boundary)}[expert]


def learning_rate(optimizer: OptimizerConfig) -> float:
    """Prodigy takes a factor on the learning rate that it finds."""
    return optimizer.prodigy_factor if optimizer.name == "prodigy" else optimizer.learning_rate
