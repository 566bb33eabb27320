"""Make files of measured k-space, as fastMRI lays them out: python -m recipes.data.multicoil SOURCE DATA.

SOURCE holds the files of :data:`FILES`, of those that you want; DATA gets a file of each in multicoil_kspace. They are
for demonstrations and tests: one slice each.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat

from recipes.data.whole import whole_file

CONVENTION = (
    'image = fftshift(ifft2(ifftshift(kspace), norm="ortho")) over the last two axes; '
    "kspace shape (slices, coils, H, W)"
)
AXES = (-2, -1)


@dataclass(frozen=True)
class Source:
    """A file: where it is from, its terms, which axis has the coils, and whether it holds images or k-space."""

    file: str
    origin: str
    terms: str
    coil_axis: int | None = -1
    images: bool = False
    undersampled: bool = False


FILES: Mapping[str, Source] = {
    "brain_mprage_4ch.h5": Source(
        "MPRAGE_multi_channel.mat",
        "LORAKS V2.1 examples; github.com/icon-lab/A-LORAKS-CS 8f47dd45ee1f3ff8c03ad250585080e34da6bc07",
        "educational, research and non-profit use, with its notice",
    ),
    "brain_8ch_undersampled_R8.h5": Source(
        "cartesian_ksp.npy",
        "github.com/mikgroup/sigpy-mri-tutorial data b21dcdcfac8557ebb4c2bda1e9faf2cb1e1b6a33",
        "BSD-3",
        coil_axis=0,
        undersampled=True,
    ),
    "brain_t1_sag_1ch.h5": Source(
        "se_t1_sag_data.mat",
        "github.com/LarsonLab/MRI-education-resources Data fd66a1fd1528933aa6508396dc4ab2b747c731a8",
        "MIT",
        coil_axis=None,
    ),
    "brain_t1_4ch.h5": Source(
        "4h_GE.mat",
        "github.com/yqx7150/UGM-PI input_data/data 95f8fae0da8e872f60385577d46bcef8268e8818",
        "no licence stated; authors: non-commercial use only",
        images=True,
    ),
    "brain_16ch_96.h5": Source(
        "raw_data.mat",
        "github.com/mchiew/SENSE-tutorial 6d478a825af69f48732b07c2a5e535cce14c4b10",
        "public tutorial, no licence stated",
    ),
}


def convert(source: Path, data: Path) -> list[Path]:
    """Write what can be made of the files that are there; raises FileNotFoundError where there are none of them."""
    made = []
    for name, which in FILES.items():
        if (source / which.file).is_file():
            made.append(data / "multicoil_kspace" / name)
            store(source / which.file, which, made[-1])
    if not made:
        raise FileNotFoundError(f"{source}: expected one of {', '.join(which.file for which in FILES.values())}")
    return made


def store(path: Path, source: Source, out: Path) -> None:
    """Write the k-space of a file, ``(1, coil, y, x)``, with the root of the sum of squares."""
    values = np.squeeze(largest(path))
    if values.ndim != (2 if source.coil_axis is None else 3):
        raise ValueError(f"{path}: expected one slice (coils and two axes), got an array {values.shape}")
    values = values[None] if source.coil_axis is None else np.moveaxis(values, source.coil_axis, 0)
    kspace = (transformed(values) if source.images else values)[None].astype(np.complex64)
    rss = np.sqrt(np.square(np.abs(transformed(kspace, inverse=True))).sum(1)).astype(np.float32)
    with whole_file(out) as file:
        file.create_dataset("kspace", data=kspace, compression="gzip", compression_opts=9, shuffle=True)
        file.create_dataset("reconstruction_rss", data=rss, compression="gzip", compression_opts=4, shuffle=True)
        if source.undersampled:
            file["mask"] = (kspace[0] != 0).any(0).astype(np.uint8)
        file.attrs.update(convention=CONVENTION, source=f"{source.file}, {source.origin}, {source.terms}")
        file.attrs.update(max=float(rss.max()), norm=float(np.linalg.norm(rss)))


def largest(path: Path) -> NDArray[Any]:
    """Return the largest complex array of a .mat or .npy file."""
    arrays = [np.load(path)] if path.suffix == ".npy" else [v for v in loadmat(path).values() if np.ndim(v) > 1]
    complex_ones = [array for array in arrays if np.iscomplexobj(array)]
    if not complex_ones:
        raise ValueError(f"{path}: expected an array of complex numbers, got none")
    return max(complex_ones, key=np.size)


def transformed(values: NDArray[Any], *, inverse: bool = False) -> NDArray[Any]:
    """Return the centred orthonormal Fourier transform over the last two axes, or its inverse."""
    transform = np.fft.ifft2 if inverse else np.fft.fft2
    return np.fft.fftshift(transform(np.fft.ifftshift(values, axes=AXES), axes=AXES, norm="ortho"), axes=AXES)


if __name__ == "__main__":
    for written in convert(*map(Path, sys.argv[1:])):
        print(written)
