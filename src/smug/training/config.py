"""The configuration of a training run: one tree of frozen dataclasses."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from smug.data.acquisition import Acquisition, AcquisitionRange
from smug.models.denoisers import NetworkConfig
from smug.models.smoothing import Smoothing
from smug.system.arguments import check_fields
from smug.threat import Threat
from smug.training_range import TrainingRange

Method = Literal[
    "pretrain",
    "denoise",
    "modl",
    "jitter",
    "adversarial",
    "rs-e2e",
    "smug",
    "weighted-smug",
    "adversarial-smug",
    "trades",
    "score-matching",
    "ridge",
]
"""What is trained; :data:`smug.training.methods.METHODS` says how."""

DENOISING_METHODS = ("pretrain", "denoise")
"""The methods that train a denoiser alone, without measurements."""

RIDGE_METHODS = ("score-matching", "ridge")
"""The methods that train a ridge regulariser."""

StabilityTarget = Literal[
    "denoised-target", "target", "denoised-iterate", "frozen-denoised-target", "frozen-denoised-iterate"
]
"""What UStab pulls the denoised samples towards: D(t), t, D(x^n), and the first and third by the denoiser as it was at
the start, frozen (Fig. 13)."""

ErrorMeasure = Literal["square", "log"]
"""What of ``||F(y) - t||^2`` of an image is minimised: itself, or its logarithm, as PSNR has it."""

LamTimes = Literal["one", "residual"]
"""What lam is multiplied by: nothing, or the residual of the data (:class:`smug.models.lam.ResidualLam`)."""

FirstImage = Literal["adjoint", "ridge", "convex-ridge"]
"""Where the unrolling starts: at ``A^H y``, or at the image of a shipped ridge regulariser."""

Precision = Literal["fp32", "bf16"]
"""The arithmetic of the denoiser; Fourier transforms and solver stay in single precision."""


@dataclass(frozen=True)
class DataConfig:
    """The data: ``count`` phantoms, and all slices of the other sources; a source named twice counts twice.

    A source is the name of an image set, a file of images, or a folder that ``smug prepare`` has made, whose slices are
    used as they are: they have their own matrix, coils and noise, and only the masks are those of ``acquisition``.
    Each slice draws its own acquisition of a range. With a zoom z, images are also loaded at z times ``size`` and
    cropped at random about their middle, so that the network sees anatomy at several pixel sizes. Each batch has one of
    the ``matrices`` (y, x), by default ``size`` x ``size``; pixels are between the lowest and highest of ``pixels``
    times as large as those of the loaded images. After ``cycle`` updates the same batches come again (0: never); first
    images that are reconstructed are then made once.
    """

    sources: tuple[str, ...] = ("phantom",)
    size: int = 128
    zooms: tuple[int, ...] = (1,)
    count: int = 1000
    validation: int = 16
    acquisition: Acquisition | AcquisitionRange = Acquisition()
    matrices: tuple[tuple[int, int], ...] = ()
    pixels: tuple[float, float] = (1.0, 1.0)
    cycle: int = 0

    def __post_init__(self) -> None:
        """Check the values."""
        check_fields(self, "data.")
        if not self.sources or not self.zooms:
            raise ValueError(f"data: expected at least one source and zoom, got {self.sources} and {self.zooms}")
        for name in ("size", "count", "validation"):
            if getattr(self, name) < 1:
                raise ValueError(f"data.{name}: expected at least 1, got {getattr(self, name)}")
        if self.cycle < 0:
            raise ValueError(f"data.cycle: expected at least 0, got {self.cycle}")
        if min(self.zooms) < 1:
            raise ValueError(f"data.zooms: expected whole numbers of at least 1, got {self.zooms}")
        if any(min(matrix) < 1 for matrix in self.matrices):
            raise ValueError(f"data.matrices: expected sides of at least 1, got {self.matrices}")
        if not 0.25 <= self.pixels[0] <= self.pixels[1] <= 4:
            raise ValueError(
                f"data.pixels: expected the smallest and the largest pixel size, from 0.25 to 4, got {self.pixels}"
            )

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """The matrices ``(y, x)`` that batches of images have."""
        return self.matrices or ((self.size, self.size),)

    @property
    def range(self) -> TrainingRange:
        """What a network sees that is trained on these data, where all sources are images."""
        sides = {round(zoom * self.size / pixel) for zoom in self.zooms for pixel in self.pixels}
        return replace(
            masks_range(self.acquisition),
            sources=tuple(dict.fromkeys(Path(source).name for source in self.sources)),
            matrices=tuple(sorted(set(self.shapes))),
            coils=_whole(self.acquisition.values("coils")),
            noise=_seen(self.acquisition, "noise"),
            zoomed=tuple(sorted(sides)),
            phases=_seen(self.acquisition, "phase"),
            profile_widths=_seen(self.acquisition, "profile_width"),
            maps=_seen(self.acquisition, "maps"),
            backgrounds=_seen(self.acquisition, "background"),
        )


def masks_range(acquisition: Acquisition | AcquisitionRange) -> TrainingRange:
    """Return the training range as far as the masks make it: nothing else is known in it.

    Masks of points have no fraction of calibration lines: they have a square.
    """
    rates, masks = _seen(acquisition, "acceleration"), _seen(acquisition, "mask")
    return TrainingRange(
        sources=(),
        matrices=(),
        coils=(),
        accelerations=rates,
        acceleration_spans=((rates[0], rates[-1]),) if len(rates) > 1 else (),
        masks=masks,
        center_fractions=_seen(acquisition, "center_fraction") if set(masks) - {"poisson"} else (),
    )


def _seen(acquisition: Acquisition | AcquisitionRange, name: str) -> tuple[Any, ...]:
    """Return the kinds of a field of an acquisition, or its lowest and highest number."""
    return tuple(sorted(set(acquisition.values(name))))


def _whole(ends: tuple[int, ...]) -> tuple[int, ...]:
    """Return all whole numbers from the lowest to the highest."""
    return tuple(range(ends[0], ends[-1] + 1))


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
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"optimizer.{name}: expected a positive, finite number, got {getattr(self, name)}")
        if not 0 <= self.clip_norm < float("inf"):
            raise ValueError(f"optimizer.clip_norm: expected a number >= 0, got {self.clip_norm}")
        if self.schedule not in ("one-cycle", "linear-decay"):
            raise ValueError(f'optimizer.schedule: expected "one-cycle" or "linear-decay", got {self.schedule!r}')
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"optimizer.betas: expected two numbers from 0 to below 1, got {self.betas}")


@dataclass(frozen=True)
class PerturbationConfig:
    """How measurements are perturbed in training.

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
        if self.steps < 1 or not 0 < self.step_size < float("inf"):
            raise ValueError(
                f"perturbation: expected steps >= 1 and a finite step_size > 0, got {self.steps} and {self.step_size}"
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

    ``steps`` and ``lam`` are those of the unrolling; with ``learn_lam`` lam is where learning begins; where
    ``lam_times`` is "residual", lam is a factor of the rms residual of the data, anew in every step. With
    ``training_steps``, a lowest and a highest number, every update unrolls a random number of steps between them, and
    ``steps`` are those of validation and afterwards. The ``first`` image is ``A^H y``, or what a shipped ridge
    regulariser makes of the scan, which does not learn. A ridge regulariser has the weight ``lam`` where it
    reconstructs, with ``tau / 2 ||x||^2`` beside it.
    ``reconstruction_weight`` is lam_l of equations (8) and (12), and of "trades"; ``training_samples`` are drawn per
    step while training (0: no noise), ``smoothing.num_samples`` afterwards. With the logarithm as ``loss``, images
    count alike whether their error is large or small: UStab is taken in parts of the image's ``||F(y) - t||^2``, a
    constant there. What "denoise" and the methods of ridge regularisers train removes noise of all ``noise_levels``,
    from the lowest to the highest, in parts of the image.
    """

    method: Method = "modl"
    steps: int = 5
    training_steps: tuple[int, ...] = ()
    first: FirstImage = "adjoint"
    lam: float = 1.0
    learn_lam: bool = False
    lam_times: LamTimes = "one"
    tau: float = 0.0
    smoothing: Smoothing = Smoothing()
    training_samples: int = 10
    reconstruction_weight: float = 1.0
    loss: ErrorMeasure = "square"
    stability_target: StabilityTarget = "denoised-target"
    noise_levels: tuple[float, float] = (0.002, 0.1)
    perturbation: PerturbationConfig = PerturbationConfig()
    network: NetworkConfig = NetworkConfig()
    data: DataConfig = DataConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    compute: ComputeConfig = ComputeConfig()
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the values."""
        check_fields(self)
        literals = {
            "method": Method,
            "stability_target": StabilityTarget,
            "first": FirstImage,
            "loss": ErrorMeasure,
            "lam_times": LamTimes,
        }
        for name, known in ((name, get_args(literal)) for name, literal in literals.items()):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}: expected one of {', '.join(known)}, got {getattr(self, name)!r}")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed: expected 0 to {2**63 - 1}, got {self.seed}")
        for name in ("lam", "reconstruction_weight"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name}: expected a finite number >= 0, got {getattr(self, name)}")
        if self.steps < 1 or self.training_samples < 0:
            raise ValueError(
                f"expected steps >= 1 and training_samples >= 0, got {self.steps} and {self.training_samples}"
            )
        drawn, ridge = self.training_steps, self.method in RIDGE_METHODS
        if drawn and (ridge or len(drawn) != 2 or not 1 <= drawn[0] <= drawn[1]):
            raise ValueError(
                "training_steps: expected none, or a lowest number of at least 1 and a highest for methods that "
                f"unroll, got {list(drawn)} for {self.method!r}"
            )
        if not 0 <= self.tau < float("inf") or (self.tau and not ridge):
            raise ValueError(f"tau: expected a finite number >= 0, and 0 but for ridge regularisers, got {self.tau}")
        if ridge and not self.lam:
            raise ValueError(f"lam: expected a number > 0 for a ridge regulariser, got {self.lam}")
        if self.first != "adjoint" and (ridge or self.method == "rs-e2e"):
            raise ValueError(f'first: expected "adjoint" for {self.method!r}, got {self.first!r}')
        if self.lam_times != "one" and ridge:
            raise ValueError(f'lam_times: expected "one" for {self.method!r}, got {self.lam_times!r}')
        if self.loss != "square" and (ridge or self.method in DENOISING_METHODS):
            raise ValueError(
                f'loss: expected "square" for {self.method!r}, whose loss is of denoising, got {self.loss!r}'
            )
        if self.network.kind == "level-unet" and self.stability_target.endswith("iterate"):
            raise ValueError(
                f'stability_target: expected "denoised-target" or "target" for a network that is told a noise level, '
                f"got {self.stability_target!r}"
            )
        low, high = self.noise_levels
        if not 0 < low <= high < float("inf"):
            raise ValueError(f"noise_levels: expected two numbers > 0, the lower one first, got {self.noise_levels}")
        if ridge and self.network.kind not in ("ridge", "convex-ridge"):
            raise ValueError(
                f'network.kind: expected "ridge" or "convex-ridge" for {self.method!r}, got {self.network.kind!r}'
            )
        if self.optimizer.batch % self.compute.accumulate:
            raise ValueError(
                f"compute.accumulate: expected a divisor of optimizer.batch, got {self.compute.accumulate} "
                f"for a batch of {self.optimizer.batch}"
            )
