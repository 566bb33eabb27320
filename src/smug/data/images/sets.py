"""Sets of fully sampled images: the embedded phantom and HDF5 files of slices."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import torch
from torch import Tensor

from smug.data.images.read import read_image_hdf5
from smug.data.phantom import head_phantom
from smug.physics.fourier import fft2c, ifft2c
from smug.system.arguments import check_arguments

PHANTOM_SEEDS = {"train": 0, "val": 1_000_000, "test": 2_000_000}
"""First phantom seed of every split: what is trained on is never tested on."""

SETS = {
    "siat": "siat_brain_complex",
    "openms": "openms_brain_magnitude",
    "knee": "knee_mese_magnitude/knee.h5",
}
"""Image sets below the data root."""


@dataclass(frozen=True, eq=False)
class Images:
    """Complex images ``(slice, y, x)`` with largest magnitude 1, and one name and one subject per slice."""

    images: Tensor
    names: tuple[str, ...]
    subjects: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of slices."""
        return len(self.names)

    def evenly(self, count: int | None) -> "Images":
        """Return at most ``count`` slices, evenly spread over the set."""
        if count is None or count >= len(self):
            return self
        rows = [int((i + 0.5) * len(self) / count) for i in range(count)]
        return Images(self.images[rows], _take(self.names, rows), _take(self.subjects, rows))


def with_signal(images: Images, source: str) -> Images:
    """Leave out dark images, whose measurements have no scale. Raises ValueError where there are no others."""
    kept = [row for row, image in enumerate(images.images) if image.any()]
    if not kept:
        raise ValueError(f"{source}: expected images with signal, got only zeros")
    if len(kept) == len(images):
        return images
    names, subjects = (tuple(texts[row] for row in kept) for texts in (images.names, images.subjects))
    return Images(images.images[kept], names, subjects)


@check_arguments
def load_images(source: str, split: str, size: int, *, count: int | None = None, root: Path | None = None) -> Images:
    """Load a split of an image set at ``size`` x ``size``.

    ``source`` is ``phantom`` (``count`` of them, 64 by default); ``siat``, ``openms`` or ``knee`` (below ``root``,
    else ``SMUG_DATA``); a folder that holds ``train.h5``, ``val.h5`` and ``test.h5``; or an HDF5 file, which has a test
    split only. ``all`` is every slice of every split, for models that have seen none of them. Files hold ``image_ri``
    with ``scale`` (complex), or one magnitude data set per volume. Larger images are resampled by cropping k-space.
    With ``count``, that many slices, evenly spread over the set. Raises ValueError for unknown names, splits that are
    not there and files of another form, FileNotFoundError for missing ones.
    """
    if split == "all" and source != "phantom":
        return _joined([load_images(source, part, size, root=root) for part in PHANTOM_SEEDS]).evenly(count)
    if split not in PHANTOM_SEEDS:
        raise ValueError(f"split: expected one of {sorted(PHANTOM_SEEDS)}, got {split!r}")
    if source == "phantom":
        return _phantoms(split, size, 64 if count is None else count)
    return _read(_path(source, split, root), size).evenly(count)


def data_root(root: Path | None = None) -> Path:
    """Return the folder of the image sets: ``root``, else the environment's ``SMUG_DATA``."""
    folder = root or (Path(os.environ["SMUG_DATA"]) if "SMUG_DATA" in os.environ else None)
    if folder is None:
        raise ValueError("data root: expected the folder of the image sets in --data-root or SMUG_DATA, got neither")
    return folder


def resample(image: Tensor, size: int) -> Tensor:
    """Return a square image ``(..., size, size)``: zero-padded to a square, then k-space is cropped or padded.

    The largest magnitude is set to 1.
    """
    height, width = image.shape[-2:]
    square = _fit(image, max(height, width))
    result = ifft2c(_fit(fft2c(square), size))
    return result / result.abs().amax((-2, -1), keepdim=True).clamp_min(1e-12)


def _fit(image: Tensor, size: int) -> Tensor:
    """Crop or zero-pad about the centre ``n // 2``."""
    for dim in (-2, -1):
        extent = image.shape[dim]
        before = size // 2 - extent // 2
        pad = (before, size - extent - before)
        image = torch.nn.functional.pad(image, pad if dim == -1 else (0, 0, *pad))
    return image


def _phantoms(split: str, size: int, count: int) -> Images:
    seeds = range(PHANTOM_SEEDS[split], PHANTOM_SEEDS[split] + count)
    names = tuple(f"phantom-{seed}" for seed in seeds)
    return Images(torch.stack([head_phantom(seed, size) for seed in seeds]), names, names)


def _joined(parts: Sequence[Images]) -> Images:
    names = tuple(chain.from_iterable(part.names for part in parts))
    subjects = tuple(chain.from_iterable(part.subjects for part in parts))
    return Images(torch.cat([part.images for part in parts]), names, subjects)


def _path(source: str, split: str, root: Path | None) -> Path:
    path = data_root(root) / SETS[source] if source in SETS else Path(source)
    if path.is_dir():
        return path / f"{split}.h5"
    if not path.exists():
        known = "in --data-root or SMUG_DATA" if source in SETS else f"or phantom, {', '.join(SETS)}"
        raise FileNotFoundError(f"no such image file or folder: {path}; expected one {known}")
    if split != "test":
        raise ValueError(f"{path}: expected a folder with {split}.h5; a single file of images has a test split only")
    return path


def _read(path: Path, size: int) -> Images:
    if not path.is_file():
        raise FileNotFoundError(f"no such image file: {path}")
    volumes = read_image_hdf5(path)
    images = torch.cat([resample(image[None], size) for volume in volumes for image in volume.slices])
    subjects = tuple(volume.subject for volume in volumes for _ in volume.names)
    return Images(images, tuple(name for volume in volumes for name in volume.names), subjects)


def _take(items: tuple[str, ...], rows: list[int]) -> tuple[str, ...]:
    return tuple(items[row] for row in rows)
