"""The training data as a function of the update number: nothing to store, nothing to rewind."""

from dataclasses import dataclass, replace
from functools import partial, reduce
from operator import or_
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from smug.data.images.sets import Images, load_images
from smug.data.prepared.set import PreparedSet, is_prepared, undersampled_slices
from smug.data.scan import Scan, padded, stacked
from smug.data.simulate import Acquisition, named_scans, simulate
from smug.training.config import DataConfig
from smug.training.prepared_slices import BatchSlice, PreparedSlices
from smug.training_range import TrainingRange


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Training images and prepared slices by source, and the fixed validation scans."""

    sources: tuple[Images, ...]
    prepared: tuple[PreparedSlices, ...]
    validation: tuple[Scan, ...]
    config: DataConfig

    def batch(self, update: int, size: int, seed: int, rows: slice = slice(None)) -> Scan:
        """Return the normalised scan of an update, or of these rows of it: a function of (seed, update) alone.

        Of images each slice comes from a source and zoom drawn at random, is cropped, flipped and transposed at random,
        and gets a mask, coil maps, phase and noise of its own. Prepared slices are taken as they are: a batch of them
        comes from one set and has one matrix, each with a mask of its own, and with coils that saw nothing where others
        of the batch have more.

        Only the ``rows`` are simulated or read, and each is to the last bit what it is in the whole batch. Raises
        ValueError where there are none, and ValueError or FileNotFoundError, with the slice's name and its file, for
        what cannot be read or holds no signal.
        """
        slices = self._chosen(update, size, seed)
        if not slices[rows]:
            raise ValueError(f"rows: expected some of a batch of {size}, got {rows}")
        coils = max(each.coils for each in slices)
        return stacked([padded(each.scan(), coils) for each in slices[rows]])

    def names(self, update: int, size: int, seed: int) -> tuple[str, ...]:
        """Return the names of all slices of an update, without making them."""
        return tuple(each.name for each in self._chosen(update, size, seed))

    @property
    def range(self) -> TrainingRange:
        """What a network sees that is trained on these data."""
        ranges = [prepared.range(self.config.acquisition) for prepared in self.prepared]
        if self.sources:
            folders = {prepared.data.folder for prepared in self.prepared}
            images = tuple(source for source in self.config.sources if Path(source) not in folders)
            ranges.append(replace(self.config, sources=images).range)
        return reduce(or_, ranges)

    @property
    def nbytes(self) -> int:
        """The memory that images take all the time, 8 bytes a pixel; prepared slices take some when they are read."""
        return sum(source.images.nbytes for source in self.sources)

    def _chosen(self, update: int, size: int, seed: int) -> list[BatchSlice]:
        rng = np.random.default_rng([seed, update])
        if self.prepared:
            place = int(rng.integers(len(self.sources) + len(self.prepared)))
            if place >= len(self.sources):
                return self.prepared[place - len(self.sources)].chosen(self.config.acquisition, size, rng)
        return [self._image_slice(rng) for _ in range(size)]

    def _image_slice(self, rng: np.random.Generator) -> BatchSlice:
        source, acquisition = self.sources[rng.integers(len(self.sources))], self.config.acquisition
        row = int(rng.integers(len(source)))
        image = _cropped(source.images[row], self.config.size, rng)
        symmetry, seed = int(rng.integers(8)), int(rng.integers(2**62))
        name = source.names[row]
        return BatchSlice(name, acquisition.coils, partial(_simulated, image, symmetry, acquisition, seed, name))


def load_training_data(config: DataConfig, root: Path | None = None) -> TrainingData:
    """Load all sources' training images, and validation scans spread evenly over the sources.

    Images stay in the memory of every process (see :attr:`TrainingData.nbytes`). Slices of prepared sets are read when
    a batch needs them, so that images which do not fit can be trained on after ``smug prepare --simulate``. Images
    without signal are left out. Raises ValueError for a source without slices to train on, or to validate with.
    """
    sets = {source: PreparedSlices.of(PreparedSet.open(source)) for source in config.sources if is_prepared(source)}
    images = tuple(
        _with_signal(
            load_images(source, "train", zoom * config.size, count=_count(source, zoom, config), root=root), source
        )
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
            held = _with_signal(load_images(source, "val", config.size, count=share, root=root), source)
            validation.extend(named_scans(held.images, held.names, config.acquisition))
    return TrainingData(images, prepared, tuple(validation), config)


def _count(source: str, zoom: int, config: DataConfig) -> int | None:
    """Return how many images of a source to load: phantoms of one zoom hold as many pixels as those of another."""
    return max(1, config.count // zoom**2) if source == "phantom" else None


def _with_signal(images: Images, source: str) -> Images:
    """Leave out dark images, whose measurements have no scale."""
    kept = [row for row, image in enumerate(images.images) if image.any()]
    if not kept:
        raise ValueError(f"{source}: expected images with signal, got only zeros")
    if len(kept) == len(images):
        return images
    names, subjects = (tuple(texts[row] for row in kept) for texts in (images.names, images.subjects))
    return Images(images.images[kept], names, subjects)


def _simulated(image: Tensor, symmetry: int, acquisition: Acquisition, seed: int, name: str) -> Scan:
    try:
        return simulate(torch.stack([_turned(image, symmetry)]), acquisition, [seed], [name]).normalised()
    except ValueError as error:
        raise ValueError(f"slice {name}: {error}") from error


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
