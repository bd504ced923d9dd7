"""Differential Output Preservation (DOP): asked for people in general, the model must answer as it did before training.

The prior is the base model's own answer (LoRA off). Plain DOP asks at the person's noised pictures, with the class noun in place of the trigger,
as ostris' AI Toolkit does; with class pictures it asks at pictures of others that the base model drew, with their own prompts.
"""

import torch.nn.functional as F


def preservation_weight(config, expert_step):
    """Weight of the preservation loss in that step of an expert (the first is 0): multiplier * every on each `every`-th, else 0."""
    if not config.enabled or expert_step % config.every:
        return 0.0
    return config.multiplier * config.every


def preservation_loss(prediction, prior):
    """MSE in fp32 between the answer to the class prompt with LoRA and the base model's; unweighted."""
    return F.mse_loss(prediction.float(), prior.float())
