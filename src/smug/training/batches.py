"""The training data as a function of the update number: nothing to store, nothing to rewind."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from smug.data.images import Images, load_images
from smug.data.scan import Scan
from smug.data.simulate import named_scans, simulate
from smug.training.config import DataConfig


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Training images by source, and the fixed validation scans."""

    sources: tuple[Images, ...]
    validation: tuple[Scan, ...]
    config: DataConfig

    def batch(self, update: int, size: int, seed: int) -> Scan:
        """Return the normalised scan of an update: a function of (seed, update) alone.

        Each slice comes from a source and zoom drawn at random, is cropped, flipped and transposed at random, and
        gets a mask, coil maps, phase and noise of its own.
        """
        rng = np.random.default_rng([seed, update])
        images, names, seeds = [], [], []
        for _ in range(size):
            source = self.sources[rng.integers(len(self.sources))]
            row = int(rng.integers(len(source)))
            image = _cropped(source.images[row], self.config.size, rng)
            images.append(_turned(image, int(rng.integers(8))))
            names.append(source.names[row])
            seeds.append(int(rng.integers(2**62)))
        return simulate(torch.stack(images), self.config.acquisition, seeds, names).normalised()


def load_training_data(config: DataConfig, root: Path | None = None) -> TrainingData:
    """Load all sources' training images, and validation scans spread evenly over the sources."""
    sources = tuple(
        load_images(source, "train", zoom * config.size, count=_count(source, zoom, config), root=root)
        for source in config.sources
        for zoom in config.zooms
    )
    distinct = tuple(dict.fromkeys(config.sources))
    share = max(1, config.validation // len(distinct))
    validation = tuple(
        scan
        for source in distinct
        for images in [load_images(source, "val", config.size, count=share, root=root)]
        for scan in named_scans(images.images, images.names, config.acquisition)
    )
    return TrainingData(sources, validation, config)


def _count(source: str, zoom: int, config: DataConfig) -> int | None:
    """Return how many images of a source to load: phantoms of one zoom hold as many pixels as those of another."""
    return max(1, config.count // zoom**2) if source == "phantom" else None


def _cropped(image: Tensor, size: int, rng: np.random.Generator) -> Tensor:
    """Crop ``size`` x ``size`` with a corner in the middle half of the range, so that there is always anatomy."""
    margin = image.shape[-1] - size
    if margin == 0:
        return image
    top, left = rng.integers(margin // 4, margin - margin // 4 + 1, 2)
    return image[top : top + size, left : left + size]


def _turned(image: Tensor, symmetry: int) -> Tensor:
    """Apply one of the eight symmetries of the square."""
    if symmetry & 1:
        image = image.flip(-1)
    if symmetry & 2:
        image = image.flip(-2)
    return image.mT if symmetry & 4 else image
