"""How large a slice of k-space may be, and its readout."""

import math
from collections.abc import Sequence

from torch import Tensor

from smug.physics.fourier import fft2c, ifft2c

MAX_SLICE_BYTES = 2**30
"""Largest k-space of a slice that is read, in bytes."""

MAX_MASK_BYTES = 2**30
"""Largest mask of all slices, in bytes."""


def readout_cropped(kspace: Tensor, rows: int) -> Tensor:
    """Keep the central ``rows`` of the field of view along the readout y of k-space ``(..., y, x)``.

    That removes the readout's oversampling.
    """
    height = kspace.shape[-2]
    if rows == height:
        return kspace
    top = height // 2 - rows // 2
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
