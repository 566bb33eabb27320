"""Coil maps of non-Cartesian measurements: Cartesian k-space of their centre first, then as for all."""

from collections.abc import Callable

import numpy as np
import torch
from scipy.spatial import KDTree
from torch import Tensor

from smug.physics.consistency import solve
from smug.physics.fourier import fft2c
from smug.physics.maps.estimate import espirit_maps
from smug.physics.non_cartesian import NonCartesian
from smug.system.arguments import check_arguments

LAM, ITERATIONS = 0.01, 30
"""Of the images of single coils. With density compensation alone the maps of 64 spokes are half as good."""

NEAR = 0.75
"""An entry of Cartesian k-space is measured if there is a sample within this distance; cells are 1 wide."""


@check_arguments
@torch.no_grad()
def non_cartesian_maps(y: Tensor, A: NonCartesian, maps: Callable[[Tensor, Tensor], Tensor] = espirit_maps) -> Tensor:
    """Return coil maps ``(1, coil, y, x)`` from samples ``(1, coil, samples)``, estimated by ``maps``.

    ``A`` is the operator of a single coil. The k-space of every coil on the Cartesian grid is that of its own image,
    from a few conjugate gradients; ``maps`` is told that it is sampled in the central square in which samples are no
    further apart than there. Raises ValueError as ``maps`` does, and where the centre is not sampled.
    """
    coils = y.movedim(1, 0)
    kspace = fft2c(solve(A, A.H(coils), LAM, max_iterations=ITERATIONS).value)[None]
    return maps(kspace / kspace.abs().max(), central_square(A))


def central_square(A: NonCartesian) -> Tensor:
    """Return the largest square around the centre that is sampled everywhere, ``bool (1, y, x)``."""
    height, width = A.shape
    rows, columns = (np.arange(size) - size // 2 for size in (height, width))
    grid = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)
    distance, _ = KDTree(A.trajectory[0].numpy().T).query(grid, distance_upper_bound=NEAR)
    far = np.abs(grid).max(-1)[np.isinf(distance)]
    half = int(far.min()) if far.size else max(height, width)
    return torch.from_numpy((np.abs(grid).max(-1) < half)[None])
