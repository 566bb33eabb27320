"""Gaussian noise of a given size: the random references that stand beside an attack of equal norm."""

from dataclasses import replace

import torch
from torch import Tensor

from smug.data.scan import Scan
from smug.models.noise import derive, entry_seeds, normal
from smug.norm import NORMS, per_slice
from smug.physics.consistency import solve
from smug.shifts.record import NOISE, check_severity
from smug.system.arguments import check_arguments

LAM = 1e-3
"""Directions of which A keeps less than about ``sqrt(LAM)``, 3 %, of ``||A||`` count as outside its range."""


def jitter(scan: Scan, level: float, seeds: Tensor) -> Scan:
    """Add white Gaussian noise to the sampled entries, ``level * max|t|`` per real and imaginary part."""
    sigma = level * per_slice(scan.truth.abs().amax((-2, -1)), scan.y)
    white = normal(derive(seeds, 0), scan.y.shape[1:], scan.y.dtype, scan.y.device)
    return replace(scan, y=scan.y + scan.A.sampled * sigma * white)


@check_arguments
def noise(scan: Scan, relative_l2: float, seeds: Tensor) -> Scan:
    """Add white Gaussian noise to the sampled entries, of l2 norm ``relative_l2 * ||y||`` exactly.

    In k-space of C coils most of it is invisible: ``E ||A^H d||^2 = ||d||^2 / C``; :func:`noise_in_range` is not.
    """
    check_severity("noise", relative_l2)
    if relative_l2 == 0:
        return scan
    return _added(scan, _white(scan, seeds), relative_l2)


@check_arguments
def noise_in_range(scan: Scan, relative_l2: float, seeds: Tensor) -> Scan:
    """Add the noise of :func:`noise`, projected to the range of A and scaled to the same norm ``relative_l2 * ||y||``.

    The projection ``A (A^H A)^+ A^H`` is regularised, ``A (A^H A + lam)^-1 A^H`` with lam = 1e-3: smooth maps leave
    A with singular values down to rounding, and directions that A all but annihilates are in its range by name only.
    """
    check_severity("noise in range", relative_l2)
    if relative_l2 == 0:
        return scan
    aliased = scan.A.H(_white(scan, seeds))
    lam = LAM * torch.as_tensor(scan.A.norm_bound(aliased), dtype=torch.float64).flatten() ** 2
    image = solve(scan.A, aliased, lam, tolerance=1e-5, max_iterations=500).value
    return _added(scan, scan.A(image), relative_l2)


def _white(scan: Scan, seeds: Tensor) -> Tensor:
    address = derive(entry_seeds(seeds, scan.y.shape[0]), NOISE)
    return scan.A.sampled * normal(address, scan.y.shape[1:], scan.y.dtype, scan.y.device)


def _added(scan: Scan, direction: Tensor, relative_l2: float) -> Scan:
    size = NORMS["l2"].size
    length = relative_l2 * size(torch.where(scan.A.support(scan.y), scan.y, 0)) / size(direction)
    return replace(scan, y=scan.y + per_slice(length, scan.y).to(scan.y.real.dtype) * direction)
