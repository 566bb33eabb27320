"""The weight of the denoiser against the measurements, as a parameter that is learned."""

import math

import torch
from torch import Tensor, nn


class LearnedLam(nn.Module):
    """lam of equation (2), positive because its logarithm is what is learned; called, it returns a tensor ``()``.

    ``start`` is where learning begins; ``float(lam)`` is its value now.
    """

    def __init__(self, start: float) -> None:
        super().__init__()
        self.log = nn.Parameter(torch.tensor(math.log(start), dtype=torch.float32))

    def forward(self) -> Tensor:
        """Return lam, with a gradient."""
        return self.log.exp()

    def __float__(self) -> float:
        """Return lam as a number."""
        return float(self().detach())


Lam = float | Tensor | LearnedLam
"""A number, a tensor ``()`` whose gradient is wanted, or what is learned with the denoiser."""


def current(lam: Lam) -> float | Tensor:
    """Return lam as the solver takes it."""
    value: float | Tensor = lam() if isinstance(lam, LearnedLam) else lam
    return value
