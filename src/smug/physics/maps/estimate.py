"""The coil maps that measured scans are reconstructed with: ESPIRiT without holes, as far as there is signal.

With the usual threshold, 0.001 of the largest eigenvalue, ESPIRiT loses what is dark in the calibration data of many
coils, such as the middle of a head, far from all of them. The eigenvalue of these pixels falls below the usual crop,
0.8, and the maps have a hole. Here the number of dimensions of the signal is fixed instead, and maps end where the
signal does.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor

from smug.physics.maps.calibration import check_calibration_data
from smug.physics.maps.eigenvectors import CoilMaps, Espirit, calibration_data, espirit, independent_coils
from smug.physics.maps.support import signal_support
from smug.system.arguments import check_arguments

DIMENSIONS = 48
"""Dimensions of the signal's patches. Fewer lose the dark parts of the object, more let noise in."""

PATCH_SAMPLES = 72
"""Samples of a patch in all coils: the fewer the coils, the larger the kernel, from 3 to 6 a side."""

WHOLE = Espirit(threshold=1e-10, crop=0, dimensions=DIMENSIONS)
"""Nothing is lost to a threshold (this one is of rounding errors) or a crop."""


@check_arguments
@torch.no_grad()
def estimate_maps(y: Tensor, mask: Tensor) -> CoilMaps:
    """Estimate maps without holes from the fully sampled centre of k-space, each slice on its own.

    They are those of :func:`espirit`, of length 1 on the support of the signal (:func:`signal_support`), 0 elsewhere:
    an image that ends with the object is aliased less. The kernel has 6 samples a side for up to 2 independent coils, 5
    for 3, 4 for 4 to 5 and 3 for more; the patches span at most 48 dimensions.

    Arguments, phase and errors are those of :func:`espirit`.
    """
    check_calibration_data(y, mask)
    slices = [_one_slice(y[i : i + 1], mask[i : i + 1] if len(mask) > 1 else mask) for i in range(len(y))]
    maps, eigenvalues = (torch.cat(parts) for parts in zip(*((s.maps, s.eigenvalues) for s in slices), strict=True))
    return CoilMaps(maps, eigenvalues, tuple(s.kernels[0] for s in slices))


@check_arguments
def espirit_maps(y: Tensor, mask: Tensor) -> Tensor:
    """Return the maps of :func:`estimate_maps`, complex ``(batch, coil, y, x)``."""
    return estimate_maps(y, mask).maps


def _one_slice(y: Tensor, mask: Tensor) -> CoilMaps:
    """Maps, eigenvalues and the kernel of k-space ``(1, coil, y, x)``."""
    data = calibration_data(y[0], mask, WHOLE.calibration)
    largest = data.abs().max()
    coils = independent_coils(data / largest) if largest > 0 else len(y[0])
    kernel = round(math.sqrt(PATCH_SAMPLES / max(1, coils)))
    result = espirit(y, mask, replace(WHOLE, kernel=min(max(kernel, 3), 6)))
    return replace(result, maps=result.maps * signal_support(y, mask)[:, None])
