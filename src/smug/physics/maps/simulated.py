"""Simulated coil maps: smooth, random, known exactly."""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smug.system.arguments import check_arguments, check_integer


@check_arguments
def simulated_maps(coils: int, height: int, width: int, *, seed: int, profile_width: float = 1.2) -> Tensor:
    """Smooth random maps, ``complex64 (1, coil, y, x)``, with ``sum_c |s_c|^2 = 1`` everywhere.

    Coil c is centred at x_c on a jittered circle around the object; before normalisation its amplitude is
    ``exp(-|r - x_c|^2 / profile_width)``, with half of the field of view = 1; its phase is a random quadratic
    of r. The field depends on seed and coils alone; pixel k of n along an axis is at (k - n // 2) / (n / 2).

    Raises ValueError for sizes below 1 and a profile width that is not positive.
    """
    if min(coils, height, width) < 1:
        raise ValueError(f"got {coils} coils of {height} x {width}, expected at least one of each")
    if not 0 < profile_width < math.inf:
        raise ValueError(f"got profile_width={profile_width}, expected a positive number")
    check_integer("seed", seed, 0)
    rng = np.random.default_rng(seed)
    angle = 2 * math.pi * (np.arange(coils) + rng.uniform() + rng.uniform(-0.25, 0.25, coils)) / coils
    radius = rng.uniform(1.1, 1.4, coils)
    phase = rng.uniform(-math.pi, math.pi, coils)
    slope = rng.normal(0, 0.7, (2, coils))
    curvature = rng.normal(0, 0.3, (3, coils))

    def per_coil(values: NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(values)[..., None, None]

    y, x = _coordinate(height)[:, None], _coordinate(width)
    y_c, x_c = per_coil(radius * np.sin(angle)), per_coil(radius * np.cos(angle))
    squared_distance = (y - y_c) ** 2 + (x - x_c) ** 2
    # a_c / sqrt(sum a_c^2) with a_c = exp(-d_c^2 / w), in logarithms: narrow profiles underflow to 0 / 0
    magnitude = torch.softmax(-2 * squared_distance / profile_width, dim=0).sqrt()
    (b_y, b_x), (c_yy, c_yx, c_xx) = per_coil(slope), per_coil(curvature)
    argument = per_coil(phase) + b_y * y + b_x * x + c_yy * y**2 + c_yx * y * x + c_xx * x**2
    return torch.polar(magnitude, argument).to(torch.complex64)[None]


def _coordinate(size: int) -> Tensor:
    """Position along an axis in units of half the field of view, 0 at the centre of the centred FFT."""
    return (torch.arange(size, dtype=torch.float64) - size // 2) / (size / 2)
