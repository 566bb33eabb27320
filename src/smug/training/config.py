"""The configuration of a training run: one tree of frozen dataclasses, read from TOML."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from smug.data.simulate import Acquisition
from smug.models.smoothing import Smoothing

Method = Literal["pretrain", "modl", "rs-e2e", "smug", "weighted-smug"]
"""What is trained: equation (6), the supervised loss with MoDL or RS-E2E, equation (8), equation (12)."""


MAX_DEPTH = 16
"""Most levels of a U-Net, or blocks of a DIDN: a file that asks for more does not get the memory."""


@dataclass(frozen=True)
class NetworkConfig:
    """The denoiser: "unet" with ``depth`` levels or "didn" with ``depth`` down-up blocks."""

    kind: Literal["unet", "didn"] = "unet"
    channels: int = 32
    depth: int = 3

    def __post_init__(self) -> None:
        """Check the values."""
        if self.kind not in ("unet", "didn"):
            raise ValueError(f'network.kind: expected "unet" or "didn", got {self.kind!r}')
        if self.channels < 4 or self.channels % 4 or self.depth < 1:
            raise ValueError(
                f"network: expected channels in multiples of 4 and depth >= 1, got {self.channels} and {self.depth}"
            )
        if self.depth > MAX_DEPTH:
            raise ValueError(f"network.depth: expected at most {MAX_DEPTH}, got {self.depth}")


@dataclass(frozen=True)
class DataConfig:
    """The data: ``count`` phantoms, and all slices of the other sources; a source named twice counts twice.

    A source is the name of an image set, a file of images, or a folder that ``smug prepare`` has made, whose slices are
    used as they are: they have their own matrix, coils and noise, and only the masks are those of ``acquisition``.
    With a zoom z, images are also loaded at z times ``size`` and cropped at random about their middle, so that the
    network sees anatomy at several pixel sizes.
    """

    sources: tuple[str, ...] = ("phantom",)
    size: int = 128
    zooms: tuple[int, ...] = (1,)
    count: int = 1000
    validation: int = 16
    acquisition: Acquisition = Acquisition()

    def __post_init__(self) -> None:
        """Check the values."""
        if not self.sources or not self.zooms:
            raise ValueError(f"data: expected at least one source and zoom, got {self.sources} and {self.zooms}")
        for name in ("size", "count", "validation"):
            if getattr(self, name) < 1:
                raise ValueError(f"data.{name}: expected at least 1, got {getattr(self, name)}")
        if min(self.zooms) < 1:
            raise ValueError(f"data.zooms: expected whole numbers of at least 1, got {self.zooms}")


@dataclass(frozen=True)
class OptimizerConfig:
    """Adam with one cycle of the learning rate, and what ends a run."""

    updates: int = 1000
    batch: int = 2
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.99)
    clip_norm: float = 1.0
    validate_every: int = 200

    def __post_init__(self) -> None:
        """Check the values."""
        for name in ("updates", "batch", "learning_rate", "clip_norm", "validate_every"):
            if not getattr(self, name) > 0:
                raise ValueError(f"optimizer.{name}: expected a positive number, got {getattr(self, name)}")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"optimizer.betas: expected two numbers from 0 to below 1, got {self.betas}")


@dataclass(frozen=True)
class Config:
    """Everything that a run depends on, but for the weights it starts from.

    ``steps`` and ``lam`` are those of the unrolling; ``reconstruction_weight`` is lam_l of equations (8) and (12);
    ``training_samples`` are drawn per step while training, ``smoothing.num_samples`` afterwards.
    """

    method: Method = "modl"
    steps: int = 5
    lam: float = 1.0
    smoothing: Smoothing = Smoothing()
    training_samples: int = 10
    reconstruction_weight: float = 1.0
    network: NetworkConfig = NetworkConfig()
    data: DataConfig = DataConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the values."""
        if self.method not in get_args(Method):
            raise ValueError(f"method: expected one of {', '.join(get_args(Method))}, got {self.method!r}")
        for name in ("steps", "training_samples"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected at least 1, got {getattr(self, name)}")


PRESETS: dict[str, Config] = {
    "tiny": Config(
        steps=2,
        training_samples=2,
        network=NetworkConfig(channels=8, depth=2),
        data=DataConfig(size=64, count=32, validation=4),
        optimizer=OptimizerConfig(updates=60, validate_every=20),
    ),
    "small": Config(
        training_samples=2,
        reconstruction_weight=300.0,
        data=DataConfig(count=1500),
    ),
    "paper": Config(
        steps=8,
        network=NetworkConfig(kind="didn", channels=64, depth=3),
        data=DataConfig(size=320, acquisition=Acquisition(coils=12, profile_width=0.3, noise=0.0)),
        optimizer=OptimizerConfig(updates=90_000, learning_rate=1e-4, betas=(0.5, 0.999), validate_every=1500),
    ),
}
"""``tiny`` runs in a minute on two cores, ``small`` in a quarter of an hour.

``paper`` has the paper's network, unrolling, smoothing, optimiser and number of updates, on phantoms; what differs: the
data, gradient clipping, and a one-cycle learning rate in the place of a linear decay.
"""

T = TypeVar("T")


def load_config(name: str) -> Config:
    """Return a preset, or a configuration from a TOML file, whose values replace those of its ``preset``.

    Raises ValueError for keys that do not exist, with the nearest one that does, and FileNotFoundError.
    """
    if name in PRESETS:
        return PRESETS[name]
    path = Path(name)
    if not path.is_file():
        raise FileNotFoundError(f"configuration: expected one of {', '.join(PRESETS)} or a TOML file, got {name!r}")
    try:
        table = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a TOML file: {error}") from error
    preset = table.pop("preset", "small")
    if not isinstance(preset, str) or preset not in PRESETS:
        raise ValueError(f"{path}: preset: expected one of {', '.join(PRESETS)}, got {preset!r}")
    try:
        return merge(PRESETS[preset], table)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def merge(config: T, changes: Mapping[str, Any], where: str = "") -> T:
    """Return the configuration with some values replaced; tables replace values inside the nested dataclass."""
    known = {field.name: getattr(config, field.name) for field in fields(config)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, value in changes.items():
        if key not in known:
            near = get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
            raise ValueError(f"configuration: unknown key {where + key!r}{hint}")
        values[key] = _converted(known[key], value, where + key)
    return replace(config, **values)  # type: ignore[type-var]


def to_dict(config: Config) -> dict[str, Any]:
    """Return the configuration as plain values, for JSON."""
    return asdict(config)


def _converted(old: Any, new: Any, where: str) -> Any:
    if is_dataclass(old):
        if not isinstance(new, Mapping):
            raise ValueError(f"configuration: {where}: expected a table, got {new!r}")
        return merge(old, new, f"{where}.")
    if isinstance(old, tuple) and isinstance(new, list | tuple):
        return tuple(new)
    if isinstance(old, float) and isinstance(new, int) and not isinstance(new, bool):
        return float(new)
    if old is None and new is not None and not isinstance(new, int):  # sizes that may be left open
        raise ValueError(f"configuration: {where}: expected int, got {new!r}")
    if old is not None and type(new) is not type(old):
        raise ValueError(f"configuration: {where}: expected {type(old).__name__}, got {new!r}")
    return new
