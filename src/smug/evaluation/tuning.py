"""The lam of reconstructors that are not trained, chosen on validation slices."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import torch

from smug.data.scan import Scan
from smug.data.simulate import Acquisition
from smug.evaluation.datasets import load_set
from smug.evaluation_mode import check_mode
from smug.metrics import psnr
from smug.models.classical import CGSense, TotalVariation
from smug.reconstructor import Reconstructor, taking_generator
from smug.system.arguments import check_arguments

TUNING_SLICES = 16
"""Validation slices that lam of CG-SENSE and total variation is tuned on."""

LAMBDAS: Mapping[Callable[..., Reconstructor], Sequence[float]] = {
    CGSense: (1e-4, 3e-4, 1e-3, 2e-3, 5e-3, 1e-2, 1.5e-2, 2e-2, 3e-2, 5e-2, 0.1, 0.2, 0.5),
    TotalVariation: (3e-4, 1e-3, 2e-3, 3e-3, 5e-3, 1e-2, 2e-2, 3e-2, 5e-2, 0.1),
}
"""The values that :func:`tuned` tries, for images of magnitude about 1."""

R = TypeVar("R", bound=Reconstructor)


@check_arguments
@torch.no_grad()
def tuned(family: Callable[[float], R], scans: Iterable[Scan], lams: Sequence[float] | None = None) -> R:
    """Return ``family(lam)`` with the ``lam`` of the best mean magnitude-slice PSNR over validation scans.

    ``family`` makes a reconstructor of a number, as :class:`smug.CGSense` and :class:`smug.TotalVariation` do; ``lams``
    are the values to try, for these two by default those of :data:`LAMBDAS`. Raises ValueError where there are none.
    """
    scans, lams = tuple(scans), LAMBDAS.get(family, ()) if lams is None else lams
    if not lams:
        raise ValueError(f"lams: expected values to try for {family}, got none")

    def quality(f: R) -> float:
        check_mode(f)
        call = taking_generator(f)
        return float(torch.cat([psnr(call(scan.y, scan.A), scan.truth, "slice") for scan in scans]).mean())

    return max(map(family, lams), key=quality)


def tuned_for(
    family: Callable[[float], Reconstructor],
    source: str,
    size: int,
    acquisition: Acquisition,
    root: Path | None = None,
) -> Reconstructor:
    """Return ``family(lam)`` tuned on validation slices of a source; see :func:`tuned`.

    Raises ValueError for a file of images, which has none.
    """
    return tuned(family, load_set(source, "val", size, acquisition, count=TUNING_SLICES, root=root).scans)
