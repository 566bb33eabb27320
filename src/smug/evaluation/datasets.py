"""The slices that models are compared on."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from smug.data.images.sets import load_images
from smug.data.prepared.set import PreparedSet, is_prepared, undersampled_slices
from smug.data.scan import Scan
from smug.data.simulate import Acquisition, named_scans
from smug.evaluation.store import fingerprint
from smug.metrics import psnr
from smug.models.classical import CGSense, TotalVariation
from smug.reconstructor import Reconstructor, described, replaced, taking_generator
from smug.system.arguments import check_arguments
from smug.training.config_file import read_override
from smug.training.runs import WEIGHTS, Model
from smug.zoo import REGULARISED, load

TUNING_SLICES = 16
"""Validation slices that lam of CG-SENSE and total variation is tuned on."""


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
    and a hash of the images.
    """
    images = load_images(source, split, size, count=count, root=root)
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


def named_models(
    names: tuple[str, ...], source: str, size: int, acquisition: Acquisition, root: Path | None = None
) -> dict[str, Reconstructor]:
    """Load models by name; ``cg-sense`` and ``tv`` get the lam that is best on validation slices of the same kind."""
    return {
        label: tuned_for(REGULARISED[name], source, size, acquisition, root) if name in REGULARISED else load(name)
        for label, name in zip(labels(names), names, strict=True)
    }


def labels(models: Sequence[Reconstructor | str | Path]) -> list[str]:
    """Return a short name for every model: of a run its folder's, of a file its stem, of code that of its function.

    Raises ValueError for a model that is there twice, and for two reconstructors of one name.
    """
    whole = [str(model) if isinstance(model, str | Path) else _own_name(model) for model in models]
    short = [_label(name) if isinstance(model, str | Path) else name for name, model in zip(whole, models, strict=True)]
    result = [label if short.count(label) == 1 else name for label, name in zip(short, whole, strict=True)]
    if len(set(result)) < len(result):
        raise ValueError(f"models: expected each once, got {', '.join(whole)}; a mapping {{name: model}} names them")
    return result


def _own_name(f: Reconstructor) -> str:
    """Return the name of a trained model, of a function, or of an object's class."""
    return f.name if isinstance(f, Model) else getattr(f, "__name__", type(f).__name__)


def check_unseen(models: Mapping[str, Reconstructor], source: str) -> None:
    """Raise ValueError where a model was trained on a source: then its training slices are among ``all`` of them."""
    for name, model in models.items():
        if isinstance(model, Model) and source in model.config.data.sources:
            raise ValueError(
                f"split all: {name} was trained on {source}; expected models that have not seen it, "
                "or the split test, whose subjects were kept out of training"
            )


def _label(name: str) -> str:
    """Return the folder of a run, the stem of a file, the function's name, or the name."""
    path = Path(name)
    if path.is_dir() or path.name == WEIGHTS:
        return path.name if path.is_dir() else path.parent.name
    return path.stem if path.exists() else name.rpartition("/")[2]


def tuned_for(
    family: Callable[[float], Reconstructor],
    source: str,
    size: int,
    acquisition: Acquisition,
    root: Path | None = None,
) -> Reconstructor:
    """Return ``family(lam)`` tuned on validation slices of a source; see :func:`smug.evaluation.datasets.tuned`.

    Raises ValueError for a file of images, which has none.
    """
    return tuned(family, load_set(source, "val", size, acquisition, count=TUNING_SLICES, root=root).scans)


def settings_of(models: Mapping[str, Reconstructor]) -> dict[str, Any]:
    """Return the settings of each model: its configuration, or its parameters."""
    return {name: _settings(model) for name, model in models.items()}


def _settings(model: Reconstructor) -> Any:
    if isinstance(model, Model):
        known = {"name": model.name, "weights": fingerprint(model), "config": asdict(model.config)}
        return {**known, **dict(sorted(model.metadata.items()))}
    return repr(model)


def _hash(images: Tensor) -> str:
    return hashlib.sha256(images.numpy().tobytes()).hexdigest()[:16]


LAMBDAS: Mapping[Callable[..., Reconstructor], Sequence[float]] = {
    CGSense: (1e-4, 3e-4, 1e-3, 2e-3, 5e-3, 1e-2, 1.5e-2, 2e-2, 3e-2, 5e-2, 0.1, 0.2, 0.5),
    TotalVariation: (3e-4, 1e-3, 2e-3, 3e-3, 5e-3, 1e-2, 2e-2, 3e-2, 5e-2, 0.1),
}
"""The values that :func:`tuned` tries, for images of magnitude about 1."""

R = TypeVar("R", bound=Reconstructor)


@check_arguments
@torch.no_grad()
def tuned(family: Callable[[float], R], scans: Iterable[Scan], lams: Sequence[float] | None = None) -> R:
    """Return ``family(lam)`` with the ``lam`` of the best mean magnitude-slice PSNR over validation scans.

    ``family`` makes a reconstructor of a number, as :class:`smug.CGSense` and :class:`smug.TotalVariation` do; ``lams``
    are the values to try, for these two by default those of :data:`LAMBDAS`. Raises ValueError where there are none.
    """
    scans, lams = tuple(scans), LAMBDAS.get(family, ()) if lams is None else lams
    if not lams:
        raise ValueError(f"lams: expected values to try for {family}, got none")

    def quality(f: R) -> float:
        call = taking_generator(f)
        return float(torch.cat([psnr(call(scan.y, scan.A), scan.truth, "slice") for scan in scans]).mean())

    return max(map(family, lams), key=quality)


EXAMPLE = "num_samples=0"

PAIR = ("num_samples=2", "noise=antithetic")
"""Smoothing with an antithetic pair: nearer to the expectation than the paper's ten iid samples, at a fifth of the cost
(the sampler table of the results page)."""


def with_settings(models: Mapping[str, Reconstructor], overrides: Sequence[str]) -> dict[str, Reconstructor]:
    """Return the reconstructors with the settings ``KEY=VALUE``, each with those that it has.

    Raises ValueError for a setting that none has, and for values out of range.
    """
    read = (read_override(override, EXAMPLE) for override in overrides)
    changes = {".".join(parts): value for parts, value in read}
    known = set().union(*(described(f).settings() for f in models.values()))
    if unknown := changes.keys() - known:
        raise ValueError(
            f"--set {', '.join(sorted(unknown))}: expected a setting of a model: {', '.join(sorted(known))}"
        )
    return {
        name: replaced(f, **{key: value for key, value in changes.items() if key in described(f).settings()})
        for name, f in models.items()
    }
