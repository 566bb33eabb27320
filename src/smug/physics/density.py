"""Density compensation: how much of k-space each sample of a trajectory stands for."""

import torch
from torch import Tensor

from smug.physics.nufft import Nufft

ITERATIONS = 10
"""Enough for weights to be right on average over their neighbours; more of them make single weights uneven."""


def density_compensation(nufft: Nufft, iterations: int = ITERATIONS) -> Tensor:
    """Return the area that each sample stands for, in cells of the Cartesian grid, float64 ``(samples,)``.

    The iteration of Pipe and Menon (1999), ``w <- w / (K w)``: K spreads samples to their neighbours. Its kernel is the
    squared sinc whose transform is the triangle over the field of view: it is nowhere negative, and on the whole
    Cartesian grid all weights are 1.
    """
    window = torch.ones((), dtype=torch.float64)
    for size in nufft.shape:
        window = window[..., None] * (1 - (torch.arange(size, dtype=torch.float64) - size // 2).abs() / (size / 2))
    weights = torch.ones(1, nufft.points.shape[1], dtype=torch.complex128)
    for _ in range(iterations):
        spread = nufft.forward(window * nufft.adjoint(weights)).real
        weights = weights / spread.clamp_min(torch.finfo(torch.float64).tiny)
    return weights[0].real
