"""Direct solution of the data-consistency system, factored once for many right-hand sides.

With line masks the Fourier transforms along y cancel in ``A^H A``, and every image row ``y`` is its own Hermitian
system ``G_y[i, j] = p[(i - j) mod N] sum_c conj(s_c(y, i)) s_c(y, j) + lam delta_ij`` with the point spread function
``p = ifft(ifftshift(mask))``. One coil of modulus 1 is diagonal in k-space for any mask.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from smug.physics.fourier import fft2c, ifft2c

BLOCK = 2**23
"""Bytes of the systems that are made and factored at a time: they stay in a processor's cache."""


class Encoding(Protocol):
    """The sampling mask and the coil maps of an operator, as :class:`smug.Sense` has them."""

    mask: Tensor
    maps: Tensor

    @property
    def is_line_mask(self) -> bool:
        """Whether whole lines along y are sampled."""
        ...

    @property
    def batch(self) -> int:
        """The number of images that mask and maps are made for."""
        ...


class Factor(Protocol):
    """A factored ``A^H A + lam``."""

    def solve(self, b: Tensor) -> Tensor:
        """Return x with ``(A^H A + lam) x = b``; ``b`` is complex ``(..., batch, y, x)``."""
        ...


@dataclass(frozen=True)
class RowFactor:
    """The lower Cholesky factors of the rows' systems, ``(batch, rows, x, x)``, in blocks of rows from the top down."""

    blocks: tuple[Tensor, ...]

    def solve(self, b: Tensor) -> Tensor:
        """Return x with ``(A^H A + lam) x = b``, by two triangular solves; gradients flow through both."""
        heights = [L.shape[1] for L in self.blocks]
        columns = b.reshape(-1, *b.shape[-3:]).permute(1, 2, 3, 0)
        rows = torch.split(columns.expand(-1, sum(heights), -1, -1), heights, dim=1)  # one row of b serves all
        x = torch.cat([_solve_block(L, c) for L, c in zip(self.blocks, rows, strict=True)], dim=1)
        return x.permute(3, 0, 1, 2).reshape(*b.shape[:-3], *x.shape[:3])


def _solve_block(L: Tensor, columns: Tensor) -> Tensor:
    half = torch.linalg.solve_triangular(L, columns, upper=False)
    x: Tensor = torch.linalg.solve_triangular(L.mH, half, upper=True)
    return x


@dataclass(frozen=True)
class DiagonalFactor:
    """One coil: ``A^H A + lam = conj(s) F^H (M + lam) F s``."""

    coil: Tensor
    diagonal: Tensor

    def solve(self, b: Tensor) -> Tensor:
        """Return x with ``(A^H A + lam) x = b``, by one division in k-space."""
        return self.coil.conj() * ifft2c(fft2c(self.coil * b) / self.diagonal)


def factor(A: Encoding, lam: float | Tensor) -> Factor:
    """Factor ``A^H A + lam`` for a line mask with any coils, or for any mask with one coil of modulus 1.

    ``lam`` is positive, a number or real ``(batch,)``. Raises ValueError for other operators, which
    :func:`smug.solve` serves.
    """
    lam = torch.as_tensor(lam, dtype=A.maps.real.dtype, device=A.maps.device)
    if not bool((lam > 0).all()):
        raise ValueError(f"lam: expected a positive number, as A^H A alone is singular; got {lam.tolist()}")
    if A.is_line_mask and A.maps.shape[1:] != (1, 1, 1):
        shift = lam[..., None, None, None] * torch.eye(A.mask.shape[-1], dtype=A.maps.dtype, device=A.maps.device)
        return RowFactor(tuple(torch.linalg.cholesky(block) for block in _row_systems(A, shift)))
    _check_unit_coil(A)
    mask = A.mask[:, None, :] if A.is_line_mask else A.mask
    return DiagonalFactor(A.maps[:, 0], mask + lam[..., None, None])


def spectrum(A: Encoding) -> Tensor:
    """Return the eigenvalues of ``A^H A``, real ``(batch, n)``, ascending; exact up to rounding.

    Their square roots are the singular values of A. For one coil of modulus 1 and a line mask given without maps the
    height is unknown, so each eigenvalue stands once per line. Raises ValueError like :func:`factor`.
    """
    if A.is_line_mask and A.maps.shape[1:] != (1, 1, 1):
        zero = torch.zeros(1, 1, 1, 1, dtype=A.maps.dtype, device=A.maps.device)
        values = torch.cat([torch.linalg.eigvalsh(block).flatten(1) for block in _row_systems(A, zero)], dim=1)
        return values.sort(-1).values.clamp_min(0)
    _check_unit_coil(A)
    return A.mask.flatten(1).to(A.maps.real.dtype).sort(-1).values


def _row_systems(A: Encoding, shift: Tensor) -> Iterator[Tensor]:
    """Yield ``G_y + shift`` of some rows at a time, from the top down, ``(batch, rows, x, x)``."""
    width = A.mask.shape[-1]
    spread: Tensor = torch.fft.ifft(torch.fft.ifftshift(A.mask, dim=-1).to(A.maps.dtype))
    index = torch.arange(width, device=A.mask.device)
    toeplitz = spread[:, None, (index[:, None] - index[None, :]) % width]
    rows = max(1, BLOCK // (A.batch * width**2 * A.maps.itemsize))
    for maps in torch.split(A.maps.transpose(1, 2), rows, dim=1):
        yield torch.addcmul(shift, toeplitz, maps.mH @ maps)


def _check_unit_coil(A: Encoding) -> None:
    coils = A.maps.shape[1]
    if coils != 1 or not torch.allclose(A.maps.abs(), torch.ones_like(A.maps.real), atol=1e-4):
        raise ValueError(
            f"factor: expected a line mask, or one coil of modulus 1; got {A} of {coils} coils; use smug.solve"
        )
