"""Intervals that contain the singular values of A."""

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from smug.physics.operator import Operator, operator


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Intervals ``[low, high]``, float64 ``(n,)``, that together hold every singular value of A.

    ``exact``: they are as narrow as rounding is, one per singular value; otherwise they cover all that is possible.
    What is computed from either is an upper bound: nothing of it is estimated.
    """

    low: Tensor
    high: Tensor
    exact: bool = True

    @classmethod
    def of(cls, A: Operator) -> Self:
        """Return that of an operator, of all images of its batch together.

        Exact for Cartesian MRI with line masks and for one coil of modulus 1; of an operator that tells nothing about
        its singular values they lie between 0 and infinity.
        """
        return cls(*operator(A).singular_intervals())

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
