"""The training data as a function of the update number: nothing to store, nothing to rewind."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from smug.data.images.sets import Images, load_images
from smug.data.prepared.set import PreparedSet, is_prepared, undersampled_slices
from smug.data.scan import Scan
from smug.data.simulate import named_scans, simulate
from smug.training.config import DataConfig
from smug.training.prepared_batches import PreparedSlices


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Training images and prepared slices by source, and the fixed validation scans."""

    sources: tuple[Images, ...]
    prepared: tuple[PreparedSlices, ...]
    validation: tuple[Scan, ...]
    config: DataConfig

    def batch(self, update: int, size: int, seed: int) -> Scan:
        """Return the normalised scan of an update: a function of (seed, update) alone.

        Of images each slice comes from a source and zoom drawn at random, is cropped, flipped and transposed at random,
        and gets a mask, coil maps, phase and noise of its own. Prepared slices are taken as they are: a batch of them
        comes from one set, with as many coils and the same matrix, each with a mask of its own.
        """
        rng = np.random.default_rng([seed, update])
        if self.prepared:
            place = int(rng.integers(len(self.sources) + len(self.prepared)))
            if place >= len(self.sources):
                chosen = self.prepared[place - len(self.sources)]
                return chosen.batch(self.config.acquisition, size, rng).normalised()
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
    """Load all sources' training images, and validation scans spread evenly over the sources.

    Slices of prepared sets are read when needed. Raises ValueError for a set without slices to train on, or to
    validate with.
    """
    sets = {source: PreparedSlices.of(PreparedSet.open(source)) for source in config.sources if is_prepared(source)}
    images = tuple(
        load_images(source, "train", zoom * config.size, count=_count(source, zoom, config), root=root)
        for source in config.sources
        for zoom in config.zooms
        if source not in sets
    )
    prepared = tuple(sets[source] for source in config.sources for _ in config.zooms if source in sets)
    distinct = tuple(dict.fromkeys(config.sources))
    share = max(1, config.validation // len(distinct))
    validation: list[Scan] = []
    for source in distinct:
        if source in sets:
            data = sets[source].data
            validation.extend(undersampled_slices(data, data.slices("val", share), config.acquisition))
        else:
            held = load_images(source, "val", config.size, count=share, root=root)
            validation.extend(named_scans(held.images, held.names, config.acquisition))
    return TrainingData(images, prepared, tuple(validation), config)


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
