"""The configuration of a training run: one tree of frozen dataclasses."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from smug.data.simulate import Acquisition
from smug.models.denoisers import NetworkConfig
from smug.models.smoothing import Smoothing
from smug.system.arguments import check_fields
from smug.threat import Threat
from smug.training_range import TrainingRange

Method = Literal["pretrain", "modl", "jitter", "adversarial", "rs-e2e", "smug", "weighted-smug", "adversarial-smug"]
"""What is trained; :data:`smug.training.methods.METHODS` says how."""

StabilityTarget = Literal[
    "denoised-target", "target", "denoised-iterate", "frozen-denoised-target", "frozen-denoised-iterate"
]
"""What UStab pulls the denoised samples towards: D(t), t, D(x^n), and the first and third by the denoiser as it was at
the start, frozen (Fig. 13)."""

Precision = Literal["fp32", "bf16"]
"""The arithmetic of the denoiser; Fourier transforms and solver stay in single precision."""


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
        check_fields(self, "data.")
        if not self.sources or not self.zooms:
            raise ValueError(f"data: expected at least one source and zoom, got {self.sources} and {self.zooms}")
        for name in ("size", "count", "validation"):
            if getattr(self, name) < 1:
                raise ValueError(f"data.{name}: expected at least 1, got {getattr(self, name)}")
        if min(self.zooms) < 1:
            raise ValueError(f"data.zooms: expected whole numbers of at least 1, got {self.zooms}")

    @property
    def range(self) -> TrainingRange:
        """What a network sees that is trained on these data, where all sources are images."""
        acquisition = self.acquisition
        return TrainingRange(
            sources=tuple(dict.fromkeys(Path(source).name for source in self.sources)),
            matrices=((self.size, self.size),),
            coils=(acquisition.coils,),
            accelerations=(acquisition.acceleration,),
            masks=(acquisition.mask,),
            noise=(acquisition.noise,),
            zoomed=tuple(sorted({zoom * self.size for zoom in self.zooms})),
            center_fractions=center_fractions(acquisition),
            phases=(acquisition.phase,),
            profile_widths=(acquisition.profile_width,),
        )


def center_fractions(acquisition: Acquisition) -> tuple[float, ...]:
    """Return the fraction of calibration lines, as one value; none for masks of points, which have a square."""
    return () if acquisition.mask == "poisson" else (acquisition.center_fraction,)


@dataclass(frozen=True)
class OptimizerConfig:
    """Adam, its learning rate, and what ends a run.

    ``batch`` slices make an update, over all processes; ``schedule`` is the course of the learning rate (see
    :mod:`smug.training.schedule`); gradients are scaled down to a norm of ``clip_norm`` (0: never).
    """

    updates: int = 1000
    batch: int = 2
    learning_rate: float = 1e-3
    schedule: Literal["one-cycle", "linear-decay"] = "one-cycle"
    betas: tuple[float, float] = (0.9, 0.99)
    clip_norm: float = 1.0
    validate_every: int = 200

    def __post_init__(self) -> None:
        """Check the values."""
        check_fields(self, "optimizer.")
        for name in ("updates", "batch", "learning_rate", "validate_every"):
            if not getattr(self, name) > 0:
                raise ValueError(f"optimizer.{name}: expected a positive number, got {getattr(self, name)}")
        if not 0 <= self.clip_norm < float("inf"):
            raise ValueError(f"optimizer.clip_norm: expected a number >= 0, got {self.clip_norm}")
        if self.schedule not in ("one-cycle", "linear-decay"):
            raise ValueError(f'optimizer.schedule: expected "one-cycle" or "linear-decay", got {self.schedule!r}')
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"optimizer.betas: expected two numbers from 0 to below 1, got {self.betas}")


@dataclass(frozen=True)
class PerturbationConfig:
    """What the measurements go through in training.

    "jitter" adds Gaussian noise of ``noise`` times the image's maximum per part. "adversarial" adds the worst case that
    ``steps`` steps of projected gradient ascent, each of ``step_size`` times the radius, find within ``threat``.
    """

    noise: float = 0.02
    threat: Threat = Threat(0.02)
    steps: int = 2
    step_size: float = 1.0

    def __post_init__(self) -> None:
        """Check the values."""
        check_fields(self, "perturbation.")
        if not 0 < self.noise < float("inf"):
            raise ValueError(f"perturbation.noise: expected a positive number, got {self.noise}")
        if self.steps < 1 or not self.step_size > 0:
            raise ValueError(
                f"perturbation: expected steps >= 1 and step_size > 0, got {self.steps} and {self.step_size}"
            )


@dataclass(frozen=True)
class ComputeConfig:
    """How a run is computed: memory and speed, not what is learned (but for rounding).

    ``recompute`` keeps no activations of the denoiser for the gradient: memory no longer grows with steps and samples,
    and time does by a third. ``accumulate`` parts of a batch are computed one after another. ``workers`` threads make
    batches ahead. A checkpoint is written every ``checkpoint_seconds``, and with every validation.
    """

    precision: Precision = "fp32"
    compile: bool = False
    recompute: bool = True
    accumulate: int = 1
    workers: int = 1
    checkpoint_seconds: float = 60.0

    def __post_init__(self) -> None:
        """Check the values."""
        check_fields(self, "compute.")
        if self.precision not in get_args(Precision):
            raise ValueError(
                f"compute.precision: expected one of {', '.join(get_args(Precision))}, got {self.precision!r}"
            )
        if self.accumulate < 1 or self.workers < 0 or not self.checkpoint_seconds >= 0:
            raise ValueError(
                "compute: expected accumulate >= 1, workers >= 0 and checkpoint_seconds >= 0, "
                f"got {self.accumulate}, {self.workers} and {self.checkpoint_seconds}"
            )


@dataclass(frozen=True)
class Config:
    """All settings of a run: what its result depends on, except the weights it starts from.

    ``steps`` and ``lam`` are those of the unrolling; ``reconstruction_weight`` is lam_l of equations (8) and (12);
    ``training_samples`` are drawn per step while training (0: no noise), ``smoothing.num_samples`` afterwards.
    """

    method: Method = "modl"
    steps: int = 5
    lam: float = 1.0
    smoothing: Smoothing = Smoothing()
    training_samples: int = 10
    reconstruction_weight: float = 1.0
    stability_target: StabilityTarget = "denoised-target"
    perturbation: PerturbationConfig = PerturbationConfig()
    network: NetworkConfig = NetworkConfig()
    data: DataConfig = DataConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    compute: ComputeConfig = ComputeConfig()
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the values."""
        check_fields(self)
        for name, known in (("method", get_args(Method)), ("stability_target", get_args(StabilityTarget))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}: expected one of {', '.join(known)}, got {getattr(self, name)!r}")
        if self.steps < 1 or self.training_samples < 0:
            raise ValueError(
                f"expected steps >= 1 and training_samples >= 0, got {self.steps} and {self.training_samples}"
            )
        if self.optimizer.batch % self.compute.accumulate:
            raise ValueError(
                f"compute.accumulate: expected a divisor of optimizer.batch, got {self.compute.accumulate} "
                f"for a batch of {self.optimizer.batch}"
            )
