"""At which scale the paper is reproduced: on phantoms in minutes, on two cores in a night, or as it was done."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from smug.data.simulate import Acquisition
from smug.training.config import ComputeConfig, Config, DataConfig, NetworkConfig, OptimizerConfig
from smug.training.presets import PRESETS


@dataclass(frozen=True)
class Anatomy:
    """A data set of the paper, ``brain`` or ``knee``, and the ``source`` that serves for it.

    ``source`` is what ``smug evaluate --data`` takes. ``note`` says what is not the paper's.
    """

    name: str
    source: str
    note: str = ""


@dataclass(frozen=True)
class Scale:
    """Everything that the exhibits depend on but for their lists of cells.

    ``config`` is that of all training; ``start`` and ``warm`` are the optimisers of the warm start that all methods
    share: first with one unrolling step, then as MoDL. ``seeds`` are those of training. ``slices`` of each anatomy's
    test split are scored, with ``num_samples`` of ``noise`` where there is smoothing. ``stamp`` is drawn into every
    figure.
    """

    name: str
    config: Config
    start: OptimizerConfig
    warm: OptimizerConfig
    brain: Anatomy
    knee: Anatomy
    slices: int
    seeds: tuple[int, ...] = (0,)
    noise: Literal["iid", "antithetic"] = "antithetic"
    num_samples: int = 2
    stamp: str = ""

    def anatomy(self, name: str) -> Anatomy:
        """Return the anatomy called ``brain`` or ``knee``."""
        return {"brain": self.brain, "knee": self.knee}[name]

    def acquisition(self, acceleration: float) -> Acquisition:
        """Return how scans are undersampled: 8 % ACS at 4x, 4 % at 8x, as in the paper."""
        fraction = 0.08 if acceleration <= 5 else 0.04
        return replace(self.config.data.acquisition, acceleration=acceleration, center_fraction=fraction)


_SMALL = replace(
    PRESETS["small"],
    optimizer=OptimizerConfig(updates=200, learning_rate=3e-4),
    compute=ComputeConfig(precision="bf16", recompute=False),
)

_TINY = replace(
    PRESETS["tiny"],
    training_samples=2,
    reconstruction_weight=300.0,
    network=NetworkConfig(channels=8, depth=2),
    data=DataConfig(size=48, count=24, validation=2, acquisition=Acquisition(coils=4)),
    optimizer=OptimizerConfig(updates=20, learning_rate=3e-4, validate_every=20),
)

SCALES: Mapping[str, Scale] = {
    "tiny": Scale(
        "tiny",
        _TINY,
        start=OptimizerConfig(updates=40, learning_rate=2e-3, validate_every=40),
        warm=OptimizerConfig(updates=40, learning_rate=1e-3, validate_every=40),
        brain=Anatomy("brain", "phantom", "head phantoms"),
        knee=Anatomy("knee", "phantom", "head phantoms"),
        slices=2,
        stamp="smoke test, not a result",
    ),
    "small": Scale(
        "small",
        _SMALL,
        start=OptimizerConfig(updates=2000, batch=4, learning_rate=1e-3, validate_every=500),
        warm=OptimizerConfig(updates=2000, learning_rate=7e-4, validate_every=500),
        brain=Anatomy("brain", "siat", "SIAT brain images with simulated coils, 128 x 128"),
        knee=Anatomy("knee", "openms", "openms brain images stand in for the knee, with simulated coils, 128 x 128"),
        slices=20,
        seeds=(0, 1, 2),
    ),
    "paper": Scale(
        "paper",
        PRESETS["paper"],
        start=OptimizerConfig(updates=1500, batch=4, learning_rate=1e-3, validate_every=1500),
        warm=replace(PRESETS["paper"].optimizer),
        brain=Anatomy("brain", "brain"),
        knee=Anatomy("knee", "knee"),
        slices=64,
        noise="iid",
        num_samples=10,
    ),
}
"""``tiny`` is for continuous integration, ``small`` for two cores and a night, ``paper`` for GPUs and fastMRI."""


def at(scale: Scale, folder: Path) -> Scale:
    """Return a scale whose anatomies are the sets ``brain`` and ``knee`` in a folder; where one is missing, the other.

    Raises FileNotFoundError where both are.
    """
    there = [name for name in ("brain", "knee") if (folder / name).exists()]
    if not there:
        raise FileNotFoundError(f"{folder}: expected the sets brain and knee in it, or one of them")
    placed = {
        name: Anatomy(name, str(folder / name))
        if name in there
        else Anatomy(name, str(folder / there[0]), f"{there[0]} stands in for {name}")
        for name in ("brain", "knee")
    }
    return replace(scale, brain=placed["brain"], knee=placed["knee"])
