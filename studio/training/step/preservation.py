"""Differential Output Preservation (DOP): asked for people in general, the model must answer as it did before training.

The prior is the base model's own answer (LoRA off). Plain DOP asks at the person's noised pictures, with the class noun in place of the trigger,
as ostris' AI Toolkit does; with class pictures it asks at pictures of others that the base model drew, with their own prompts.
"""

import torch
import torch.nn.functional as F

from studio.config import PreservationConfig


def preserved_pictures(config: PreservationConfig, expert_step: int, count: int) -> list[int]:
    """Which of the `count` pictures of an expert's step (the first is 0) come with one to be kept: every `every`-th of the expert's pictures."""
    if not config.enabled or not config.multiplier:
        return []
    return [i for i in range(count) if (expert_step * count + i) % config.every == 0]


def preservation_weight(config: PreservationConfig, preserved: int, count: int) -> float:
    """Weight of the mean preservation loss of so many of a step's pictures: over all steps, that of a loss at each picture times multiplier."""
    return config.multiplier * config.every * preserved / count


def preservation_loss(prediction: torch.Tensor, prior: torch.Tensor) -> torch.Tensor:
    """MSE in fp32 between the answer to the class prompt with LoRA and the base model's; unweighted."""
    return F.mse_loss(prediction.float(), prior.float())
