"""One optimizer step's gradients: all rows of an accumulation group through the model.

The interface is block-major: a Group holds every row of the step, so that an implementation may take all of them through one block
before the next is needed. This one is sequential: row by row through the whole model, which any model and any mix of sizes can do.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from studio.models.lora import lora_off
from studio.training.flow import add_noise, velocity
from studio.training.preservation import preservation_loss


@dataclass(frozen=True)
class Row:
    """One noised picture of a group, on the CPU; sizes may differ from row to row.

    latents, noise: (C, F, h, w) fp32; sigma: noise level in [0, 1]; prompt, class_prompt: (L, D).
    """

    latents: torch.Tensor
    noise: torch.Tensor
    sigma: float
    prompt: torch.Tensor
    class_prompt: torch.Tensor


@dataclass(frozen=True)
class Group:
    """The rows that are averaged into one optimizer step. preservation_weight 0: no DOP and no base rows in this step."""

    rows: tuple[Row, ...]
    preservation_weight: float = 0.0


def accumulate_gradients(model, group, accelerator):
    """Add the gradients of the group's mean loss to the LoRA parameters.

    Returns a tensor (3,) on the device, not yet waited for: mean flow-matching loss, mean unweighted preservation loss, and the mean
    loss of a model that predicts nothing, by which a runaway loss is known.
    """
    totals = torch.zeros(3, device=accelerator.device)
    for row in group.rows:
        totals += _row_gradients(model, row, group.preservation_weight, 1 / len(group.rows), accelerator)
    return totals / len(group.rows)


@torch.no_grad()
def evaluate(model, rows, accelerator):
    """Mean flow-matching loss of the rows, as a tensor on the device."""
    losses = [_flow_loss(model, _to_device(row, accelerator.device), accelerator)[0] for row in rows]
    return torch.stack(losses).mean()


def predict(model, x_t, sigma, prompt, accelerator):
    """The model's velocity for one row: x_t (C, F, h, w), prompt (L, D) -> (C, F, h, w) fp32."""
    with accelerator.autocast():
        timestep = torch.full((1,), sigma * 1000, device=x_t.device)
        answer = model(x_t[None], timestep, prompt[None], return_dict=False)[0]
    return answer[0].float()


def _row_gradients(model, row, weight, share, accelerator):
    """Two backward passes, one for each loss: the sum of their gradients is that of the sum, at half the memory."""
    row = _to_device(row, accelerator.device)
    loss, nothing, x_t = _flow_loss(model, row, accelerator)
    accelerator.backward(loss * share)
    preservation = torch.zeros_like(nothing)
    if weight:
        with torch.no_grad(), lora_off(model):
            prior = predict(model, x_t, row.sigma, row.class_prompt, accelerator)
        preservation = preservation_loss(predict(model, x_t, row.sigma, row.class_prompt, accelerator), prior)
        accelerator.backward(preservation * (weight * share))
    return torch.stack([loss.detach(), preservation.detach(), nothing])


def _flow_loss(model, row, accelerator):
    """(loss, loss of predicting zero, x_t) of one row that is on the device already."""
    x_t, target = add_noise(row.latents, row.noise, row.sigma), velocity(row.latents, row.noise)
    loss = F.mse_loss(predict(model, x_t, row.sigma, row.prompt, accelerator), target)
    return loss, target.square().mean(), x_t


def _to_device(row, device):
    tensors = (row.latents, row.noise, row.prompt, row.class_prompt)
    latents, noise, prompt, class_prompt = (t.to(device, torch.float32) for t in tensors)
    return Row(latents, noise, row.sigma, prompt, class_prompt)
