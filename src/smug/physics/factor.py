"""Direct solution of the data-consistency system, factored once for many right-hand sides.

With line masks the Fourier transforms along y cancel in ``A^H A``, and every image row ``y`` is its own Hermitian
system ``G_y[i, j] = p[(i - j) mod N] sum_c conj(s_c(y, i)) s_c(y, j) + lam delta_ij`` with the point spread function
``p = ifft(ifftshift(mask))``. One coil of modulus 1 is diagonal in k-space for any mask.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from smug.physics.fourier import fft2c, ifft2c

if TYPE_CHECKING:
    from smug.physics.sense import Sense


class Factor(Protocol):
    """A factored ``A^H A + lam``."""

    def solve(self, b: Tensor) -> Tensor:
        """Return x with ``(A^H A + lam) x = b``; ``b`` is complex ``(..., batch, y, x)``."""
        ...


@dataclass(frozen=True)
class RowFactor:
    """The lower Cholesky factor of every row's system, ``(batch, y, x, x)``."""

    cholesky: Tensor

    def solve(self, b: Tensor) -> Tensor:
        """Return x with ``(A^H A + lam) x = b``, by two triangular solves; gradients flow through both."""
        columns = b.reshape(-1, *b.shape[-3:]).permute(1, 2, 3, 0)
        half = torch.linalg.solve_triangular(self.cholesky, columns, upper=False)
        x: Tensor = torch.linalg.solve_triangular(self.cholesky.mH, half, upper=True)
        return x.permute(3, 0, 1, 2).reshape(*b.shape[:-3], *x.shape[:3])


@dataclass(frozen=True)
class DiagonalFactor:
    """One coil: ``A^H A + lam = conj(s) F^H (M + lam) F s``."""

    coil: Tensor
    diagonal: Tensor

    def solve(self, b: Tensor) -> Tensor:
        """Return x with ``(A^H A + lam) x = b``, by one division in k-space."""
        return self.coil.conj() * ifft2c(fft2c(self.coil * b) / self.diagonal)


def factor(A: "Sense", lam: float | Tensor) -> Factor:
    """Factor ``A^H A + lam`` for a line mask with any coils, or for any mask with one coil of modulus 1.

    ``lam`` is positive, a number or real ``(batch,)``. Raises ValueError for other operators, which
    :func:`smug.solve` serves.
    """
    lam = torch.as_tensor(lam, dtype=A.maps.real.dtype, device=A.maps.device)
    if not bool((lam > 0).all()):
        raise ValueError(f"lam: expected a positive number, as A^H A alone is singular; got {lam.tolist()}")
    if A.is_line_mask and A.maps.shape[1:] != (1, 1, 1):
        return RowFactor(torch.linalg.cholesky(_rows(A) + lam[..., None, None, None] * _identity(A)))
    _check_unit_coil(A)
    mask = A.mask[:, None, :] if A.is_line_mask else A.mask
    return DiagonalFactor(A.maps[:, 0], mask + lam[..., None, None])


def spectrum(A: "Sense") -> Tensor:
    """Return the eigenvalues of ``A^H A``, real ``(batch, n)``, ascending; exact up to rounding.

    Their square roots are the singular values of A. For one coil of modulus 1 and a line mask given without maps the
    height is unknown, so each eigenvalue stands once per line. Raises ValueError like :func:`factor`.
    """
    if A.is_line_mask and A.maps.shape[1:] != (1, 1, 1):
        values: Tensor = torch.linalg.eigvalsh(_rows(A)).flatten(1).sort(-1).values.clamp_min(0)
        return values
    _check_unit_coil(A)
    return A.mask.flatten(1).to(A.maps.real.dtype).sort(-1).values


def _rows(A: "Sense") -> Tensor:
    width = A.mask.shape[-1]
    spread: Tensor = torch.fft.ifft(torch.fft.ifftshift(A.mask, dim=-1).to(A.maps.dtype))
    index = torch.arange(width, device=A.mask.device)
    toeplitz = spread[:, (index[:, None] - index[None, :]) % width]
    correlation = torch.einsum("bcyi,bcyj->byij", A.maps.conj(), A.maps)
    return toeplitz[:, None] * correlation


def _identity(A: "Sense") -> Tensor:
    return torch.eye(A.mask.shape[-1], dtype=A.maps.dtype, device=A.maps.device)


def _check_unit_coil(A: "Sense") -> None:
    coils = A.maps.shape[1]
    if coils != 1 or not torch.allclose(A.maps.abs(), torch.ones_like(A.maps.real), atol=1e-4):
        raise ValueError(
            f"factor: expected a line mask, or one coil of modulus 1; got {A} of {coils} coils; use smug.solve"
        )
