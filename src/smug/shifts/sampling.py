"""Other sampling: acceleration, kind of mask, another draw.

Entries that were measured and are sampled again keep their values; the others are simulated from the target, with
noise of the level that the scan has. Lines that the scanner does not encode are never sampled, and no rate counts them.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from smug.data.scan import Scan
from smug.data.simulate import Acquisition
from smug.models.noise import complex_normal, derive, entry_seeds
from smug.norm import NORMS, per_slice
from smug.physics.mask_kind import MaskKind
from smug.physics.masks import calibration_region, poisson_disc, usual_center_fraction
from smug.physics.sense import Sense, cartesian
from smug.shifts.record import MASK, MEASUREMENT, check_severity
from smug.system.arguments import check_arguments
from smug.threat import measured_numbers

SHIFT = "shift of the sampling"


@check_arguments
def acceleration(scan: Scan, rate: float, seeds: Tensor, kind: MaskKind | None = None) -> Scan:
    """Sample ``1 / rate`` of the encoded k-space by a mask of the same kind, with the ACS that is usual at the rate.

    A slice that has this many samples keeps its mask, so at its own rate a scan stays as it is. ``kind`` None is that
    of :func:`mask_kind_of`. Raises ValueError for rates that no mask has, and for a scan without target.
    """
    check_severity("acceleration", rate, least=1.0)

    def draw(mask: Tensor, seed: int) -> Tensor:
        drawn = kind or mask_kind_of(mask)
        if round(mask.numel() / rate) == int(mask.sum()) and (drawn == "poisson") == (mask.ndim == 2):
            return mask
        return _draw(scan, mask.shape[-1], drawn, rate, usual_center_fraction(rate), seed)

    return _redrawn(scan, draw, derive(entry_seeds(seeds, scan.y.shape[0]), MASK, 0))


@check_arguments
def mask_kind(scan: Scan, kind: MaskKind, seeds: Tensor) -> Scan:
    """Sample as much of k-space, with as wide an ACS, by a new mask of the ``kind``.

    Raises ValueError for an unknown kind, where no such mask exists, and for a scan without target.
    """

    def draw(mask: Tensor, seed: int) -> Tensor:
        return _like(scan, mask, kind, seed)

    return _redrawn(scan, draw, derive(entry_seeds(seeds, scan.y.shape[0]), MASK, 0))


@check_arguments
def mask_redraw(scan: Scan, number: float, seeds: Tensor, kind: MaskKind | None = None) -> Scan:
    """Sample by another draw of a mask of the same kind, rate and ACS: draw ``number`` of any; 0 is the scan as it is.

    ``kind`` None is that of :func:`mask_kind_of`. Raises ValueError for a number that is negative or no integer, and
    for a scan without target.
    """
    check_severity("mask redraw", number)
    if number != int(number):
        raise ValueError(f"mask redraw: expected the number of a draw, an integer, got {number}")
    if number == 0:
        return scan

    def draw(mask: Tensor, seed: int) -> Tensor:
        return _like(scan, mask, kind or mask_kind_of(mask), seed)

    return _redrawn(scan, draw, derive(entry_seeds(seeds, scan.y.shape[0]), MASK, int(number)))


def mask_kind_of(mask: Tensor) -> MaskKind:
    """Return the kind that one mask looks like, ``(y, x)`` "poisson", ``(x,)`` "equispaced" or "random".

    A draw of variable density cannot be told from a random one: where it matters, pass the kind.

    >>> mask_kind_of(torch.tensor([1, 0, 0, 1, 0, 0, 1, 1, 1, 0, 0, 1, 0, 0, 1], dtype=torch.bool))
    'equispaced'
    """
    if mask.ndim == 2:
        return "poisson"
    centre, lines = calibration_region(mask[None])[1], mask.nonzero()[:, 0]
    gaps = torch.cat([side.diff() for side in (lines[lines < centre.start], lines[lines >= centre.stop])])
    regular = len(gaps) > 1 and int(gaps.min()) > 1 and int(gaps.max() - gaps.min()) <= 1
    return "equispaced" if regular else "random"


def noise_level(scan: Scan) -> Tensor:
    """Estimate the noise per real and imaginary part of y, real ``(batch,)``: the rms of ``y - A(target)``.

    A target that was combined from noisy coil images explains the share of the noise that is in the range of A;
    ``A(target)`` holds that share, so that simulated entries have the noise of measured ones in all. Errors of the
    coil maps count as noise. Raises ValueError for a scan without target.
    """
    residual = scan.A.sampled * (scan.y - scan.A(scan.truth))
    return NORMS["l2"].size(residual) / measured_numbers(scan.y, scan.A).sqrt()


def remeasured(scan: Scan, mask: Tensor, seeds: Tensor) -> Scan:
    """Return the scan as sampled by another ``mask``, ``bool (batch, x)`` or ``(batch, y, x)``."""
    A = Sense(mask=mask, maps=cartesian(scan.A, SHIFT).maps)
    noise = complex_normal(derive(seeds, MEASUREMENT), scan.y.shape[1:], scan.y.dtype, scan.y.device)
    sigma = per_slice(noise_level(scan), noise).to(noise.real.dtype)
    simulated = A.sampled * (A(scan.truth) + sigma * noise)
    return replace(scan, y=torch.where(scan.A.sampled & A.sampled, scan.y, simulated), A=A)


def _redrawn(scan: Scan, draw: Callable[[Tensor, int], Tensor], address: Tensor) -> Scan:
    """Draw a mask of every slice's encoded lines, from its own and a seed, and measure with it."""
    mask = cartesian(scan.A, SHIFT).mask
    masks = mask.expand(scan.y.shape[0], *mask.shape[1:])

    def drawn(mask: Tensor, encoded: Tensor, seed: Tensor) -> Tensor:
        kept = draw(mask[..., encoded], int(seed) & (2**62 - 1))
        return kept.new_zeros(*kept.shape[:-1], len(encoded)).masked_scatter(encoded, kept)

    return remeasured(scan, torch.stack(list(map(drawn, masks, scan.encoded_lines, address))), address)


def _like(scan: Scan, mask: Tensor, kind: MaskKind, seed: int) -> Tensor:
    """Return a mask of a kind with as many samples as another, and of two line masks with the same ACS."""
    rate = mask.numel() / int(mask.sum())
    fraction = usual_center_fraction(rate)
    if mask.ndim == 1:
        fraction = len(range(len(mask))[calibration_region(mask[None])[1]]) / len(mask)
    return _draw(scan, mask.shape[-1], kind, rate, fraction, seed)


def _draw(scan: Scan, width: int, kind: MaskKind, rate: float, center_fraction: float, seed: int) -> Tensor:
    """Return one mask of so many lines, ``bool (x,)``, or ``(y, x)`` for "poisson", on the scan's device."""
    height = scan.y.shape[-2]
    if kind == "poisson":  # its usual square, but of small images no more than half of the samples
        side = min(24, math.isqrt(int(height * width / rate / 2)))
        mask = poisson_disc(height, width, rate, side, seed=seed)
    else:
        mask = Acquisition(acceleration=rate, center_fraction=center_fraction, mask=kind).sample(height, width, seed)
    return mask[0].to(scan.y.device)
