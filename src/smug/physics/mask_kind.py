"""Which kind of mask a pattern is, from the pattern alone: what scanners write tells nothing of how lines were chosen.

A kind is refused only where the pattern would be a miracle for it: a mask of few lines may be of several kinds.
Entries are the encoded ones; zero padding is cut off before. See :mod:`smug.physics.masks` for the kinds.
"""

from math import ceil, exp, floor, inf, lgamma, log
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

MaskKind = Literal["random", "equispaced", "variable-density", "poisson"]
"""Lines, or for "poisson" points with a fully sampled square of 24 x 24, whatever the ``center_fraction``."""

Lines = NDArray[np.int64]
"""The places of lines, in order."""

Pattern = Literal[MaskKind, "grid"]
"""What a mask may look like: of a kind that is simulated here, or equispaced points in both directions."""

CHANCE = 1e-5
"""Lines drawn at random make a comb so rarely where one is seen: below, it is no accident."""

EVIDENCE = 6.0, 12.0
"""The log likelihood ratio that refuses uniform lines, and that which refuses those of variable density."""

REACH = 12
"""The largest spacing of a grid, in points."""


def mask_patterns(mask: Tensor) -> tuple[Pattern, ...]:
    """Return what one mask may be, the likeliest first; ``mask`` is bool ``(x,)`` for lines or ``(y, x)`` for points.

    >>> from smug.physics.masks import equispaced_lines, random_lines
    >>> mask_patterns(equispaced_lines(128, seed=0)[0]), mask_patterns(random_lines(128, seed=0)[0])
    (('equispaced',), ('random',))
    """
    sampled: NDArray[np.bool_] = mask.bool().cpu().numpy()
    if sampled.ndim == 2:
        return ("grid",) if _repeats(sampled) else ("poisson",)
    left, right, centre = _apart(sampled)
    if _comb_by_chance(left, right, centre) < CHANCE:
        return ("equispaced",)
    ratio = _log_ratio(sampled, left, right, centre)
    uniform, denser = EVIDENCE
    possible: dict[Pattern, bool] = {"random": ratio < uniform, "variable-density": ratio > -denser}
    order: list[Pattern] = sorted(possible, key=lambda kind: (kind == "random") == (ratio > 0))
    possible["equispaced"] = _is_comb(left, right)
    return tuple(kind for kind in (*order, "equispaced") if possible[kind])


def centre_lines(sampled: Tensor) -> tuple[int, int]:
    """Return the first line and the end of the run of sampled lines ``bool (x,)`` around DC; empty without DC."""
    return _centre(sampled.bool().cpu().numpy())


def _centre(sampled: NDArray[np.bool_]) -> tuple[int, int]:
    middle = len(sampled) // 2
    if not sampled[middle]:
        return middle, middle
    missing = np.flatnonzero(~sampled)
    before, after = missing[missing < middle], missing[missing > middle]
    return int(before.max(initial=-1)) + 1, int(after.min(initial=len(sampled)))


def _apart(sampled: NDArray[np.bool_]) -> tuple[Lines, Lines, tuple[int, int]]:
    """Return the lines left and right of the sampled centre, and the centre's first line and end."""
    first, end = _centre(sampled)
    places = np.flatnonzero(sampled)
    return places[places < first], places[places >= end], (first, end)


def _comb_by_chance(left: Lines, right: Lines, centre: tuple[int, int]) -> float:
    """Return how probable a comb as regular as these lines is among random ones; 1 where they are none.

    Lines at ``floor(offset + spacing k)`` make about n^3 different combs between a first and a last line, of all the
    ways to choose the n - 2 lines between these. The halves may have one comb, through the centre, or one each of the
    same spacing, as fastMRI's "magic" masks do.
    """
    n = len(left) + len(right)
    if n < 3:
        return 1.0
    if _is_comb(left, right):
        hidden = centre[1] - centre[0] if len(left) and len(right) else 0
        every = np.concatenate((left, right))
        return min(1.0, exp(3 * log(n) - _log_ways([(every, hidden)])))
    if _is_comb(left, right, joined=False):
        return min(1.0, exp(3 * log(n) - _log_ways([(left, 0), (right, 0)])))
    return 1.0


def _log_ways(spans: list[tuple[Lines, int]]) -> float:
    """Return the log of the number of ways to draw the lines of every span between its first and last."""
    total = 0.0
    for lines, hidden in spans:
        if len(lines) > 2:
            places, drawn = int(lines[-1] - lines[0]) - 1 - hidden, len(lines) - 2
            total += lgamma(places + 1) - lgamma(drawn + 1) - lgamma(places - drawn + 1)
    return total


def _is_comb(left: Lines, right: Lines, *, joined: bool = True) -> bool:
    """Tell whether some spacing of at least 1 puts all lines at ``floor(offset + spacing k)``, none left out.

    ``joined``: with one offset for both sides, whatever number of lines the centre hides.
    """
    least, most = 1.0, inf
    for side in (left, right):
        i, j = np.triu_indices(len(side), 1)
        least, most = _spacings(side[i], side[j], j - i, least, most)
    if not joined or not len(left) or not len(right) or least > most:
        return least <= most
    gap = int(right[0] - left[-1])
    apart = np.arange(len(left))[::-1, None] + np.arange(len(right))
    for steps in range(max(1, floor((gap - 1) / most)), ceil((gap + 1) / least) + 1):
        low, high = _spacings(left[:, None], right[None], apart + steps, least, most)
        if low <= high:
            return True
    return False


def _spacings(before: Lines, after: Lines, steps: Lines, least: float, most: float) -> tuple[float, float]:
    """Narrow the spacings down to those that lead from one line to another in so many steps, rounded to lines."""
    low = ((after - before - 1) / steps).max(initial=least)
    high = ((after - before + 1) / steps).min(initial=most)
    return float(low), float(high)


def _log_ratio(sampled: NDArray[np.bool_], left: Lines, right: Lines, centre: tuple[int, int]) -> float:
    """Return the log likelihood ratio of lines of density ``(1 - r)^2`` and uniform ones, between the outermost."""
    every = np.concatenate((left, right))
    if len(every) < 3:
        return 0.0
    width, place = len(sampled), np.arange(len(sampled))
    free = (place >= every[0]) & (place <= every[-1]) & ((place < centre[0]) | (place >= centre[1]))
    drawn = sampled[free]
    if drawn.all():
        return 0.0
    r = np.abs(place - width // 2)[free] / (width // 2 + 1)
    uniform = drawn.mean()
    denser = _probabilities((1 - r) ** 2, int(drawn.sum()))
    ratio = np.where(drawn, np.log(denser / uniform), np.log((1 - denser) / (1 - uniform)))
    return float(ratio.sum())


def _probabilities(weights: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return probabilities with odds in proportion to the weights, of which ``count`` are drawn on average."""
    low, high = -30.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        odds = weights * exp(middle)
        low, high = (middle, high) if (odds / (1 + odds)).sum() < count else (low, middle)
    result: NDArray[np.float64] = odds / (1 + odds)
    return result


def _repeats(sampled: NDArray[np.bool_]) -> bool:
    """Tell whether points outside the fully sampled centre have a neighbour at one same distance, as those of a grid.

    Of random points a share as large as their density has one.
    """
    points, (height, width) = sampled.copy(), sampled.shape
    rows, columns = _centre(sampled[:, width // 2]), _centre(sampled[height // 2])
    points[slice(*rows), slice(*columns)] = False
    if not points.any():
        return False
    spectrum = np.fft.rfft2(np.pad(points.astype(float), ((0, REACH), (0, REACH))))
    pairs = np.fft.irfft2(np.abs(spectrum) ** 2, s=(height + REACH, width + REACH))
    pairs[0, 0] = 0
    near = max(pairs[: REACH + 1, : REACH + 1].max(), pairs[: REACH + 1, -REACH:].max()) / points.sum()
    return bool(near > (1 + points.mean()) / 2)
