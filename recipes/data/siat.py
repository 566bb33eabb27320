"""Make the set "siat", complex T2-weighted head images: python -m recipes.data.siat SOURCE DATA [AX COR SAG].

SOURCE holds 1.mat to 420.mat of https://github.com/yqx7150/SIAT500data-singlecoil, folder SIAT_MRI500singlecoil, commit
41f2c6513b4c4ca1437142e71245ea47db05f6a3. The repository states no licence, its authors' code "for non-comercial use
only": take it for research. DATA gets siat_brain_complex/train.h5, val.h5 and test.h5, and is what SMUG_DATA names.

Files come in blocks of 60: 20 axial, 20 coronal and 20 sagittal slices of one subject. No subject is in two splits. AX,
COR and SAG are quarter-turns counterclockwise, which turn heads upright: look at one image of each plane. Training
turns images at random, but at test a head that lies on its side is undersampled along its other axis.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from recipes.data.whole import whole_file

SPLITS: Mapping[str, Sequence[int]] = {"train": (1, 2, 3, 7), "val": (4,), "test": (5,)}
"""The subjects of every split. 3 and 7 resemble each other, so they are on the same side."""

BLOCK = 60
"""Files of a subject."""

PLANES = ("ax", "cor", "sag")

PEAK = 2047
"""The largest part of an image: 12 bits with its sign, an error far below the noise."""

LAYOUT = (
    "image = scale[:,None,None]*(image_ri[:,0]+1j*image_ri[:,1]); complex coil-combined T2w head images, 256x256; "
    "k-space = centred 2-D FFT"
)


def convert(source: Path, data: Path, turns: Mapping[str, int] | None = None) -> None:
    """Write the three splits; raises FileNotFoundError for a missing file, ValueError for one without an image."""
    for split, subjects in SPLITS.items():
        numbers = [BLOCK * (subject - 1) + i for subject in subjects for i in range(1, BLOCK + 1)]
        planes = [PLANES[(number - 1) % BLOCK // (BLOCK // len(PLANES))] for number in numbers]
        images = [
            np.rot90(image_of(source / f"{number}.mat"), (turns or {}).get(plane, 0))
            for number, plane in zip(numbers, planes, strict=True)
        ]
        parts = np.stack([[image.real, image.imag] for image in images])
        scale = np.abs(parts).max((1, 2, 3)) / PEAK
        with whole_file(data / "siat_brain_complex" / f"{split}.h5") as file:
            file.create_dataset(
                "image_ri",
                data=np.rint(parts / scale[:, None, None, None]).astype(np.int16),
                chunks=(1, *parts.shape[1:]),
                compression="gzip",
                compression_opts=9,
                shuffle=True,
            )
            file["scale"] = scale.astype(np.float32)
            file["plane"] = np.array(planes, "S4")
            file["source_index"] = np.array(numbers, np.int16)
            file["subject"] = np.array([(number - 1) // BLOCK + 1 for number in numbers], np.int16)
            file.attrs["layout"] = LAYOUT


def image_of(path: Path) -> NDArray[np.complex128]:
    """Return the complex image of a file."""
    if not path.is_file():
        raise FileNotFoundError(f"no such file: {path}; expected 1.mat to 420.mat in this folder")
    values = loadmat(path)
    if "Img" not in values or np.ndim(values["Img"]) != 2:
        raise ValueError(f"{path}: expected a variable Img (y, x), got {[name for name in values if name[0] != '_']}")
    return np.asarray(values["Img"], np.complex128)


if __name__ == "__main__":
    source, data, *quarters = sys.argv[1:]
    convert(Path(source), Path(data), dict(zip(PLANES, map(int, quarters), strict=False)))
