"""Intervals that contain the singular values of A."""

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from smug.physics.factor import spectrum
from smug.physics.sense import Sense

CELLS = 4096
"""Intervals that cover the singular values where they cannot be computed."""

UNIT = 1e-5
"""By how much rounding may move the modulus of a single coil's map away from 1."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Intervals ``[low, high]``, float64 ``(n,)``, that together hold every singular value of A.

    ``exact``: they are as narrow as rounding is, one per singular value; otherwise they cover ``[0, S]``, with
    ``S^2 = max sum_c |s_c|^2`` over pixels, which is never less than ``||A||^2``. What is computed from either is an
    upper bound: nothing of it is estimated.
    """

    low: Tensor
    high: Tensor
    exact: bool = True

    @classmethod
    def of(cls, A: Sense) -> Self:
        """Return that of an operator, of all images of its batch together.

        Exact for line masks and for one coil of modulus 1 (see :func:`smug.physics.factor.spectrum`).
        """
        double = Sense(A.mask, A.maps.detach().to(torch.complex128))
        deviation = float((double.maps.abs() - 1).abs().max())
        unit_coil = A.maps.shape[1] == 1 and deviation <= UNIT
        if unit_coil or (A.is_line_mask and A.maps.shape[1:] != (1, 1, 1)):
            values = spectrum(double).flatten().cpu()
            slack = torch.full_like(values, 4 * A.mask.shape[-1] * torch.finfo(values.dtype).eps)  # of eigvalsh
            if unit_coil:  # a projection between two diagonal factors: eigenvalues of 1 move by that, 0 stays
                slack = slack + values * 3 * deviation
            return cls((values - slack).clamp_min(0).sqrt(), (values + slack).sqrt())
        edges = torch.linspace(0, 1, CELLS + 1, dtype=torch.float64)
        largest = double.maps.abs().square().sum(1).max().sqrt().cpu() * (1 + 1e-12)
        return cls(largest * edges[:-1], largest * edges[1:], exact=False)

    @property
    def norm(self) -> float:
        """``||A||``."""
        return float(self.high.max())

    def inverse_norm(self, lam: float) -> float:
        """Return ``alpha = ||(A^H A + lam)^-1||``."""
        return 1 / (float(self.low.min()) ** 2 + lam)

    def contraction(self, lam: float) -> float:
        """Return ``kappa = lam ||(A^H A + lam)^-1||``: by how much the solve amplifies an error in z."""
        return lam * self.inverse_norm(lam)

    def gain(self, lam: float) -> float:
        """Return ``a = ||(A^H A + lam)^-1 A^H|| = max s / (s^2 + lam)``: by how much it amplifies an error in y."""
        return float(tikhonov(self, lam).max())


def tikhonov(values: Spectrum, lam: float) -> Tensor:
    """Return the largest ``s / (s^2 + lam)`` in every interval, float64 ``(n,)``; its peak is at ``s = sqrt(lam)``."""
    peak = torch.clamp(torch.as_tensor(math.sqrt(lam), dtype=torch.float64), values.low, values.high)
    return peak / (peak.square() + lam)
