"""Sound image files of every kind."""

import gzip
from pathlib import Path
from typing import Any

import h5py
import nibabel
import numpy as np
import torch
from PIL import Image

from smug.data.images.read import read_images
from smug.data.images.volume import ImageVolume

RNG = np.random.default_rng(0)
OBLIQUE = nibabel.affines.from_matvec(
    nibabel.eulerangles.euler2mat(0.3, -0.2, 0.5) @ np.diag([0.9, 1.1, 4.0]), [-80.0, -100.0, 20.0]
)
VOLUME = RNG.integers(1, 1000, (3, 6, 5)).astype(np.int16)  # (slices, y, x)


def stack(volume: ImageVolume) -> np.ndarray:
    return torch.stack(list(volume.slices)).numpy()


def only(path: Path) -> ImageVolume:
    (volume,) = read_images(path)
    return volume


def save_nifti(path: Path, data: np.ndarray, affine: Any = OBLIQUE, **fields: Any) -> Path:
    """A file whose header has these fields, be they right or wrong."""
    content = nibabel.Nifti1Image(data, affine).to_bytes()
    header = nibabel.Nifti1Header(content[:348])
    for name, value in fields.items():
        header[name] = value
    content = header.binaryblock + content[348:]
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def save_hdf5(path: Path, **arrays: Any) -> Path:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


def save(path: Path) -> Path:
    """A sound file of the suffix's kind."""
    if ".nii" in path.name:
        return save_nifti(path, VOLUME.T)
    if path.suffix == ".png":
        Image.fromarray(VOLUME[0].astype(np.uint16)).save(path)
    elif path.suffix == ".npy":
        np.save(path, VOLUME)
    else:
        save_hdf5(path, volume=VOLUME)
    return path


KINDS = ["a.nii", "a.nii.gz", "a.png", "a.npy", "a.h5"]
