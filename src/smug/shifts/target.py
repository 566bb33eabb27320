"""Measuring another object with the same coils, mask and noise."""

from dataclasses import replace

from torch import Tensor

from smug.data.scan import Scan


def with_target(scan: Scan, target: Tensor) -> Scan:
    """Return the scan of another ``target``, complex ``(batch, y, x)``: ``y + A(target - scan.target)``.

    What y holds beyond ``A(scan.target)``, the noise of this very scan, stays, so that scores differ by the object
    alone. Raises ValueError for a scan without target.
    """
    return replace(scan, y=scan.y + scan.A(target - scan.truth), target=target)
