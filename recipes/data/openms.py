"""Make the set "openms", T1w, T2w and FLAIR brain magnitudes: python -m recipes.data.openms SOURCE DATA.

SOURCE is longitudinal/raw of https://github.com/muschellij2/open_ms_data, commit
65704901f60650824565aa5a4818611aa89716f4: of it PATIENT/STUDY_CONTRAST.nii.gz for the volumes below. The licence is
CC BY: cite Lesjak Z., Pernus F., Likar B., Spiclin Z., "Validation of White-Matter Lesion Change Detection Methods on a
Novel Publicly Available MRI Image Database", Neuroinformatics 2016. DATA gets openms_brain_magnitude/train.h5, val.h5
and test.h5, and is what SMUG_DATA names.

Every second slice that shows enough of the head is taken, turned upright: rows from anterior to posterior, columns from
right to left.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray

from recipes.data.whole import whole_file

SLICES: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "train": {
        "patient01/study1_FLAIR": (7, 12),
        "patient01/study1_T1W": (1, 18),
        "patient01/study1_T2W": (6, 13),
        "patient01/study2_FLAIR": (9, 17),
        "patient01/study2_T1W": (7, 18),
        "patient01/study2_T2W": (9, 15),
        "patient04/study1_FLAIR": (9, 16),
        "patient04/study1_T1W": (7, 17),
        "patient04/study1_T2W": (7, 15),
        "patient12/study1_FLAIR": (10, 17),
        "patient12/study1_T1W": (9, 18),
        "patient12/study1_T2W": (9, 15),
        "patient12/study2_FLAIR": (10, 17),
        "patient12/study2_T1W": (8, 18),
        "patient12/study2_T2W": (9, 15),
    },
    "val": {"patient20/study2_FLAIR": (4, 18), "patient20/study2_T1W": (5, 17)},
    "test": {
        "patient19/study1_FLAIR": (2, 17),
        "patient19/study2_FLAIR": (9, 18),
        "patient19/study2_T1W": (6, 19),
    },
}
"""The first slice of every volume, and how many, two apart."""


def convert(source: Path, data: Path) -> None:
    """Write the three splits; raises FileNotFoundError for a missing volume, ValueError for one that is not axial."""
    for split, volumes in SLICES.items():
        with whole_file(data / "openms_brain_magnitude" / f"{split}.h5") as file:
            for name, (first, count) in volumes.items():
                indices = np.arange(first, first + 2 * count, 2)
                values, voxel = upright(source / f"{name}.nii.gz")
                patient, _, rest = name.partition("/")
                study, _, contrast = rest.partition("_")
                images = values[indices]
                stored = file.create_dataset(
                    f"{patient}_{study}_{contrast}",
                    data=images,
                    chunks=(1, *images.shape[1:]),
                    compression="gzip",
                    compression_opts=9,
                    shuffle=True,
                )
                stored.attrs.update(patient=patient, study=study, contrast=contrast)
                stored.attrs.update(voxel_mm_row_col_slice=voxel, source_slice_index=indices)


def upright(path: Path) -> tuple[NDArray[np.uint16], NDArray[np.float64]]:
    """Return an axial volume ``(slice, row, column)``, slices in their own order, and the voxel size in that order."""
    if not path.is_file():
        raise FileNotFoundError(f"no such volume: {path}")
    image = nibabel.load(path)
    own = nibabel.io_orientation(image.affine)
    codes = nibabel.aff2axcodes(image.affine)
    if codes[2] not in "SI":
        raise ValueError(f"{path}: expected slices along the third axis, from foot to head, got {''.join(codes)}")
    wanted = nibabel.orientations.axcodes2ornt(("P", "L", codes[2]))
    turned = image.as_reoriented(nibabel.orientations.ornt_transform(own, wanted))
    values = np.rint(np.asanyarray(turned.dataobj))
    if values.min() < 0 or values.max() > np.iinfo(np.uint16).max:
        raise ValueError(f"{path}: expected magnitudes up to 65535, got {values.min():g} to {values.max():g}")
    row, column, between = turned.header.get_zooms()[:3]
    return np.moveaxis(values.astype(np.uint16), 2, 0), np.array([row, column, between], np.float64)


if __name__ == "__main__":
    convert(*map(Path, sys.argv[1:]))
