"""What is proved of an image that was made: by how much a change of its measurements can change it."""

from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor

from smug.bounds.bound import Certified
from smug.bounds.deterministic import deterministic_bounds
from smug.data.scan import Scan
from smug.physics.parts import image_norm
from smug.reconstructor import Reconstructor
from smug.system.arguments import check_arguments

CHANGE = 0.01
"""The change of the measurements that is spoken of, in parts of their l2 norm."""


@check_arguments
@torch.no_grad()
def image_bound(f: Reconstructor, scan: Scan, images: Tensor, change: float = CHANGE) -> Certified | None:
    """Return the part of its l2 norm by which an image can change at most, of all slices of a scan together.

    ``images`` are ``F(y)``, complex ``(batch, y, x)``, or what is kept of them, which changes by no more than all does.
    The measurements of a slice change by ``change`` of their l2 norm. The smallest certified bound of
    :func:`smug.bounds.deterministic_bounds` counts; None where nothing is proved of ``f``, and without signal.
    """
    return largest(_of_slice(f, scan[i], float(image_norm(images[i])), change) for i in range(len(scan.id)))


def largest(bounds: Iterable[Certified | None]) -> Certified | None:
    """Return the bound of the largest value: it holds for all slices that have one."""
    return max((bound for bound in bounds if bound is not None), key=lambda bound: bound.value, default=None)


def _of_slice(f: Reconstructor, scan: Scan, norm: float, change: float) -> Certified | None:
    radius = change * float(torch.linalg.vector_norm(image_norm(scan.y)))
    if not radius or not norm:
        return None
    try:
        bounds = deterministic_bounds(f, scan.A, radius=radius)
    except ValueError:  # of what is not known nothing is proved
        return None
    proved = [bound for bound in bounds if isinstance(bound, Certified) and not bound.vacuous]
    if not proved:
        return None
    best = min(proved, key=lambda bound: bound.value)
    statement = f"||F(y + d) - F(y)|| / ||F(y)|| for every ||d|| <= {change:g} ||y||"
    return replace(best, value=best.value / norm, statement=statement)
