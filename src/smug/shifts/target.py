"""Another target under the same measurement: other intensities, or turned."""

from dataclasses import replace

import torch
from torch import Tensor

from smug.data.scan import Scan
from smug.shifts.record import check_severity
from smug.shifts.rigid import rotated
from smug.system.arguments import check_arguments


@check_arguments
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


@check_arguments
def rotation(scan: Scan, degrees: float, seeds: Tensor) -> Scan:
    """Turn the target counterclockwise and measure it with the same maps, mask and noise; nothing is random.

    What turns out of the field of view is lost, what turns into it is empty. Raises ValueError for a scan without
    target.
    """
    check_severity("rotation", abs(degrees))
    return with_target(scan, rotated(scan.truth, degrees)) if degrees % 360 else scan


def with_target(scan: Scan, target: Tensor) -> Scan:
    """Return the scan of another ``target``, complex ``(batch, y, x)``: ``y + A(target - scan.target)``.

    What y holds beyond ``A(scan.target)``, the noise of this very scan, stays, so that scores differ by the object
    alone. Raises ValueError for a scan without target.
    """
    return replace(scan, y=scan.y + scan.A(target - scan.truth), target=target)
