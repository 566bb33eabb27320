"""The slices that models are compared on."""

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from smug.data.images.sets import load_images, with_signal
from smug.data.prepared.set import PreparedSet, is_prepared, undersampled_slices
from smug.data.scan import Scan
from smug.data.simulate import Acquisition, named_scans
from smug.system.arguments import check_arguments
from smug.system.words import counted


@dataclass(frozen=True, eq=False)
class TestSet:
    """Scans of a split, one slice each, with the subject of every slice and a description."""

    __test__ = False  # no pytest class

    scans: Sequence[Scan]
    subjects: Mapping[str, str]
    description: Mapping[str, Any]


def load_set(
    source: str,
    split: str,
    size: int,
    acquisition: Acquisition,
    *,
    count: int | None = None,
    root: Path | None = None,
) -> TestSet:
    """Return the scans of a prepared set, if ``source`` is the folder of one, else of an image set.

    A prepared set has its own matrix, coils and noise. See :func:`prepared_set` and :func:`simulated_set`.
    """
    if is_prepared(source):
        return prepared_set(source, split, acquisition, count=count)
    return simulated_set(source, split, size, acquisition, count=count, root=root)


@check_arguments
def load_scans(
    source: str | Path,
    split: str = "test",
    size: int = 128,
    acquisition: Acquisition = Acquisition(),
    *,
    count: int | None = None,
    root: Path | None = None,
) -> Sequence[Scan]:
    """Return the scans that :func:`smug.evaluate` scores of a source, one slice each, at most ``count``.

    ``source`` is the folder of a prepared set, the name of an image set or a file of images; ``root`` is the folder of
    the image sets, by default the environment's SMUG_DATA. A prepared set has its own matrix, coils and noise. Raises
    FileNotFoundError and ValueError for sets that are not whole, and for splits without slices.
    """
    return load_set(str(source), split, size, acquisition, count=count, root=root).scans


def prepared_set(folder: str | Path, split: str, acquisition: Acquisition, *, count: int | None = None) -> TestSet:
    """Return the scans of a set that ``smug prepare`` has made, read when needed.

    Masks depend on the slice's name only; their kind, acceleration and center_fraction are the acquisition's. The
    description names source, split, masks, whether k-space is measured, and the hash of the set. Raises
    FileNotFoundError and ValueError for sets that are not whole, and for splits without slices.
    """
    data = PreparedSet.open(folder)
    slices = data.slices(split, count)
    subjects = {which.name: which.subject for which in slices}
    description = {
        "source": Path(folder).name,
        "split": split,
        "slices": len(slices),
        "subjects": len(set(subjects.values())),
        "sha256": data.manifest.sha256,
        "kspace": data.kspace,
        "settings": data.manifest.settings,
        "masks": {name: getattr(acquisition, name) for name in ("mask", "acceleration", "center_fraction")},
    }
    return TestSet(undersampled_slices(data, slices, acquisition), subjects, description)


def simulated_set(
    source: str,
    split: str,
    size: int,
    acquisition: Acquisition,
    *,
    count: int | None = None,
    root: Path | None = None,
) -> TestSet:
    """Return the scans of an image set (see :func:`smug.data.images.sets.load_images`).

    Masks, maps, phase and noise depend on the slice's name only. The description names source, split, acquisition
    and a hash of the images. Slices that are zero everywhere are left out, with a warning.
    """
    found = load_images(source, split, size, count=count, root=root)
    images = with_signal(found, source)
    if left_out := len(found) - len(images):
        warnings.warn(f"{source}: {counted(left_out, 'slice')} left out that are zero everywhere", stacklevel=2)
    description = {
        "source": source,
        "split": split,
        "size": size,
        "slices": len(images),
        "subjects": len(set(images.subjects)),
        "sha256": _hash(images.images),
        "kspace": "simulated",
        "acquisition": asdict(acquisition),
    }
    return TestSet(
        named_scans(images.images, images.names, acquisition),
        dict(zip(images.names, images.subjects, strict=True)),
        description,
    )


def _hash(images: Tensor) -> str:
    return hashlib.sha256(images.numpy().tobytes()).hexdigest()[:16]
