"""Models and data of a comparison from any form in which they are given: names, functions, folders, scans."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from smug.data.scan import Scan
from smug.data.simulate import Acquisition
from smug.evaluation.datasets import TestSet, load_set
from smug.evaluation.named_models import check_unseen, labels
from smug.evaluation.summary import KspaceSource
from smug.evaluation.tuning import tuned_for
from smug.reconstructor import Reconstructor
from smug.system.arguments import check_fields, check_integer, shown
from smug.zoo import REGULARISED, load

Model: TypeAlias = Reconstructor | str | Path
"""A reconstructor, or what :func:`smug.load` takes."""

Models: TypeAlias = Mapping[str, Model] | Sequence[Model] | Model
"""Models by name, some without names, or one."""

Data: TypeAlias = TestSet | Scan | Sequence[Scan] | str | Path
"""Scans, or the name of their source: a prepared set, an image set, a file of images."""


@dataclass(frozen=True)
class Slices:
    """Which slices of a source: at most ``max_slices`` of its ``split``, of a size, measured by an ``acquisition``.

    A prepared set has its own matrix, coils and noise. Of scans that are given, ``kspace`` says whether they are
    measured or simulated, which every table states.
    """

    split: str = "test"
    size: int = 128
    acquisition: Acquisition = Acquisition()
    max_slices: int | None = None
    kspace: KspaceSource = "simulated"

    def __post_init__(self) -> None:
        """Check the values."""
        check_fields(self)
        check_integer("size", self.size, 16)
        if self.max_slices is not None:
            check_integer("max_slices", self.max_slices, 1)


def choose(models: Models, data: Data, slices: Slices) -> tuple[dict[str, Reconstructor], TestSet]:
    """Return reconstructors by name, and the slices to compare them on.

    ``cg-sense`` and ``tv`` are tuned on validation slices of the source, where there is one. Raises ValueError for what
    is no model or no data, for a model that is there twice, and for one that has seen what it would be tested on.
    """
    source = str(data) if isinstance(data, str | Path) else None

    def named(name: str) -> Reconstructor:
        if name in REGULARISED and source is not None:
            return tuned_for(REGULARISED[name], source, slices.size, slices.acquisition)
        return load(name)

    chosen = chosen_models(models, named)
    if source is None:
        return chosen, given(data, slices.kspace)  # type: ignore[arg-type]  # no path
    if slices.split == "all":
        check_unseen(chosen, source)
    return chosen, load_set(source, slices.split, slices.size, slices.acquisition, count=slices.max_slices)


def chosen_models(models: Models, named: Callable[[str], Reconstructor] = load) -> dict[str, Reconstructor]:
    """Return reconstructors by name: ``named`` loads those that are names; functions and classes have their own."""
    if isinstance(models, str | Path) or callable(models):
        models = [models]
    if not isinstance(models, Mapping | Sequence) or not models:
        raise ValueError(f"models: expected names, reconstructors, or a mapping of names to them, got {shown(models)}")
    values = list(models.values() if isinstance(models, Mapping) else models)
    for model in values:
        if not (isinstance(model, str | Path) or callable(model)):
            raise ValueError(f"models: expected a name or a reconstructor f(y, A, generator=None), got {shown(model)}")
    names = list(models) if isinstance(models, Mapping) else labels(values)
    return {
        name: named(str(model)) if isinstance(model, str | Path) else model
        for name, model in zip(names, values, strict=True)
    }


def given(data: TestSet | Scan | Sequence[Scan], kspace: KspaceSource) -> TestSet:
    """Return scans as a test set of slices; whom they show is not known. Raises ValueError for two of one name."""
    if isinstance(data, TestSet):
        return data
    scans = [data] if isinstance(data, Scan) else data
    if not isinstance(scans, Sequence) or not scans or not all(isinstance(scan, Scan) for scan in scans):
        raise ValueError(
            "data: expected a smug.Scan, scans, the folder of a prepared set or the name of an image set, "
            f"got {shown(data)}"
        )
    slices = [scan[index] for scan in scans for index in range(len(scan.id))]
    names = [scan.id[0] for scan in slices]
    if len(set(names)) < len(names):
        raise ValueError(f"data: expected a different name (id) for every slice, got {', '.join(names)}")
    digest = hashlib.sha256()
    for part in (part for scan in slices for part in (scan.y, *(scan.A.fingerprint or ()), scan.truth)):
        digest.update(part.detach().cpu().resolve_conj().numpy().tobytes())
    description = {
        "source": "given scans",
        "slices": len(names),
        "subjects": None,
        "sha256": digest.hexdigest()[:16],
        "kspace": kspace,
    }
    return TestSet(slices, {}, description)
