"""Sampling masks: pure functions of a seed, each with a leading batch axis of one.

Line masks are ``bool (1, x)``, phase encoding along x; two-dimensional masks are ``bool (1, y, x)``. Index
``n // 2`` is DC. Seeds are non-negative integers of any size; a negative one raises ValueError. The usual
presets are 4x with ``center_fraction=0.08`` and 8x with ``center_fraction=0.04``.

>>> mask = random_lines(256, acceleration=4, center_fraction=0.08, seed=1)
>>> mask.shape, acceleration(mask)
(torch.Size([1, 256]), tensor([4.]))
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smug.system.arguments import check_arguments


@check_arguments
def usual_center_fraction(acceleration: float) -> float:
    """Return the fraction of ACS lines that is usual at a rate: 8 % up to 5x, 4 % above."""
    return 0.08 if acceleration <= 5 else 0.04


@check_arguments
def random_lines(width: int, acceleration: float = 4.0, center_fraction: float = 0.08, *, seed: int) -> Tensor:
    """Autocalibration lines (ACS) plus lines drawn uniformly without replacement, ``bool (1, width)``.

    The convention of fastMRI, except that the number of lines is exactly ``round(width / acceleration)``:
    independent draws per line would let the true rate, and with it the difficulty, vary by slice.

    Raises ValueError where ``acceleration`` < 1 or the ACS lines alone exceed the number of lines.
    """
    return variable_density_lines(width, acceleration, center_fraction, seed=seed, power=0.0)


@check_arguments
def fastmri_lines(width: int, acceleration: float = 4.0, center_fraction: float = 0.08, *, name: str) -> Tensor:
    """The random mask of fastMRI for the file of this name, such as ``file1000001.h5``, ``bool (1, width)``.

    ACS lines plus independent draws, so that the number of lines varies by name: on average ``width / acceleration``.
    Equal to ``RandomMaskFunc`` of fastMRI, seeded by the characters of the name as its evaluation does.

    Raises ValueError where ``acceleration`` < 1 or the ACS lines alone exceed the average number of lines.
    """
    _line_budget(width, acceleration, center_fraction)
    acs = round(width * center_fraction)
    probability = (width / acceleration - acs) / max(width - acs, 1)
    draws = np.random.RandomState(tuple(map(ord, name))).uniform(size=width)
    mask = draws < probability
    first = (width - acs + 1) // 2
    mask[first : first + acs] = True
    return torch.from_numpy(mask)[None]


@check_arguments
def equispaced_lines(width: int, acceleration: float = 4.0, center_fraction: float = 0.08, *, seed: int) -> Tensor:
    """ACS lines plus equispaced lines with a random offset, ``bool (1, width)``.

    As in fastMRI, the spacing is widened to ``(width - acs) / (lines - acs)``, in general no integer, so
    that with the ACS the total is ``lines = round(width / acceleration)`` on average over the offsets, and
    near it for each.

    Raises ValueError where ``acceleration`` < 1 or the ACS lines alone exceed the number of lines.
    """
    lines, acs = _line_budget(width, acceleration, center_fraction)
    mask = np.zeros(width, dtype=bool)
    if lines > acs:
        spacing = (width - acs) / (lines - acs)
        offset = np.random.default_rng(seed).uniform(0, spacing)
        positions = np.floor(offset + spacing * np.arange(math.ceil(width / spacing))).astype(int)
        mask[positions[positions < width]] = True
    mask[_centred(width, acs)] = True
    return torch.from_numpy(mask)[None]


@check_arguments
def variable_density_lines(
    width: int,
    acceleration: float = 4.0,
    center_fraction: float = 0.08,
    *,
    seed: int,
    power: float = 2.0,
) -> Tensor:
    """ACS lines plus lines drawn without replacement with density ``(1 - r)**power``, ``bool (1, width)``.

    ``r`` is the distance from DC, 0 in the centre and just below 1 at the edge; ``power=0`` is uniform. The
    number of lines is exactly ``round(width / acceleration)``.

    Raises ValueError where ``power`` < 0, ``acceleration`` < 1 or the ACS lines alone exceed the number of
    lines.
    """
    if not power >= 0:
        raise ValueError(f"got power={power}, expected a number of at least 0 (0 is uniform density)")
    lines, acs = _line_budget(width, acceleration, center_fraction)
    r = np.abs(np.arange(width) - width // 2) / (width // 2 + 1)
    # The largest of log density + Gumbel noise are a weighted draw without replacement.
    priority = power * np.log1p(-r) + np.random.default_rng(seed).gumbel(size=width)
    priority[_centred(width, acs)] = np.inf
    mask = np.zeros(width, dtype=bool)
    mask[np.argsort(-priority, kind="stable")[:lines]] = True
    return torch.from_numpy(mask)[None]


@check_arguments
def poisson_disc(height: int, width: int, acceleration: float = 4.0, calibration: int = 24, *, seed: int) -> Tensor:
    """Variable-density Poisson disc with a fully sampled calibration square, ``bool (1, height, width)``.

    Outside the square any two samples are at least the smaller of their radii apart; the radius grows
    linearly with the (elliptic) distance from DC. The number of samples is exactly
    ``round(height * width / acceleration)``: the radii are the largest, found by bisection, that leave room.

    ``calibration`` is the side of the square in samples, cut to the matrix; at least DC is sampled. Raises
    ValueError where ``acceleration`` < 1 or the calibration square alone exceeds the number of samples.
    """
    _check_size(height=height, width=width)
    _check_acceleration(acceleration)
    if calibration < 0:
        raise ValueError(f"got calibration={calibration}, expected a side length of at least 0 samples")
    sides = min(max(calibration, 1), height), min(max(calibration, 1), width)
    samples = round(height * width / acceleration)
    if math.prod(sides) > samples:
        raise ValueError(
            f"got calibration={calibration}, that is {math.prod(sides)} samples of {height} x {width}, but "
            f"acceleration={acceleration:g} leaves {samples} in all: lower calibration or acceleration"
        )
    centre = np.zeros((height, width), dtype=bool)
    centre[_centred(height, sides[0]), _centred(width, sides[1])] = True
    order = np.random.default_rng(seed).permutation(height * width)
    y, x = np.ogrid[:height, :width]
    rho = np.hypot((y - height // 2) / max(height / 2, 1), (x - width // 2) / max(width / 2, 1))

    mask, low, high = None, 0.0, 4 * math.sqrt(height * width / samples)
    for _ in range(8):
        scale = (low + high) / 2
        trial = _throw_darts(centre, order, scale * (0.3 + rho), samples)
        if trial is None:
            high = scale
        else:
            mask, low = trial, scale
    if mask is None:  # so dense that discs of any size are in the way
        mask = _throw_darts(centre, order, 0 * rho, samples)
    return torch.from_numpy(mask)[None]


@check_arguments
def acceleration(mask: Tensor) -> Tensor:
    """True acceleration of a mask ``(batch, ...)``: entries / sampled entries, ``float32 (batch,)``.

    It is inf where nothing is sampled.
    """
    flat = mask.flatten(1)
    return flat.shape[1] / flat.sum(1)


@check_arguments
def calibration_region(mask: Tensor) -> tuple[slice, slice]:
    """The fully sampled centred box ``(y slice, x slice)`` of a mask of either kind, common to the batch.

    Line masks ``(batch, x)`` give ``slice(None)`` along y. Of all boxes around DC in masks
    ``(batch, y, x)`` it is the one whose shorter side is longest, then the one of largest area, so that a
    single full row does not win.

    Raises ValueError where DC is not sampled, or the mask has another number of axes.

    >>> calibration_region(torch.tensor([[True, False, True, True, False, True]]))
    (slice(None, None, None), slice(2, 4, None))
    """
    if mask.ndim not in (2, 3):
        raise ValueError(f"got a mask of shape {tuple(mask.shape)}, expected (batch, x) or (batch, y, x)")
    common: NDArray[np.bool_] = mask.bool().all(0).cpu().numpy()
    if not common[tuple(n // 2 for n in common.shape)]:
        raise ValueError(
            "got a mask whose DC is not sampled, expected True at index n // 2 of each axis; "
            "torch.fft.fftshift brings DC from index 0 there"
        )
    if common.ndim == 1:
        return slice(None), _centred(len(common), _centred_run(common))
    height, width = common.shape
    boxes = []
    for rows in range(1, _centred_run(common[:, width // 2]) + 1):
        columns = _centred_run(np.logical_and.reduce(common[_centred(height, rows)]))
        boxes.append((min(rows, columns), rows * columns, rows, columns))
    *_, rows, columns = max(boxes)
    return _centred(height, rows), _centred(width, columns)


def _centred(size: int, length: int) -> slice:
    """The ``length`` entries around DC, whose own DC is again ``length // 2``."""
    start = size // 2 - length // 2
    return slice(start, start + length)


def _centred_run(sampled: NDArray[np.bool_]) -> int:
    """The largest ``length`` for which ``_centred(len(sampled), length)`` is fully sampled."""
    before, after = np.split(sampled, [len(sampled) // 2])
    left = int(np.logical_and.accumulate(before[::-1]).sum())
    right = int(np.logical_and.accumulate(after).sum())
    return min(2 * left + 1, 2 * right)


def _check_size(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"got {name}={size}, expected a matrix size of at least 1")


def _check_acceleration(acceleration: float) -> None:
    if not acceleration >= 1:
        raise ValueError(f"got acceleration={acceleration}, expected at least 1 (1 is fully sampled)")


def _line_budget(width: int, acceleration: float, center_fraction: float) -> tuple[int, int]:
    """Number of lines in all and of ACS lines among them; DC at least is one."""
    _check_size(width=width)
    _check_acceleration(acceleration)
    if not 0 <= center_fraction <= 1:
        raise ValueError(f"got center_fraction={center_fraction}, expected a fraction between 0 and 1")
    lines = round(width / acceleration)
    acs = max(1, round(width * center_fraction))
    if acs > lines:
        raise ValueError(
            f"got center_fraction={center_fraction:g}, that is {acs} centre lines of {width}, but "
            f"acceleration={acceleration:g} leaves {lines} in all: lower center_fraction or acceleration"
        )
    return lines, acs


def _throw_darts(
    centre: NDArray[np.bool_], order: NDArray[np.int64], radius: NDArray[np.float64], samples: int
) -> NDArray[np.bool_] | None:
    """Accept grid points in the given order unless within the radius of an accepted one.

    None where fewer than ``samples`` fit.
    """
    width = centre.shape[1]
    # On integer offsets d^2 < radius^2 if and only if d^2 < ceil(radius^2): few distinct discs.
    level = np.maximum(np.ceil(radius**2), 1).astype(int)
    pad = math.isqrt(int(level.max()))
    offset = np.arange(-pad, pad + 1)
    squared = offset[:, None] ** 2 + offset**2
    discs = {}
    for value in np.unique(level):
        reach = math.isqrt(int(value) - 1)
        inner = slice(pad - reach, pad + reach + 1)
        discs[int(value)] = reach, squared[inner, inner] < value

    mask = centre.copy()
    blocked = np.pad(centre, pad)
    missing = samples - int(centre.sum())
    levels = level.ravel().tolist()
    for index in order.tolist():
        if missing == 0:
            break
        y, x = divmod(index, width)
        if blocked[y + pad, x + pad]:
            continue
        reach, disc = discs[levels[index]]
        top, left = y + pad - reach, x + pad - reach
        blocked[top : top + disc.shape[0], left : left + disc.shape[1]] |= disc
        mask[y, x] = True
        missing -= 1
    return mask if missing == 0 else None
