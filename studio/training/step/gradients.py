"""One optimizer step's gradients: the rows of an accumulation group, put into passes and block passes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from studio.models.first_picture import with_condition
from studio.models.stream.activation_store import ActivationStore
from studio.training.step.block_pass import Pass, StepPlan, add_gradients, do_nothing, predict
from studio.training.step.flow import add_noise, velocity

if TYPE_CHECKING:
    from diffusers.models.transformers.transformer_wan import WanTransformer3DModel

EVERYTHING = StepPlan()


@dataclass(frozen=True)
class Row:
    """One noised picture of a group, on the CPU; sizes may differ from row to row.

    latents, noise: (C, F, h, w) fp32; sigma: noise level in [0, 1]; prompt: (L, D); condition: of the first picture, (channels, F, h, w), where
    the model takes one.
    """

    latents: torch.Tensor
    noise: torch.Tensor
    sigma: float
    prompt: torch.Tensor
    condition: torch.Tensor | None = None


@dataclass(frozen=True)
class Group:
    """What one optimizer step is made of: rows to learn, and rows at which the base model's answer is to be kept; each kind is averaged.

    counts: over how many rows of each kind; None: those that are here.
    """

    rows: tuple[Row, ...]
    class_rows: tuple[Row, ...] = ()
    preservation_weight: float = 0.0
    counts: tuple[int, int] | None = None

    def part(self, rank: int, size: int) -> "Group":
        """Every size-th row from `rank` on, still averaged over all: the losses and gradients of all parts add up to the group's.

        The class rows are dealt out from the other end, so that who has a row more has a class row less.
        """
        counts = len(self.rows), len(self.class_rows)
        return replace(self, rows=self.rows[rank::size], class_rows=self.class_rows[size - 1 - rank :: size], counts=counts)


@dataclass(frozen=True)
class _Part:
    """Rows of one pass; share: of the rows of its kind."""

    rows: list[Row]
    share: float
    is_preserved: bool


def accumulate_gradients(
    model: "WanTransformer3DModel",
    group: Group,
    device: torch.device,
    plan: StepPlan = EVERYTHING,
    store: ActivationStore | None = None,
    before_block: Callable[[], None] = do_nothing,
) -> torch.Tensor:
    """Add the gradients of the group's mean loss to the LoRA parameters.

    Returns a tensor (3,) on the device, not yet waited for: mean flow-matching loss, mean unweighted preservation loss, and the mean
    loss of a model that predicts nothing, by which a runaway loss is known. store: `plan.make_store(device)`, to be used step after step.
    before_block: called before each block; it may raise BrokenOff.
    """
    totals = torch.zeros(3, device=device)
    store = plan.make_store(device) if store is None else store
    for parts in split_block_passes(group, plan):
        passes = [_make_pass(part, group, device) for part in parts]
        for part, batch, loss in zip(parts, passes, add_gradients(model, passes, plan, store, before_block)):
            if part.is_preserved:
                totals[1] += part.share * loss
            else:
                totals[0] += part.share * loss
                totals[2] += part.share * _target(batch).square().mean()
    return totals


@torch.no_grad()
def evaluate(
    model: "WanTransformer3DModel",
    rows: Iterable[Row],
    device: torch.device,
    plan: StepPlan = EVERYTHING,
    before_block: Callable[[], None] = do_nothing,
) -> torch.Tensor:
    """The flow-matching loss of each row, in their order: (rows,) on the device. before_block as in accumulate_gradients."""
    group = Group(tuple(rows))
    losses, place = torch.zeros(len(group.rows), device=device), {id(row): i for i, row in enumerate(group.rows)}
    for parts in split_block_passes(group, plan):
        passes = [_make_pass(part, group, device) for part in parts]
        for part, batch, answer in zip(parts, passes, predict(model, passes, before_block, plan.compute)):
            losses[[place[id(row)] for row in part.rows]] = (answer - _target(batch)).square().flatten(1).mean(dim=1)
    return losses


def _target(batch: Pass) -> torch.Tensor:
    """Of a pass that is to be learned."""
    assert batch.target is not None, "where the base model's answer is kept there is no target"
    return batch.target


def split_block_passes(group: Group, plan: StepPlan) -> list[list[_Part]]:
    """The rows of a group in lists of parts, each list one block pass of at most plan.rows_per_block_pass rows; a preserved row counts as one."""
    block_passes: list[list[_Part]] = []
    count, most = 0, plan.rows_per_block_pass
    for part in _split_parts(group, plan):
        if not block_passes or (most and count + len(part.rows) > most):
            block_passes.append([])
            count = 0
        block_passes[-1].append(part)
        count += len(part.rows)
    return block_passes


def _split_parts(group: Group, plan: StepPlan) -> Iterator[_Part]:
    size = min(plan.rows_per_pass, plan.rows_per_block_pass) if plan.rows_per_block_pass else plan.rows_per_pass
    counts = group.counts or (len(group.rows), len(group.class_rows))
    for rows, count, is_preserved in zip((group.rows, group.class_rows), counts, (False, True)):
        for some in split_passes(rows, size):
            yield _Part(some, len(some) / count, is_preserved)


def split_passes(rows: Sequence[Row], rows_per_pass: int) -> list[list[Row]]:
    """The rows in lists of at most `rows_per_pass`, each of one size of latents and prompts."""
    sizes: dict[tuple[torch.Size, torch.Size], list[Row]] = {}
    for row in rows:
        sizes.setdefault((row.latents.shape, row.prompt.shape), []).append(row)
    return [same[i : i + rows_per_pass] for same in sizes.values() for i in range(0, len(same), rows_per_pass)]


def _make_pass(part: _Part, group: Group, device: torch.device) -> Pass:
    def stack(name: str) -> torch.Tensor:
        return torch.stack([getattr(row, name) for row in part.rows]).to(device, torch.float32)

    latents, noise, prompt = stack("latents"), stack("noise"), stack("prompt")
    sigma = torch.tensor([row.sigma for row in part.rows], dtype=torch.float32).to(device)
    x_t = add_noise(latents, noise, sigma.view(-1, 1, 1, 1, 1))
    x_t = with_condition(x_t, None if part.rows[0].condition is None else stack("condition"))
    batch = Pass(x_t, velocity(latents, noise), sigma, prompt, part.share)
    return replace(batch, target=None, weight=part.share * group.preservation_weight) if part.is_preserved else batch
