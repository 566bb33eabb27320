"""Where the voxels of a volume are."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray


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
