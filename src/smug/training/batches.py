"""The training data as a function of the update number: nothing to store, nothing to rewind."""

from dataclasses import dataclass, replace
from functools import partial, reduce
from operator import or_
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from smug.data.acquisition import Acquisition, AcquisitionRange
from smug.data.images.sets import Images, load_images, with_signal
from smug.data.prepared.set import PreparedSet, is_prepared, undersampled_slices
from smug.data.scan import Scan, padded, stacked
from smug.data.simulate import named_scans, named_seed, simulate
from smug.physics.maps.calibration import MIN_CALIBRATION
from smug.physics.masks import calibration_region
from smug.system.arguments import check_arguments
from smug.training.config import DataConfig
from smug.training.framing import Frame, turned
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
        and gets an acquisition, a mask, coil maps, phase and noise of its own. The slices of a batch have one matrix,
        as many coils, and masks all of lines or all of points. With a ``cycle``, updates that differ by
        that have the same batch. Prepared slices are taken as they are: a batch of them comes from one set and has one
        matrix, each with a mask of its own, and with coils that saw nothing where others of the batch have more.

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
        update = update % self.config.cycle if self.config.cycle else update
        rng = np.random.default_rng([seed, update])
        if self.prepared:
            place = int(rng.integers(len(self.sources) + len(self.prepared)))
            if place >= len(self.sources):
                return self.prepared[place - len(self.sources)].chosen(self.config.acquisition, size, rng)
        return self._image_slices(size, rng, np.random.default_rng([seed, update, 1]))

    def _image_slices(self, size: int, rng: np.random.Generator, common: np.random.Generator) -> list[BatchSlice]:
        """Choose slices by ``rng``; what they have in common, and their pixels, by ``common``."""
        config = self.config
        matrix = config.shapes[common.integers(len(config.shapes))]
        acquisition = config.acquisition.alike(config.acquisition.draw(int(common.integers(2**62))))
        return [self._image_slice(matrix, _pixel(config, common), acquisition, rng) for _ in range(size)]

    def _image_slice(
        self,
        matrix: tuple[int, int],
        pixel: float,
        acquisition: Acquisition | AcquisitionRange,
        rng: np.random.Generator,
    ) -> BatchSlice:
        source = self.sources[rng.integers(len(self.sources))]
        row = int(rng.integers(len(source)))
        image = source.images[row]
        frame = Frame.drawn(image, matrix, pixel, rng)
        symmetry, seed = int(rng.integers(8)), int(rng.integers(2**62))
        own, name = acquisition.draw(seed), source.names[row]
        return BatchSlice(name, own.coils, partial(_simulated, image, frame, symmetry, own, seed, name))


@check_arguments
def load_training_data(config: DataConfig, root: Path | None = None) -> TrainingData:
    """Load all sources' training images, and validation scans spread evenly over the sources.

    Images stay in the memory of every process (see :attr:`TrainingData.nbytes`). Slices of prepared sets are read when
    a batch needs them, so that images which do not fit can be trained on after ``smug prepare --simulate``. Images
    without signal are left out. Validation scans have matrices, pixels and acquisitions of the same ranges, which
    depend on their names alone. Raises ValueError for a source without slices to train on, or to validate with, and for
    acquisitions that no mask can have.
    """
    _check_acquisitions(config)
    sets = {source: PreparedSlices.of(PreparedSet.open(source)) for source in config.sources if is_prepared(source)}
    images = tuple(
        with_signal(
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
            held = with_signal(load_images(source, "val", config.size, count=share, root=root), source)
            framed = (_named_frame(config, *row) for row in zip(held.images, held.names, strict=True))
            validation.extend(named_scans(framed, held.names, config.acquisition))
    return TrainingData(images, prepared, tuple(validation), config)


def _named_frame(config: DataConfig, image: Tensor, name: str) -> Tensor:
    """Return the image as it is validated: in a matrix and with pixels that its name chooses."""
    rng = np.random.default_rng([named_seed(name), 3])
    matrix = config.shapes[rng.integers(len(config.shapes))]
    return Frame.drawn(image, matrix, _pixel(config, rng), rng).of(image)


def _check_acquisitions(config: DataConfig) -> None:
    """Raise ValueError now for what a batch would only meet later: too few lines for the centre, or for maps."""
    for matrix in config.shapes:
        for hardest in config.acquisition.extremes():
            try:
                mask = hardest.sample(*matrix, seed=0)
                lines = len(range(matrix[1])[calibration_region(mask)[1]])
                if hardest.maps == "espirit" and lines < min(MIN_CALIBRATION, matrix[1]):
                    raise ValueError(f"espirit maps: expected at least {MIN_CALIBRATION} central lines, got {lines}")
            except ValueError as error:
                raise ValueError(f"data.acquisition: a matrix of {matrix[0]} x {matrix[1]}: {error}") from None


def _count(source: str, zoom: int, config: DataConfig) -> int | None:
    """Return how many images of a source to load: phantoms of one zoom hold as many pixels as those of another."""
    return max(1, config.count // zoom**2) if source == "phantom" else None


def _pixel(config: DataConfig, rng: np.random.Generator) -> float:
    """Return a pixel size of the configured range, uniform in its logarithm."""
    smallest, largest = config.pixels
    return float(smallest * (largest / smallest) ** rng.uniform())


def _simulated(image: Tensor, frame: Frame, symmetry: int, acquisition: Acquisition, seed: int, name: str) -> Scan:
    try:
        return simulate(torch.stack([turned(frame.of(image), symmetry)]), acquisition, [seed], [name]).normalised()
    except ValueError as error:
        raise ValueError(f"slice {name}: {error}") from error
