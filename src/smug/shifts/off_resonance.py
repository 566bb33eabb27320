"""Off-resonance: the field of the magnet is not the same everywhere, and what is off is displaced along the readouts.

Spins that precess f hertz too fast gather the phase ``2 pi f t`` at the time t of a sample within its readout, the same
in every line: an image is displaced along y by ``f / b`` pixels, with b the readout's bandwidth in hertz per pixel. At
200 Hz per pixel, 1 pixel are 200 Hz, less than half of what lies between water and fat at 3 T. The phase at the echo
time is that of the target, and the scanner's frequency is that of the object: its mean displacement is 0.

What is displaced is where the scan saw it. No reconstructor without a map of the field can tell: the random member and
the worst one are to be compared, and reconstructors with each other.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor

from smug.data.scan import Scan
from smug.models.noise import derive, entry_seeds, normal
from smug.physics.sense import cartesian
from smug.shifts.record import DIRECTION, check_severity
from smug.system.arguments import check_arguments

SHIFT = "off-resonance"

POINTS = 6
"""Control points of the cubic B-spline along either axis, which make three pieces of it."""

MORE_TERMS = 12
"""Terms beyond ``pi`` per pixel of displacement: then the interpolation in time is exact to 1e-7."""


@check_arguments
def off_resonance(scan: Scan, severity: float, seeds: Tensor) -> Scan:
    """Displace the object along the readouts, y, by a random smooth field: by up to ``severity`` pixels either way.

    Raises ValueError for a scan without target.
    """
    check_severity(SHIFT, severity)
    cartesian(scan.A, SHIFT)
    if severity == 0:
        return scan
    seeds = entry_seeds(seeds, len(scan.y))
    drawn = normal(derive(seeds, DIRECTION), (POINTS, POINTS), torch.float64, scan.y.device)
    largest = field(scan, drawn).abs().amax((-2, -1))
    return replace(scan, y=displaced(scan, (severity * drawn / largest[:, None, None]).to(scan.y.real), seeds))


@check_arguments
def displaced(scan: Scan, displacements: Tensor, seeds: Tensor) -> Tensor:
    """Return measurements of an object displaced along y, by ``displacements`` in pixels, real ``(batch, 6, 6)``.

    They are those at the control points of :func:`field`. Raises ValueError for a scan without target, and for more
    pixels than there are along y.
    """
    A, target = cartesian(scan.A, SHIFT), scan.truth
    d, height = field(scan, displacements.double()), scan.y.shape[-2]
    largest = float(d.detach().abs().max())
    if not largest <= height:
        raise ValueError(f"{SHIFT}: expected displacements of at most the {height} pixels there are, got {largest:.4g}")
    terms = math.ceil(math.pi * largest) + MORE_TERMS
    time = (torch.arange(height, dtype=torch.float64, device=d.device) - height // 2) / height
    nodes, weights = _interpolation(terms, 2 * time)
    change = torch.zeros_like(scan.y)
    for node, weight in zip(nodes.tolist(), weights, strict=True):
        phase = -math.pi * node * d
        there = torch.polar(torch.ones_like(phase), phase) - 1
        change = change + weight[:, None].to(scan.y.real.dtype) * A(there.to(target.dtype) * target)
    return scan.y + change


def field(scan: Scan, displacements: Tensor) -> Tensor:
    """Return the displacement along y in pixels at every pixel, real ``(batch, y, x)``.

    It is the cubic B-spline over the field of view with these control points, nowhere larger than the largest of them,
    less its mean over the object, weighted by the energy of the target.
    """
    height, width = scan.y.shape[-2:]
    rows, columns = (_splines(size, displacements) for size in (height, width))
    smooth = torch.einsum("yi,bij,xj->byx", rows, displacements, columns)
    energy = scan.truth.abs().square().to(smooth.dtype)
    total = energy.sum((-2, -1), keepdim=True).clamp_min(torch.finfo(smooth.dtype).tiny)
    return smooth - (energy * smooth).sum((-2, -1), keepdim=True) / total


def _splines(size: int, like: Tensor) -> Tensor:
    """Return uniform cubic B-splines at pixels from edge to edge, ``(size, POINTS)``, whose rows sum to 1."""
    at = torch.linspace(0, POINTS - 3, size, dtype=like.dtype, device=like.device)
    distance = (at[:, None] + 1 - torch.arange(POINTS, dtype=like.dtype, device=like.device)).abs()
    near = 2 / 3 - distance**2 + distance**3 / 2
    return torch.where(distance < 1, near, (2 - distance).clamp_min(0) ** 3 / 6)


def _interpolation(terms: int, at: Tensor) -> tuple[Tensor, Tensor]:
    """Return Chebyshev nodes in -1 to 1, and the weights of their values ``at`` others, ``(node, at)``."""
    angle = math.pi * (torch.arange(terms, dtype=at.dtype, device=at.device) + 0.5) / terms
    order = torch.arange(1, terms, dtype=at.dtype, device=at.device)
    products = torch.cos(angle[:, None] * order) @ torch.cos(order[:, None] * torch.arccos(at))
    return torch.cos(angle), (1 + 2 * products) / terms
