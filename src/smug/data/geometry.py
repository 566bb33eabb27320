"""Where the voxels of a volume are."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

UNEVEN = 1e-3
"""How far slices may be from their even places, relative to their distance, and axes from right angles."""


@dataclass(frozen=True, eq=False)
class Geometry:
    """An affine, float64 ``(4, 4)``, from voxel indices ``(x, y, slice)`` to millimetres right, anterior, superior.

    ``oriented`` tells whether directions and position are known; otherwise the voxel size is all that means anything.
    """

    affine: NDArray[np.float64]
    oriented: bool = False

    @classmethod
    def spaced(cls, y: float = 1.0, x: float = 1.0, z: float = 1.0) -> Self:
        """Return the geometry of voxels of this size in mm, without a known orientation."""
        return cls(np.diag([x, y, z, 1.0]))

    @classmethod
    def placed(cls, spacing: ArrayLike, directions: ArrayLike, first: ArrayLike) -> Self:
        """Return the geometry of voxels of ``spacing`` ``(x, y, slice)`` in mm.

        The rows of ``directions`` are the unit vectors of these axes, ``first`` is the centre of voxel (0, 0, 0), both
        in the patient's coordinates left, posterior, superior of DICOM and ISMRMRD.
        """
        affine = np.eye(4)
        affine[:3, :3] = np.asarray(directions, dtype=np.float64).T * np.asarray(spacing, dtype=np.float64)
        affine[:3, 3] = first
        return cls(np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine, oriented=True)

    @classmethod
    def stacked(cls, spacing: ArrayLike, directions: ArrayLike, centres: ArrayLike, centre: tuple[int, int]) -> Self:
        """Return the geometry of slices from what is known of each.

        ``spacing`` is ``(x, y, thickness)`` in mm, ``directions`` ``(slice, 3, 3)`` as in :meth:`placed`, ``centres``
        ``(slice, 3)`` are the places of the voxels whose ``(x, y)`` is ``centre``. The distance between slices, gap
        included, is that of their centres. Only the size of voxels is known where the directions are not those of three
        axes at right angles, common to all slices, or where the slices do not follow each other evenly along the third.
        """
        (x, y, z), axes, centres = np.asarray(spacing, float), np.asarray(directions, float), np.asarray(centres, float)
        first, slice_axis = axes[0], axes[0, 2]
        even = bool(np.isfinite(centres).all())
        if even and len(centres) > 1:
            step = (centres[-1] - centres[0]) / (len(centres) - 1)
            distance = float(np.linalg.norm(step))
            even = distance > 0 and np.allclose(np.diff(centres, axis=0), step, rtol=0, atol=UNEVEN * distance)
            if even:
                z, slice_axis = distance, step / distance
        oriented = (
            even
            and np.allclose(axes, first, atol=UNEVEN)
            and np.allclose(first @ first.T, np.eye(3), atol=UNEVEN)
            and abs(slice_axis @ first[2]) > 1 - UNEVEN
        )
        if not oriented:
            return cls.spaced(y=y, x=x, z=z)
        corner = centres[0] - centre[0] * x * first[0] - centre[1] * y * first[1]
        return cls.placed((x, y, z), (first[0], first[1], slice_axis), corner)

    def shifted(self, y: int, x: int) -> Self:
        """Return the geometry of the volume whose first voxel is this one's ``(x, y, 0)``."""
        affine = self.affine.copy()
        affine[:, 3] = self.affine @ [x, y, 0, 1]
        return replace(self, affine=affine)

    @property
    def voxel_size(self) -> tuple[float, float, float]:
        """Size of a voxel along y, x and slice in mm."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0).tolist()
        return y, x, z
