"""Differential Output Preservation (DOP): with the class noun in place of the trigger, the model must answer as it did before training.

The prior is the base model's own answer (LoRA off) to the class prompt at the same noised latents and level, as in ostris' AI Toolkit.
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
