"""Which stored k-space entries were measured, inferred where the file does not say."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from smug.data.kspace.volume import crop_corner
from smug.physics.fourier import fft2c, ifft2c

ISOLATED_ZEROS = 0.01
"""Up to this fraction of zeros in the sampled lines are values that were measured to be zero."""

MAX_ASYMMETRY = 0.05
"""Largest fraction of the lines that may be missing at one side of a full scan; more is partial Fourier."""

Pattern = NDArray[np.bool_]
"""What is sampled, or what a file's mask claims: lines ``(x,)`` or entries ``(y, x)``."""


def signal(values: Tensor, where: str) -> Tensor:
    """Return the entries ``(y, x)`` of a slice ``(coil, y, x)`` that are not zero in all coils.

    Raises ValueError, beginning with ``where``, for values that are not finite.
    """
    if not bool(torch.view_as_real(values).isfinite().all()):
        raise ValueError(f"{where}: expected finite single-precision values, got NaN or infinite ones")
    return (values != 0).any(0)


def measured(nonzero: Pattern, given: Pattern | None = None) -> Pattern:
    """Return what is sampled: lines ``(x,)`` if whole lines are, else entries ``(y, x)``.

    Lines (or, where whole lines do not agree, entries) that are exactly zero everywhere are not measurements, whatever
    the ``given`` mask claims.
    """
    claimed = np.broadcast_to(True if given is None else given, nonzero.shape)
    sampled = claimed & nonzero
    lines = np.any(sampled, axis=0)
    zeros = np.count_nonzero(~nonzero[:, lines])
    whole = bool((claimed == np.any(claimed, axis=0)).all())
    return lines if whole and zeros <= ISOLATED_ZEROS * len(nonzero) * np.count_nonzero(lines) else sampled


def of_slices(entries: Pattern) -> Pattern:
    """Return what is sampled of every slice, lines ``(slices, x)`` if whole lines are, else entries ``(slices, y, x)``.

    ``entries`` of slices ``(slices, y, x)`` are those that are not zero; a slice of zeros has been sampled like all
    others together.
    """
    empty = ~np.any(entries.reshape(len(entries), -1), axis=1)
    entries = entries | (empty[:, None, None] & np.any(entries, axis=0))
    lines = all(measured(pattern).ndim == 1 for pattern in entries)
    return np.any(entries, axis=1) if lines else entries


def differ(slices: Pattern) -> bool:
    """Tell whether slices were sampled differently, and not only a few of their values are zero."""
    counts = slices.reshape(len(slices), -1).sum(1)
    return bool(counts.min() < (1 - MAX_ASYMMETRY) * slices.any(0).sum())


def common(mask: Pattern) -> Tensor:
    """Return the masks of all slices, or a single one if they are equal."""
    return torch.from_numpy(mask[:1] if (mask == mask[0]).all() else mask)


def encoded_lines(lines: Pattern, given: Pattern | None = None) -> int:
    """Return the number of lines of the scan around DC; what lies beyond them is zero padding.

    Zeros outside the outermost sampled ``lines`` ``(x,)`` are padding if the ``given`` mask claims that some of them
    were sampled, or if there is no mask and no gap between the sampled lines. No scanner pads by more than a factor of
    2.
    """
    first, last = np.flatnonzero(lines)[[0, -1]].tolist()
    width = len(lines)
    if given is None:
        padded = bool(lines[first : last + 1].all())
    else:
        claimed = np.any(given.reshape(-1, width), axis=0)
        padded = bool(claimed[:first].any() or claimed[last + 1 :].any())
    encoded = lines_around_dc(first, last, width)
    return encoded if padded and 2 * encoded >= width and encoded <= width else width


def lines_around_dc(first: int, last: int, width: int) -> int:
    """Return the number of lines around DC, at ``width // 2``, that reach from line ``first`` to line ``last``."""
    return max(2 * (width // 2 - first), 2 * (last - width // 2) + 1)


def is_full(lines: Pattern, encoded: int) -> bool:
    """Tell whether all ``encoded`` lines of the scan are sampled, but for a few at one side."""
    first, last = np.flatnonzero(lines)[[0, -1]]
    return bool(lines[first : last + 1].all() and encoded - lines.sum() <= MAX_ASYMMETRY * encoded)


MAX_SLICE_BYTES = 2**30
"""Largest k-space of a slice that is read, in bytes."""

MAX_MASK_BYTES = 2**30
"""Largest mask of all slices, in bytes."""


def readout_cropped(kspace: Tensor, rows: int) -> Tensor:
    """Keep the central ``rows`` of the field of view along the readout y of k-space ``(..., y, x)``.

    That removes the readout's oversampling. They are the rows that :meth:`Volume.cropped` keeps of an image.
    """
    height = kspace.shape[-2]
    if rows == height:
        return kspace
    top, _ = crop_corner((height, 1), (rows, 1))
    return fft2c(ifft2c(kspace, dim=(-2,))[..., top : top + rows, :], dim=(-2,))


def check_slice(shape: Sequence[int], where: str) -> None:
    """Raise ValueError, beginning with ``where``, if complex64 k-space ``(coil, y, x)`` is too large to be read."""
    size = 8 * math.prod(shape)
    if size > MAX_SLICE_BYTES:
        raise ValueError(
            f"{where}: got slices of {' x '.join(map(str, shape))} (coil, y, x), {size / 2**30:,.1f} GiB each: "
            f"at most {MAX_SLICE_BYTES / 2**30:.0f} GiB are read"
        )


def check_mask(shape: Sequence[int], where: str) -> None:
    """Raise ValueError, beginning with ``where``, if the mask of all slices is too large to be kept."""
    if math.prod(shape) > MAX_MASK_BYTES:
        raise ValueError(f"{where}: got {shape[0]} slices, too many for one file of this matrix: split it")
