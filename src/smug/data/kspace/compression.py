"""Coil compression of measured volumes: one matrix for all slices, which are still read one at a time."""

from dataclasses import replace
from functools import partial

from torch import Tensor

from smug.data.kspace.volume import Volume
from smug.data.slices import Slices
from smug.physics.coils import check_coils, coil_products, combined, compression


def compressed_volume(volume: Volume, coils: int) -> tuple[Volume, float]:
    """Return a volume of so many virtual coils, and the fraction of the measured energy that is lost.

    The matrix is that of all that was measured, of all slices, and of nothing else, even where the full scan is known;
    calibration data are combined by it too. All slices are read once. Raises ValueError for no coils or more than there
    are.
    """
    check_coils(coils, volume.kspace[0].shape[0])
    products = coil_products(volume.measured(0)[0])
    for i in range(1, len(volume)):
        products = products + coil_products(volume.measured(i)[0])
    matrix, lost = compression(products, coils)
    calibration = None if volume.calibration is None else _combined(volume.calibration, matrix)
    return replace(_combined(volume, matrix), calibration=calibration), lost


def _combined(volume: Volume, matrix: Tensor) -> Volume:
    read = partial(_slice, volume, matrix)
    return replace(volume, kspace=Slices(len(volume), read))


def _slice(volume: Volume, matrix: Tensor, index: int) -> Tensor:
    return combined(matrix, volume.kspace[index])
