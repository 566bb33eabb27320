"""Another contrast: the same anatomy with other intensities."""

import torch
from torch import Tensor

from smug.data.scan import Scan
from smug.shifts.target import with_target


def contrast(scan: Scan, gamma: float, seeds: Tensor) -> Scan:
    """Map the target's magnitude m to ``max(m) (m / max(m))^gamma``, keeping its phase, and measure it again.

    ``gamma`` below 1 brightens what is dark, above 1 darkens it; 1 changes nothing. Nothing is random. Raises
    ValueError for a gamma that is not positive and for a scan without target.
    """
    if not 0 < gamma < float("inf"):
        raise ValueError(f"contrast: expected a finite gamma > 0, got {gamma}")
    if gamma == 1:
        return scan
    magnitude = scan.truth.abs()
    largest = magnitude.amax((-2, -1), keepdim=True).clamp_min(torch.finfo(magnitude.dtype).tiny)
    return with_target(scan, largest * (magnitude / largest) ** gamma * scan.truth.sgn())
