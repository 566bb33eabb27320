"""The best regularisation for one scan, chosen by its own reference: what no method in use could do."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from itertools import count

import numpy as np

from smug.models.classical import CGSense, TotalVariation
from smug.reconstructor import Reconstructor

RATIO = 2.0
"""Of two neighbours on the grid of lam."""

CONVERGED = 0.02
"""Twice as many iterations change the PSNR by no more than this, in dB."""

TRAVEL, FEWEST, MOST = 0.5, 200, 20_000
"""Total variation gets ``TRAVEL / lam`` iterations, as each moves what was not measured by about lam; within limits."""

Quality = Callable[[Reconstructor], float]
"""The PSNR of what a reconstructor makes of the scan, in dB."""


@dataclass(frozen=True)
class Family:
    """Reconstructors with a regularisation: ``make(lam, more)`` has ``more`` times the usual iterations.

    lam is looked for from ``start`` on, within the ``limits`` beyond which the solver does not go.
    """

    make: Callable[[float, int], Reconstructor]
    start: float
    limits: tuple[float, float]
    iterative: bool


def total_variation(lam: float, more: int = 1) -> TotalVariation:
    """Return total variation with as many iterations as a regularisation needs, times ``more``."""
    return TotalVariation(lam, min(MOST, more * max(FEWEST, round(TRAVEL / lam))))


def cg_sense(lam: float, more: int = 1) -> CGSense:
    """Return CG-SENSE, which stops by itself."""
    return CGSense(lam)


FAMILIES = {
    "tv": Family(total_variation, start=0.002, limits=(1e-4, 10), iterative=True),
    "cg-sense": Family(cg_sense, start=0.01, limits=(1e-6, 10), iterative=False),
}
"""What every model is compared with, by name."""


@dataclass(frozen=True)
class Best:
    """The best regularisation: its PSNR in dB, and that of its neighbours on the grid is lower.

    ``at_limit`` tells that there was no neighbour on one side: the solver's limit was reached. ``more`` is the factor
    of iterations at which twice as many changed the PSNR by ``change`` dB, at most :data:`CONVERGED`.
    """

    lam: float
    psnr: float
    at_limit: bool = False
    more: int = 1
    change: float = 0.0


def best_of(family: Family, quality: Quality) -> Best:
    """Return the best regularisation of a family for one scan, converged."""
    found = best_lam(lambda lam: quality(family.make(lam, 1)), family.start, family.limits)
    return _converged(found, family, quality) if family.iterative else found


def best_lam(quality: Callable[[float], float], start: float, limits: tuple[float, float]) -> Best:
    """Return the best lam on the grid ``start * 2^k``, and between: uphill until both neighbours are worse.

    The grid has no end but the ``limits``. One more lam is tried where the parabola through the three has its top.
    Raises ValueError for a quality that is not finite.
    """
    known = cache(quality)

    def at(k: int) -> float:
        return known(start * RATIO**k)

    def inside(k: int) -> bool:
        return limits[0] <= start * RATIO**k <= limits[1]

    up = 1 if inside(1) and at(1) > at(0) else -1
    k = 0
    while inside(k + up) and at(k + up) > at(k):
        k += up
    best = Best(start * RATIO**k, at(k), at_limit=not (inside(k - 1) and inside(k + 1)))
    if not np.isfinite(best.psnr):
        raise ValueError(f"lam: expected a finite PSNR at {best.lam:g}, got {best.psnr}")
    if best.at_limit:
        return best
    between = best.lam * RATIO ** _top(at(k - 1), at(k), at(k + 1))
    return max(best, Best(between, known(between)), key=lambda each: each.psnr)


def _top(left: float, middle: float, right: float) -> float:
    """Return where the parabola through values at -1, 0 and 1, of which the middle one is largest, has its top."""
    curvature = left - 2 * middle + right
    return 0.0 if curvature == 0 else float(np.clip((left - right) / (2 * curvature), -0.5, 0.5))


def _converged(found: Best, family: Family, quality: Quality) -> Best:
    """Double the iterations until that changes nothing."""
    for k in count():
        psnr = quality(family.make(found.lam, 2 ** (k + 1)))
        change = psnr - found.psnr
        if abs(change) <= CONVERGED:
            return replace(found, more=2**k, change=change)
        found = replace(found, psnr=psnr)
    raise AssertionError
