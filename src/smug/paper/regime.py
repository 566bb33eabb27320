"""At which scale the paper is reproduced: on phantoms in minutes, on two cores in a few hours, or as it was done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from smug.data.prepared.set import PreparedSet, is_prepared
from smug.data.simulate import Acquisition
from smug.models.denoisers import NetworkConfig
from smug.paper.fastmri import prepared, shortage
from smug.training.config import Config, DataConfig, OptimizerConfig
from smug.training.presets import PRESETS


@dataclass(frozen=True)
class Anatomy:
    """A data set of the paper, ``brain`` or ``knee``, and the ``source`` that serves for it.

    ``source`` is what ``smug evaluate --data`` takes. ``note`` says what is not the paper's.
    """

    name: str
    source: str
    note: str = ""

    @property
    def kspace(self) -> str:
        """Where its k-space comes from: "measured" or "simulated"."""
        return PreparedSet.open(self.source).kspace if is_prepared(self.source) else "simulated"

    @property
    def described(self) -> dict[str, str | None]:
        """What tells it from others, wherever it lies: its name, and of a prepared set the hash."""
        sha256 = PreparedSet.open(self.source).manifest.sha256 if is_prepared(self.source) else None
        return {"source": Path(self.source).name, "sha256": sha256}


@dataclass(frozen=True)
class Scale:
    """Everything that the exhibits depend on but for their lists of cells.

    ``config`` is that of all training; ``warm`` is the optimiser of the warm start, MoDL, that all methods share. It
    starts from a run with one unrolling step and the optimiser ``start``, or from the shipped model of that name.
    ``seeds`` are those of training. ``slices`` of each anatomy's test split are scored, ``together`` so many at a time,
    with ``num_samples`` of ``noise`` where there is smoothing. ``stamp`` is drawn into every figure.
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
        """What stands below what smoothed models are scored in."""
        return f"Smoothing averages {counted(self.num_samples, f'{self.noise} sample')} at test."

    def acquisition(self, acceleration: float) -> Acquisition:
        """Return how scans are undersampled: 8 % ACS at 4x, 4 % at 8x, as in the paper."""
        fraction = 0.08 if acceleration <= 5 else 0.04
        return replace(self.config.data.acquisition, acceleration=acceleration, center_fraction=fraction)


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
        start="modl",
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


def at(
    scale: Scale, folder: Path, out: Path, *, workers: int = 0, told: Callable[[str], None] = lambda text: None
) -> Scale:
    """Return a scale whose anatomies are ``brain`` and ``knee`` in a folder; where one is missing, the other.

    Each is a prepared set, or holds files of fastMRI: of these as many slices as the scale wants are prepared in the
    folder ``out``, see :func:`smug.paper.fastmri.prepared`. ``told`` hears what stands in, and what there is too little
    of. Raises FileNotFoundError where both are missing, and as that function does.
    """
    names = ("brain", "knee")
    there = [name for name in names if (folder / name).is_dir()]
    if not there:
        raise FileNotFoundError(
            f"{folder}: expected the folders brain and knee in it, or one of them, "
            "with files of fastMRI or a set that smug prepare has made"
        )
    counts = (scale.config.data.count, scale.config.data.validation, scale.slices)
    placed = {}
    for name in names:
        used = name if name in there else there[0]
        source = prepared(folder / used, out / used, *counts, workers=workers, told=told)
        stand_in = "" if used == name else f"{used} stands in for {name}, which is not there"
        note = "; ".join(filter(None, (stand_in, shortage(source))))
        placed[name] = Anatomy(name, str(source), note)
        if note:
            told(f"{name}: {note}")
    # slices as they were measured differ in matrix and coils: each is scored by itself
    return replace(scale, brain=placed["brain"], knee=placed["knee"], together=1)


def counted(number: int, of: str) -> str:
    """Return a number of something.

    >>> counted(1, "slice"), counted(2, "slice")
    ('1 slice', '2 slices')
    """
    return f"{number} {of}{'' if number == 1 else 's'}"
