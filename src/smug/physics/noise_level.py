"""The level of the receiver noise in k-space, estimated from the k-space of one scan.

Neither the edges of k-space nor the background of an image hold noise alone: sharp edges reach far into k-space, and
what is cut off there rings across the whole image. Where both are kept out, little but noise is left:

- Along one axis k-space is tapered by a Kaiser window, whose sidelobes are low, and transformed. Each line across it
  becomes a profile through the head that ends in background on either side, without ringing.
- The background is where the central lines, which see the head best, have least energy. The level is taken from the
  other lines, so that choosing it there does not bias it.

Two halves of these lines, near to the centre and far from it, give two independent levels. White noise has the same in
both. A filter, a masked image or motion makes them differ, and then the level is unknown.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from smug.physics.masks import calibration_region
from smug.system.arguments import check_arguments

KAISER = 8.0
"""Shape of the window: sidelobes of -58 dB and below, a main lobe of 5.5 pixels."""

MAX_RELATIVE_ERROR = 0.05
"""Largest standard error of a level, as a fraction of it."""

MAX_RATIO = 1.1
"""Levels of two halves agree if their ratio is at most this, and twice its standard error."""

MIN_CORNER = 0.9
"""Least level of the corners of k-space relative to the background's: they hold noise *and* signal."""

MIN_BACKGROUND = 3e-3
"""Least level of the background relative to the brightest part of the same lines: below, leakage or a mask is seen."""

MIN_RUN = 12
"""Fewest samples along an axis that are tapered and transformed."""

ENOUGH = 600
"""Independent samples from which on a wider part of the background is not looked for."""


@dataclass(frozen=True)
class NoiseLevel:
    """The receiver noise of a scan: its standard deviation per real and imaginary part of k-space, or None.

    ``source`` says what it is from, or why it is unknown. With unitary transforms and normalised maps it is about the
    noise of a pixel of the coil-combined image as well.

    >>> print(NoiseLevel(0.01234, "noise scan"))
    0.0123 (noise scan)
    """

    sigma: float | None
    source: str

    def __str__(self) -> str:
        """Return the level and what it is from, in a few words."""
        return f"{'unknown' if self.sigma is None else f'{self.sigma:.3g}'} ({self.source})"


FEW = "too few samples of background"
NO_SIGNAL = "no signal"


@dataclass(frozen=True)
class _Level:
    """A level, its relative standard error, and the level of the brightest part of the same lines."""

    sigma: float
    error: float
    brightest: float = 0.0


@check_arguments
def estimated_noise(y: Tensor, mask: Tensor) -> tuple[NoiseLevel, ...]:
    """Estimate the receiver noise of each scan of a batch, the median over coils, from its measurements alone.

    ``y`` is complex k-space ``(batch, coil, y, x)``, ``mask`` its sampling, ``bool (1 or batch, x)`` or
    ``(1 or batch, y, x)``; what lies outside has no influence. On simulated scans it is within 10 % of the truth. It is
    unknown where there are too few samples of background, where the noise is not white, and where the corners of
    k-space hold less than the background. Raises ValueError for values that are not finite and for shapes that do not
    agree.
    """
    _check(y, mask)
    masks = mask[:, None].expand(-1, y.shape[-2], -1) if mask.ndim == 2 else mask
    return tuple(_of_one(each, sampled) for each, sampled in zip(y, masks.expand(len(y), -1, -1), strict=True))


def _of_one(y: Tensor, sampled: Tensor) -> NoiseLevel:
    """The noise of k-space ``(coil, y, x)`` that is sampled at ``(y, x)``."""
    largest = float((y.abs() * sampled).max())
    if not largest > 0:
        return NoiseLevel(None, NO_SIGNAL)
    y = y / largest  # its square is a number in any unit
    if not bool(sampled[tuple(n // 2 for n in sampled.shape)]):
        return NoiseLevel(None, "the centre of k-space is not sampled")
    corner, step = _corners(y, sampled)
    pairs = [halves for axis in (-2, -1) if (halves := _halves(y, sampled, axis)) is not None]
    pairs.sort(key=lambda halves: halves[0].sigma)
    doubts = [_doubt(*halves, corner) for halves in pairs]
    levels = [_mean(*halves) for halves, doubt in zip(pairs, doubts, strict=True) if doubt is None]
    if not levels:
        return NoiseLevel(None, next((doubt for doubt in doubts if doubt is not None), FEW))
    least, *others = levels
    best = _mean(least, *(other for other in others if _agree(least, other)))
    if best.error > MAX_RELATIVE_ERROR:
        return NoiseLevel(None, FEW)
    if best.sigma < step:
        return NoiseLevel(None, "k-space is rounded to steps larger than the noise")
    return NoiseLevel(best.sigma * largest, "background of k-space")


def _doubt(far: _Level, near: _Level, corner: _Level) -> str | None:
    """Why the levels of two halves do not tell the noise; None if they do."""
    if any(level.sigma <= MIN_BACKGROUND * level.brightest for level in (far, near)):
        return "the background holds no noise"
    if corner.sigma < far.sigma * (MIN_CORNER - 2 * math.hypot(corner.error, far.error)):
        return "the corners of k-space hold no noise"
    return None if _agree(far, near) else "the background holds more than white noise"


def _agree(a: _Level, b: _Level) -> bool:
    """Whether two levels are the same but for chance."""
    return max(a.sigma, b.sigma) <= min(a.sigma, b.sigma) * (MAX_RATIO + 2 * math.hypot(a.error, b.error))


def _mean(*levels: _Level) -> _Level:
    """The mean of levels, weighted by how certain they are."""
    weights = [level.error**-2 for level in levels]
    sigma = sum(weight * level.sigma for weight, level in zip(weights, levels, strict=True)) / sum(weights)
    return _Level(sigma, sum(weights) ** -0.5, max(level.brightest for level in levels))


def _corners(y: Tensor, sampled: Tensor) -> tuple[_Level, float]:
    """The level of the tenth of the samples that is farthest from the centre, and the step between their values."""
    v, u = (((torch.arange(n, device=y.device) - n // 2) / (n / 2)).square() for n in sampled.shape)
    distance = (v[:, None] + u)[sampled]
    farthest = distance >= distance.kthvalue(math.ceil(0.9 * len(distance))).values
    values = y[:, sampled][:, farthest]
    level = _level(values.abs().square(), 1.0)
    steps = torch.view_as_real(values[0]).flatten().sort().values.diff()
    steps = steps[steps > 0]
    step = float(steps.median()) if len(steps) else math.inf
    return level, step


def _halves(y: Tensor, sampled: Tensor, axis: int) -> tuple[_Level, _Level] | None:
    """The levels of the lines far from the centre and near to it, in the background along an axis."""
    if axis == -1:
        y, sampled = y.mT, sampled.mT
    run, lines = _lines(sampled)
    length = run.stop - run.start
    order = lines[(lines - sampled.shape[-1] // 2).abs().argsort(stable=True)]
    central = max(2, len(order) // 4)
    middle = central + (len(order) - central) // 2
    if length < MIN_RUN or middle - central < 2:
        return None
    window = torch.kaiser_window(length, periodic=False, beta=KAISER, dtype=torch.float64, device=y.device)
    window /= torch.linalg.vector_norm(window)
    correlation = torch.fft.fft(window.square()).abs().square()  # of the energies of pixels so far apart
    tapered = y[:, run][..., order] * window[:, None].to(y.real.dtype)
    energy = torch.fft.fft(tapered, dim=-2).abs().square()  # (coil, pixel, line): 2 sigma^2 on average
    centre, near, far = (part.sum((0, 2)) for part in energy.tensor_split((central, middle), dim=-1))

    def level(lines: slice, profile: Tensor, others: Tensor) -> _Level:
        half = energy[..., lines]
        block, samples = _background(others, correlation, half.shape[0] * half.shape[-1])
        found = _level(half[:, block].mean(1), samples)
        return replace(found, brightest=math.sqrt(float(profile.max()) / (2 * half.shape[0] * half.shape[-1])))

    return level(slice(middle, None), far, centre + near), level(slice(central, middle), near, centre + far)


def _lines(sampled: Tensor) -> tuple[slice, Tensor]:
    """Where along the first axis lines are sampled without a gap, and which lines: all, or those of the centre."""
    lines = sampled.any(0)
    whole = sampled[:, lines].all(1).tolist()
    first = last = len(whole) // 2
    while first > 0 and whole[first - 1]:
        first -= 1
    while last < len(whole) and whole[last]:
        last += 1
    run = slice(first, last)
    if 2 * (last - first) < len(whole):
        run = slice(*calibration_region(sampled[None])[0].indices(len(whole)))
        lines = sampled[run].all(0)
    return run, lines.nonzero()[:, 0]


def _background(profile: Tensor, correlation: Tensor, lines: int) -> tuple[Tensor, float]:
    """The pixels of least energy, a block on a circle, and how many independent samples it has in a line.

    The block is as wide as is needed, and as the least energy allows: wider ones would reach into the head.
    """
    length = len(profile)
    least, found = math.inf, (torch.arange(0), 0.0)
    for width in _widths(max(2, round(length / 16)), length // 3):
        offsets = torch.arange(width, device=profile.device)
        energy = torch.stack([profile.roll(-i) for i in range(width)]).mean(0)
        start = int(energy.argmin())
        if float(energy[start]) > 1.1 * least:
            break
        least = min(least, float(energy[start]))
        samples = width**2 / float(correlation[(offsets[:, None] - offsets).abs()].sum())
        found = (offsets + start) % length, samples
        if samples * lines >= ENOUGH:
            break
    return found


def _widths(narrowest: int, widest: int) -> Iterator[int]:
    """Widths from the narrowest on, each about a quarter wider than the one before."""
    width = narrowest
    while width <= max(narrowest, widest):
        yield width
        width = max(width + 1, round(1.25 * width))


def _level(energy: Tensor, samples: float) -> _Level:
    """The level of energies of all coils and lines, each the mean over so many independent samples: their median.

    The median of a chi-squared variable of k degrees of freedom is ``k (1 - 2/(9k))^3`` (Wilson and Hilferty 1931).
    """
    median = float(energy.flatten().kthvalue(energy.numel() // 2 + 1).values)
    sigma = math.sqrt(median / (2 * (1 - 1 / (9 * samples)) ** 3))
    return _Level(sigma, 0.6 / math.sqrt(energy.numel() * samples))


def _check(y: Tensor, mask: Tensor) -> None:
    if not y.is_complex() or y.ndim != 4 or 0 in y.shape:
        raise ValueError(f"y: expected complex k-space (batch, coil, y, x), not empty, got {y.dtype} {tuple(y.shape)}")
    expected = (y.shape[-1],) if mask.ndim == 2 else tuple(y.shape[-2:])
    if mask.dtype != torch.bool or tuple(mask.shape[1:]) != expected or mask.shape[0] not in (1, len(y)):
        raise ValueError(
            f"mask: expected bool (1 or batch, x) or (1 or batch, y, x) that fits {tuple(y.shape)}, "
            f"got {mask.dtype} {tuple(mask.shape)}"
        )
    if not bool(torch.isfinite(torch.view_as_real(y)).all()):
        raise ValueError("y: expected finite measurements, got NaN or infinite ones")
