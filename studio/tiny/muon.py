"""Muon in fp32 for processors. `torch.optim.Muon` works in bf16, for which most processors have no instructions: a step took 7 s instead of 0.3 s."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

COEFFICIENTS = (
    3.4445,
    -4.775,
    2.0315,
)  # of the quintic Newton-Schulz iteration, Jordan et al. 2024 ("Muon: an optimizer for hidden layers")
ITERATIONS = 4


class Muon(torch.optim.Optimizer):
    """Momentum whose matrices are made orthogonal before each step; only for parameters with two dimensions.

    Updates are scaled to the size of AdamW's, 0.2 sqrt(max(rows, columns)), so that AdamW's learning rates fit
    (Liu et al. 2025, "Muon is scalable for LLM training", arXiv 2502.16982).
    """

    def __init__(self, parameters: Iterable[torch.Tensor], lr: float, momentum: float = 0.95) -> None:
        super().__init__(list(parameters), {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:
        for group in self.param_groups:
            shapes: dict[torch.Size, list[tuple[torch.Tensor, torch.Tensor]]] = {}  # parameters with their gradients
            for p in group["params"]:
                if p.grad is not None:
                    shapes.setdefault(p.shape, []).append((p, p.grad))
            for shape, parameters in shapes.items():
                updates = _orthogonal(torch.stack([self._momentum(p, gradient, group["momentum"]) for p, gradient in parameters]))
                for (p, _), update in zip(parameters, updates):
                    p.add_(update, alpha=-0.2 * group["lr"] * max(shape) ** 0.5)

    def _momentum(self, p: torch.Tensor, gradient: torch.Tensor, momentum: float) -> torch.Tensor:
        """Nesterov's look ahead."""
        average = self.state[p].setdefault("average", torch.zeros_like(p))
        average.lerp_(gradient, 1 - momentum)
        return gradient.lerp(average, momentum)


def _orthogonal(matrices: torch.Tensor) -> torch.Tensor:
    """The orthogonal factors of (N, rows, columns), nearly: all singular values come to lie around 1."""
    a, b, c = COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x
