"""CG-SENSE with the regularisation that suits the data."""

from collections.abc import Iterable, Sequence

import torch

from smug.data.scan import Scan
from smug.evaluation.metrics import psnr
from smug.models.classical import CGSense

LAMBDAS = (1e-4, 3e-4, 1e-3, 2e-3, 5e-3, 1e-2, 1.5e-2, 2e-2, 3e-2, 5e-2, 0.1, 0.2, 0.5)
"""The values that :func:`tuned_cg_sense` tries."""


@torch.no_grad()
def tuned_cg_sense(scans: Iterable[Scan], lams: Sequence[float] = LAMBDAS) -> CGSense:
    """Return CG-SENSE with the ``lam`` of the best mean magnitude-slice PSNR over validation scans."""
    scans = tuple(scans)

    def quality(lam: float) -> float:
        values = [psnr(CGSense(lam)(scan.y, scan.A), scan.truth, "slice") for scan in scans]
        return float(torch.cat(values).mean())

    return CGSense(max(lams, key=quality))
