"""Reconstructors without a network, to compare with: CG-SENSE and the zero-filled image."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from smug.data.scan import Scan
from smug.evaluation.metrics import psnr
from smug.models.noise import Seeds
from smug.physics.consistency import solve
from smug.physics.sense import Sense

LAMBDAS = (1e-4, 3e-4, 1e-3, 2e-3, 5e-3, 1e-2, 1.5e-2, 2e-2, 3e-2, 5e-2, 0.1, 0.2, 0.5)
"""The values that :func:`tuned_cg_sense` tries."""


@dataclass(frozen=True)
class CGSense:
    """CG-SENSE (Pruessmann et al. 2001) with Tikhonov regularisation: ``(A^H A + lam)^-1 A^H y``."""

    lam: float = 0.01

    def __call__(self, y: Tensor, A: Sense, generator: Seeds = None) -> Tensor:
        """Reconstruct complex ``(batch, y, x)`` from k-space ``(batch, coil, y, x)``; nothing is random."""
        return solve(A, A.H(y), self.lam, max_iterations=200).value


@dataclass(frozen=True)
class ZeroFilled:
    """The zero-filled image ``A^H y``."""

    def __call__(self, y: Tensor, A: Sense, generator: Seeds = None) -> Tensor:
        """Reconstruct complex ``(batch, y, x)`` from k-space ``(batch, coil, y, x)``; nothing is random."""
        return A.H(y)


@torch.no_grad()
def tuned_cg_sense(scans: Iterable[Scan], lams: Sequence[float] = LAMBDAS) -> CGSense:
    """Return CG-SENSE with the ``lam`` of the best mean magnitude-slice PSNR over validation scans."""
    scans = tuple(scans)

    def quality(lam: float) -> float:
        values = [psnr(CGSense(lam)(scan.y, scan.A), scan.truth, "slice") for scan in scans]
        return float(torch.cat(values).mean())

    return CGSense(max(lams, key=quality))
