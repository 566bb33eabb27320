"""Coil compression: few virtual coils that hold nearly all that many coils measured (Buehrer 2007, Huang 2008).

Virtual coils are combinations of coils by the rows of a matrix that are orthonormal, so that white noise stays
white and of the same size. Those with the largest energy are kept: no other choice of so many loses less.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from smug.system.arguments import check_arguments, check_integer


class CompressedCoils(NamedTuple):
    """K-space of virtual coils, strongest first, and the fraction of the energy that is lost."""

    kspace: Tensor
    lost: float


@check_arguments
def compress_coils(kspace: Tensor, coils: int) -> CompressedCoils:
    """Return k-space ``(..., coil, y, x)`` as so many virtual coils, and which fraction of its energy is lost.

    All that is given together, such as the slices of a volume, is combined by the same matrix. Entries that were not
    measured are zero and stay so. Noise should be white: prewhiten first. Maps are to be estimated from the result.
    Raises ValueError for what is no k-space, and for no coils or more than there are.

    >>> kspace = torch.randn(1, 3, 8, 8, dtype=torch.complex64).repeat(1, 2, 1, 1)
    >>> compressed, lost = compress_coils(kspace, 3)
    >>> compressed.shape, lost < 1e-6
    (torch.Size([1, 3, 8, 8]), True)
    """
    if not kspace.is_complex() or kspace.ndim < 3 or 0 in kspace.shape:
        raise ValueError(f"kspace: expected complex (..., coil, y, x), got {kspace.dtype} {tuple(kspace.shape)}")
    check_coils(coils, kspace.shape[-3])
    matrix, lost = compression(coil_products(kspace), coils)
    return CompressedCoils(combined(matrix, kspace), lost)


def check_coils(coils: int, there: int) -> None:
    """Raise ValueError unless coils can be compressed to so many."""
    check_integer("coils", coils, 1)
    if coils > there:
        raise ValueError(f"coils: expected at most the {there} that there are, got {coils}")


def coil_products(kspace: Tensor) -> Tensor:
    """Return ``sum_k y(k) y(k)^H`` over all entries of k-space ``(..., coil, y, x)``: complex128 ``(coil, coil)``."""
    samples = kspace.movedim(-3, 0).flatten(1).to(torch.complex128)
    return samples @ samples.mH


def compression(products: Tensor, coils: int) -> tuple[Tensor, float]:
    """Return the matrix complex128 ``(virtual, coil)`` that loses least of :func:`coil_products`, and what it loses.

    Its rows are orthonormal, by falling energy; the largest entry of each is positive, so that they are unique. Raises
    ValueError for values that are not finite.
    """
    if not bool(products.isfinite().all()):
        raise ValueError("kspace: expected finite values, got NaN or inf")
    energies, vectors = torch.linalg.eigh(products)
    energies, rows = energies.clamp_min(0).flip(0), vectors.mH.flip(0)
    largest = rows.gather(1, rows.abs().argmax(1, keepdim=True))
    total = float(energies.sum())
    lost = float(energies[coils:].sum()) / total if total > 0 else 0.0
    return (rows * largest.sgn().conj())[:coils], lost


def combined(matrix: Tensor, kspace: Tensor) -> Tensor:
    """Return the virtual coils that a matrix ``(virtual, coil)`` makes of k-space ``(..., coil, y, x)``."""
    return torch.einsum("vc,...cyx->...vyx", matrix.to(kspace), kspace)
