"""Wrong coil maps: the reconstructor is given others than those that measured.

k-space and target stay. The maps' root sum of squares stays at every pixel, or moves with them, so that they remain
normalised and ``||A|| <= 1``.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from smug.data.scan import Scan
from smug.models.noise import complex_normal, derive, entry_seeds
from smug.norm import NORMS, per_slice
from smug.physics.sense import Sense, cartesian
from smug.shifts.record import DIRECTION, MAPS, check_severity
from smug.system.arguments import check_arguments

SHIFT = "shift of the coil maps"

MODES = 4
"""The error of a map has at most MODES - 1 half periods over the field of view, along each axis."""


@check_arguments
def map_error(scan: Scan, size: float, seeds: Tensor) -> Scan:
    """Multiply every coil map by ``1 + e_c`` with a smooth random complex e_c, and normalise.

    The error leaves the root sum of squares at every pixel as it is, to first order; its l2 norm is ``size`` times
    that of the maps, a little less where it is large. That of a single coil is one of the phase.
    """
    check_severity("map error", size)
    if size == 0:
        return scan
    maps, seeds = _maps(scan), entry_seeds(seeds, scan.y.shape[0])
    error = maps * _smooth(derive(seeds, MAPS), maps)
    along = (maps.conj() * error).real.sum(1, keepdim=True) / _or_one(_rss(maps)).square()
    error = error - along * maps
    scale = size * NORMS["l2"].size(maps) / NORMS["l2"].size(error)
    wrong = maps + per_slice(scale, maps).to(maps.real.dtype) * error
    return _given(scan, wrong, _rss(maps))


@check_arguments
def map_shift(scan: Scan, pixels: float, seeds: Tensor) -> Scan:
    """Move all coil maps together by a distance in pixels, in a random direction, as if the head had moved.

    Between pixels they are interpolated linearly; beyond the edge their values there continue.
    """
    check_severity("map shift", pixels)
    if pixels == 0:
        return scan
    maps, seeds = _maps(scan), entry_seeds(seeds, scan.y.shape[0])
    angle = complex_normal(derive(seeds, DIRECTION), (), torch.complex128).angle().to(maps.device)
    return _given(scan, _moved(maps, pixels, angle), _moved(_rss(maps), pixels, angle))


def _maps(scan: Scan) -> Tensor:
    """Return maps for every slice and pixel, ``(batch, coil, y, x)``."""
    return cartesian(scan.A, SHIFT).maps.expand(scan.y.shape).contiguous()


def _given(scan: Scan, maps: Tensor, rss: Tensor) -> Scan:
    """Return the scan with maps scaled to a root sum of squares."""
    return replace(scan, A=Sense(mask=cartesian(scan.A, SHIFT).mask, maps=maps * (rss / _or_one(_rss(maps)))))


def _rss(maps: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(maps, dim=1, keepdim=True)
    return length


def _or_one(values: Tensor) -> Tensor:
    return torch.where(values > 0, values, 1)


def _smooth(seeds: Tensor, like: Tensor) -> Tensor:
    """Return random smooth complex fields with the shape of ``like``: cosines of low frequency."""
    *_, coils, height, width = like.shape
    modes = complex_normal(seeds, (coils, MODES, MODES), like.dtype, like.device)
    return torch.einsum("bcjk,jy,kx->bcyx", modes, _cosines(height, like), _cosines(width, like))


def _cosines(size: int, like: Tensor) -> Tensor:
    position = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    return torch.cos(math.pi * torch.arange(MODES)[:, None] * position).to(like)


def _moved(values: Tensor, pixels: float, angle: Tensor) -> Tensor:
    """Move ``(batch, coil, y, x)``, complex or real, by ``pixels`` in the direction of each slice's angle."""
    real = torch.cat([values.real, values.imag], dim=1) if values.is_complex() else values
    height, width = values.shape[-2:]
    theta = torch.zeros(len(values), 2, 3, dtype=real.dtype, device=real.device)
    theta[:, 0, 0] = theta[:, 1, 1] = 1
    theta[:, 0, 2] = -2 * pixels * angle.cos() / max(width - 1, 1)
    theta[:, 1, 2] = -2 * pixels * angle.sin() / max(height - 1, 1)
    grid = affine_grid(theta, list(real.shape), align_corners=True)
    moved = grid_sample(real, grid, padding_mode="border", align_corners=True)
    return torch.complex(*moved.chunk(2, dim=1)) if values.is_complex() else moved
