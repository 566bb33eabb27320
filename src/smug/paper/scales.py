"""The scales at which the paper is reproduced: phantoms in minutes, two cores in hours, or fastMRI on GPUs."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from smug.data.prepared.set import PreparedSet, is_prepared
from smug.data.simulate import Acquisition
from smug.models.denoisers import NetworkConfig
from smug.paper.fastmri import prepare_fastmri, shortage
from smug.paper.reporting import Report, silent
from smug.system.words import counted
from smug.training.config import Config, DataConfig, OptimizerConfig
from smug.training.presets import PRESETS

ANATOMIES = ("brain", "knee")


@dataclass(frozen=True)
class Anatomy:
    """A data set of the paper, ``brain`` or ``knee``, and the data used for it here.

    ``source`` is what ``smug evaluate --data`` takes. ``note`` says how it differs from the paper's data.
    """

    name: str
    source: str
    note: str = ""

    @property
    def kspace(self) -> Literal["measured", "simulated"]:
        """Whether its k-space is "measured" or "simulated"."""
        measured = is_prepared(self.source) and PreparedSet.open(self.source).kspace == "measured"
        return "measured" if measured else "simulated"

    @property
    def described(self) -> dict[str, str | None]:
        """What identifies it, wherever its files lie: its name, and the hash of a prepared set."""
        sha256 = PreparedSet.open(self.source).manifest.sha256 if is_prepared(self.source) else None
        return {"source": Path(self.source).name, "sha256": sha256}


@dataclass(frozen=True)
class Scale:
    """How large everything is: data, networks, training, and test.

    All training uses ``config``. All methods start from one MoDL, the warm start, trained with the optimiser ``warm``.
    That one starts from a run with a single unrolling step and the optimiser ``start``, or, if this is a name, from the
    shipped model of that name. ``seeds`` are the training seeds. ``slices`` of each test split are scored, in batches
    of ``together``; smoothing at test averages ``num_samples`` samples of ``noise``. ``stamp`` is drawn across every
    figure.
    """

    name: str
    config: Config
    start: OptimizerConfig | str
    warm: OptimizerConfig
    brain: Anatomy
    knee: Anatomy
    slices: int
    together: int = 1
    seeds: tuple[int, ...] = (0,)
    noise: Literal["iid", "antithetic"] = "antithetic"
    num_samples: int = 2
    stamp: str = ""

    def anatomy(self, name: str) -> Anatomy:
        """Return the anatomy called ``brain`` or ``knee``."""
        return {"brain": self.brain, "knee": self.knee}[name]

    @property
    def sampling(self) -> str:
        """The sentence of captions about smoothing at test."""
        return f"Smoothing averages {counted(self.num_samples, f'{self.noise} sample')} at test."

    def acquisition(self, acceleration: float) -> Acquisition:
        """Return how scans are undersampled: 8 % ACS at 4x, 4 % at 8x, as in the paper."""
        fraction = 0.08 if acceleration <= 5 else 0.04
        return replace(self.config.data.acquisition.draw(0), acceleration=acceleration, center_fraction=fraction)


_SMALL = replace(
    PRESETS["small"],
    optimizer=OptimizerConfig(updates=100, learning_rate=3e-4),
)

_TINY = replace(
    PRESETS["tiny"],
    training_samples=2,
    reconstruction_weight=300.0,
    network=NetworkConfig(channels=8, depth=2),
    data=DataConfig(size=48, count=24, validation=2, acquisition=Acquisition(coils=4)),
    optimizer=OptimizerConfig(updates=20, learning_rate=3e-4, validate_every=20),
)

_PAPER = replace(PRESETS["paper"], data=replace(PRESETS["paper"].data, count=3000, validation=32))

SCALES: Mapping[str, Scale] = {
    "tiny": Scale(
        "tiny",
        _TINY,
        start=OptimizerConfig(updates=40, learning_rate=2e-3, validate_every=40),
        warm=OptimizerConfig(updates=40, learning_rate=1e-3, validate_every=40),
        brain=Anatomy("brain", "phantom", "head phantoms stand in"),
        knee=Anatomy("knee", "phantom", "head phantoms stand in"),
        slices=2,
        stamp="smoke test, not a result",
    ),
    "small": Scale(
        "small",
        _SMALL,
        start="modl-4x",
        warm=OptimizerConfig(updates=300, learning_rate=7e-4, validate_every=300),
        brain=Anatomy("brain", "siat", "SIAT brain images with simulated coils, 128 x 128"),
        knee=Anatomy("knee", "openms", "openms brain images stand in for the knee, with simulated coils, 128 x 128"),
        slices=20,
        together=5,
    ),
    "paper": Scale(
        "paper",
        _PAPER,
        start=OptimizerConfig(updates=1500, batch=4, learning_rate=1e-3, validate_every=1500),
        warm=_PAPER.optimizer,
        brain=Anatomy("brain", "brain"),
        knee=Anatomy("knee", "knee"),
        slices=64,
        noise="iid",
        num_samples=10,
    ),
}
"""``tiny`` is for continuous integration, ``small`` for two cores and a few hours, ``paper`` for GPUs and fastMRI."""


def with_data(scale: Scale, folder: Path, out: Path, *, workers: int = 0, report: Report = silent) -> Scale:
    """Return a scale whose anatomies are the folders ``brain`` and ``knee`` in ``folder``; either may be missing.

    Where one is missing, the other is used for both. Each is a prepared set, or holds files of fastMRI: of these the
    slices that the scale wants are prepared below ``out``, see :func:`smug.paper.fastmri.prepare_fastmri`. ``report``
    receives a line about data that are missing or too few. Raises FileNotFoundError where both are missing, and as that
    function does.
    """
    present = data_folders(folder)
    counts = (scale.config.data.count, scale.config.data.validation, scale.slices)
    anatomies = {}
    for name in ANATOMIES:
        used = name if name in present else present[0]
        source = prepare_fastmri(folder / used, out / used, *counts, workers=workers, report=report)
        stand_in = "" if used == name else f"{used} stands in for {name}, which is not there"
        note = "; ".join(filter(None, (stand_in, shortage(source))))
        anatomies[name] = Anatomy(name, str(source), note)
        if note:
            report(f"{name}: {note}")
    # Measured slices differ in matrix and coils, so each is scored alone.
    return replace(scale, brain=anatomies["brain"], knee=anatomies["knee"], together=1)


def data_folders(folder: Path) -> list[str]:
    """Return which of ``brain`` and ``knee`` are folders in ``folder``; raises FileNotFoundError for neither."""
    present = [name for name in ANATOMIES if (folder / name).is_dir()]
    if not present:
        raise FileNotFoundError(
            f"{folder}: expected the folders brain and knee in it, or one of them, "
            "with files of fastMRI or a set that smug prepare has made"
        )
    return present
