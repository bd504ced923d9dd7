"""One optimizer step's gradients: all rows of an accumulation group through the model.

The interface is block-major: a Group holds every row of the step, so that an implementation may take all of them through one block
before the next is needed. This one is sequential: pass by pass through the whole model, a pass being a few rows of one size.
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

    latents, noise: (C, F, h, w) fp32; sigma: noise level in [0, 1]; prompt: (L, D).
    """

    latents: torch.Tensor
    noise: torch.Tensor
    sigma: float
    prompt: torch.Tensor


@dataclass(frozen=True)
class Group:
    """What one optimizer step is made of: rows to learn, and rows at which the base model's answer is to be kept; each kind is averaged."""

    rows: tuple[Row, ...]
    class_rows: tuple[Row, ...] = ()
    preservation_weight: float = 0.0


def accumulate_gradients(model, group, accelerator, rows_per_pass=1):
    """Add the gradients of the group's mean loss to the LoRA parameters; at most `rows_per_pass` rows go through the model together.

    Returns a tensor (3,) on the device, not yet waited for: mean flow-matching loss, mean unweighted preservation loss, and the mean
    loss of a model that predicts nothing, by which a runaway loss is known.
    """
    totals = torch.zeros(3, device=accelerator.device)
    for rows in split_passes(group.rows, rows_per_pass):
        share = len(rows) / len(group.rows)
        loss, nothing = _flow_loss(model, _to_device(rows, accelerator.device), accelerator)
        accelerator.backward(loss * share)
        totals += share * torch.stack([loss.detach(), torch.zeros_like(nothing), nothing])
    for rows in split_passes(group.class_rows, rows_per_pass):
        share = len(rows) / len(group.class_rows)
        loss = _preservation_loss(model, _to_device(rows, accelerator.device), accelerator)
        accelerator.backward(loss * (group.preservation_weight * share))
        totals[1] += share * loss.detach()
    return totals


@torch.no_grad()
def evaluate(model, rows, accelerator, rows_per_pass=1):
    """Mean flow-matching loss of the rows, as a tensor on the device."""
    rows = list(rows)
    losses = [
        _flow_loss(model, _to_device(some, accelerator.device), accelerator)[0] * len(some) for some in split_passes(rows, rows_per_pass)
    ]
    return torch.stack(losses).sum() / len(rows)


def split_passes(rows, rows_per_pass):
    """The rows in lists of at most `rows_per_pass`, each of one size of latents and prompts."""
    sizes = {}
    for row in rows:
        sizes.setdefault((row.latents.shape, row.prompt.shape), []).append(row)
    return [same[i : i + rows_per_pass] for same in sizes.values() for i in range(0, len(same), rows_per_pass)]


def predict(model, x_t, sigma, prompt, accelerator):
    """The model's velocity: x_t (B, C, F, h, w), sigma (B,), prompt (B, L, D) -> (B, C, F, h, w) fp32."""
    with accelerator.autocast():
        answer = model(x_t, sigma * 1000, prompt, return_dict=False)[0]
    return answer.float()


@dataclass(frozen=True)
class _Pass:
    """Rows of one size as one batch, on the device: latents, noise (B, C, F, h, w), sigma (B,), prompt (B, L, D)."""

    latents: torch.Tensor
    noise: torch.Tensor
    sigma: torch.Tensor
    prompt: torch.Tensor

    @property
    def x_t(self):
        return add_noise(self.latents, self.noise, self.sigma.view(-1, 1, 1, 1, 1))


def _flow_loss(model, batch, accelerator):
    """(mean loss, mean loss of predicting zero) of a pass."""
    target = velocity(batch.latents, batch.noise)
    loss = F.mse_loss(predict(model, batch.x_t, batch.sigma, batch.prompt, accelerator), target)
    return loss, target.square().mean()


def _preservation_loss(model, batch, accelerator):
    """How far the model with LoRA answers otherwise than without."""
    with torch.no_grad(), lora_off(model):
        prior = predict(model, batch.x_t, batch.sigma, batch.prompt, accelerator)
    return preservation_loss(predict(model, batch.x_t, batch.sigma, batch.prompt, accelerator), prior)


def _to_device(rows, device):
    def stack(name):
        return torch.stack([getattr(row, name) for row in rows]).to(device, torch.float32)

    sigma = torch.tensor([row.sigma for row in rows], dtype=torch.float32).to(device)
    return _Pass(stack("latents"), stack("noise"), sigma, stack("prompt"))
