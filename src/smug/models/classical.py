"""Reconstructors without a network, to compare with: CG-SENSE and the zero-filled image."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from smug.models.noise import Seeds
from smug.physics.consistency import solve
from smug.physics.sense import Sense


@dataclass(frozen=True)
class CGSense:
    """CG-SENSE (Pruessmann et al. 2001) with Tikhonov regularisation: ``(A^H A + lam)^-1 A^H y``.

    ``lam >= 0`` has no unit. Differentiable with respect to y and ``A.maps``, by the implicit gradient of
    :func:`smug.solve`. Raises ValueError for a ``lam`` out of range.
    """

    denoiser_calls: ClassVar[int] = 0
    lam: float = 0.01

    def __post_init__(self) -> None:
        """Check the value."""
        if not 0 <= self.lam < float("inf"):
            raise ValueError(f"lam: expected a finite number >= 0, got {self.lam}")

    def __call__(self, y: Tensor, A: Sense, generator: Seeds = None) -> Tensor:
        """Reconstruct complex ``(batch, y, x)`` from k-space ``(batch, coil, y, x)``; nothing is random."""
        return solve(A, A.H(y), self.lam, max_iterations=1000).value


@dataclass(frozen=True)
class ZeroFilled:
    """The zero-filled image ``A^H y``."""

    denoiser_calls: ClassVar[int] = 0

    def __call__(self, y: Tensor, A: Sense, generator: Seeds = None) -> Tensor:
        """Reconstruct complex ``(batch, y, x)`` from k-space ``(batch, coil, y, x)``; nothing is random."""
        return A.H(y)
