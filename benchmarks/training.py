"""How fast SMUG is trained: as one would write it, and as it is trained here."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from statistics import median
from typing import Literal

import torch
from torch import Tensor, nn

from benchmarks.denoiser import TextbookDenoiser, random_network
from benchmarks.operations import TRAINING, best_rate, forward_flops, time_in_turns
from benchmarks.textbook import Noise, textbook_steps
from smug import losses
from smug.data.phantom import head_phantom
from smug.data.scan import Scan
from smug.data.simulate import Acquisition, simulate
from smug.models.compute import in_precision, recomputed
from smug.models.reconstructors import SMUG
from smug.models.smoothing import ImageMap, Smoothing
from smug.physics.sense import cartesian
from smug.training.network_memory import network_memory

SIGMA = 0.01
"""The smoothing noise, per real and imaginary part."""


@dataclass(frozen=True)
class TrainingTiming:
    """One way to take a training step of SMUG, equation (8), and the time of a step.

    ``speedup`` is the median time of the textbook over that of this row, None where there is no textbook; rows whose
    ``samples`` are fewer than the textbook's do less work. ``useful_gflop`` are the operations of the denoiser, 10^9
    FLOPs, three times those of all its forward passes; ``recompute_factor`` is how many more are executed to save
    memory. The rate is that of the useful ones alone. ``share_of_best`` compares it with the best one over the
    network's own layers in the same precision, :func:`benchmarks.operations.best_rate`.
    """

    name: str
    samples: int
    seconds_min: float
    seconds_median: float
    seconds_max: float
    speedup: float | None
    useful_gflop: float
    recompute_factor: float
    gflops_per_second: float
    share_of_best: float


@dataclass(frozen=True)
class _Way:
    """How to compute, and how many samples per step; ``textbook`` knows only one way."""

    samples: int
    dtype: torch.dtype = torch.float32
    recompute: bool = False
    textbook: bool = False

    @property
    def name(self) -> str:
        """What the row is called."""
        parts = ("textbook" if self.textbook else "smug", str(self.dtype).removeprefix("torch."))
        samples = f"{self.samples} sample{'s' * (self.samples > 1)}"
        return ", ".join((*parts, *["recomputed"] * self.recompute, samples))


STORED = 2**33
"""Activations of so many bytes are kept without being asked for."""


def time_training(
    size: int = 128,
    coils: int = 4,
    *,
    network: Literal["didn", "unet"] = "didn",
    channels: int = 64,
    depth: int = 3,
    steps: int = 5,
    samples: int = 2,
    fewer: int | None = None,
    batch: int = 2,
    repeats: int = 3,
    stored: bool | None = None,
    device: torch.device | str = "cpu",
) -> list[TrainingTiming]:
    """Time training steps, from the scan to Adam's update, in each precision and with recomputation; they take turns.

    ``fewer`` adds rows with so many samples. Recomputation is one sample at a time; ``stored = False`` leaves out
    what keeps all activations, the textbook too; by default so where they take more than 8 GiB: those of the paper's
    size (320, 12 coils, 8 steps, 10 samples, batch 2) take 72 GB. Threads are those of the environment. Raises
    ValueError for a size that is no multiple of 8, or counts below 1.
    """
    if size < 8 or size % 8 or min(coils, channels, depth, steps, samples, batch, 1 if fewer is None else fewer) < 1:
        raise ValueError(f"training: expected a size in multiples of 8 and counts >= 1, got size {size}")
    device = torch.device(device)
    denoiser = random_network(network, channels, depth).to(device)
    scan = _scan(size, coils, batch).to(device)
    if stored is None:
        stored = batch * (steps * samples + 1) * network_memory(denoiser, (1, size, size))[0] <= STORED
    ways = {way.name: way for way in _ways(samples, fewer, stored)}
    calls = {name: _training_step(denoiser, scan, way, steps) for name, way in ways.items()}
    seconds = time_in_turns(calls, repeats, device)
    first = next((median(seconds[name]) for name, way in ways.items() if way.textbook), None)

    @cache
    def best(images: int, dtype: torch.dtype) -> float:
        return best_rate(denoiser, (images, size, size), dtype)

    rows = []
    for name, way in ways.items():
        middle = median(seconds[name])
        images = batch * (steps * way.samples + 1)  # and one pass for D(t)
        useful = TRAINING * forward_flops(denoiser, (1, size, size)) * images
        rows.append(
            TrainingTiming(
                name,
                way.samples,
                min(seconds[name]),
                middle,
                max(seconds[name]),
                None if first is None else first / middle,
                useful / 1e9,
                (TRAINING + way.recompute) / TRAINING,
                useful / middle / 1e9,
                useful / middle / best(batch if way.recompute else batch * way.samples, way.dtype),
            )
        )
    return rows


def _ways(samples: int, fewer: int | None, stored: bool) -> list[_Way]:
    ways = []
    for count in [samples] if fewer is None else [samples, fewer]:
        for recompute in (False, True) if stored else (True,):
            ways += [_Way(count, dtype, recompute) for dtype in (torch.float32, torch.bfloat16)]
    return [_Way(samples, textbook=True), *ways] if stored else ways


def _training_step(denoiser: nn.Module, scan: Scan, way: _Way, steps: int) -> Callable[[], None]:
    """Return one update of a copy of the denoiser: loss, gradient, clipping, Adam."""
    D: nn.Module = TextbookDenoiser(denoiser) if way.textbook else deepcopy(denoiser)
    loss = _textbook_loss(D, scan, way, steps) if way.textbook else _our_loss(D, scan, way, steps)
    optimizer = torch.optim.Adam(D.parameters(), lr=1e-6)  # hardly a change, so that all steps are alike

    def step() -> None:
        optimizer.zero_grad()
        torch.autograd.backward(loss())
        nn.utils.clip_grad_norm_(D.parameters(), 1.0)
        optimizer.step()

    return step


def _our_loss(D: nn.Module, scan: Scan, way: _Way, steps: int) -> Callable[[], Tensor]:
    D.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    denoiser = in_precision(D, way.dtype)
    smoothing = Smoothing(SIGMA, way.samples, chunk=1 if way.recompute else None)
    f = SMUG(recomputed(denoiser) if way.recompute else denoiser, smoothing, steps)
    return lambda: losses.smug(f, scan, torch.arange(len(scan.id)))


def _textbook_loss(D: nn.Module, scan: Scan, way: _Way, steps: int) -> Callable[[], Tensor]:
    generator = torch.Generator(scan.y.device).manual_seed(0)

    def noise(step: int, sample: int) -> Tensor:
        parts = torch.randn(*scan.truth.shape, 2, generator=generator, device=scan.y.device)
        return SIGMA * torch.view_as_complex(parts)

    return lambda: textbook_loss(D, scan, noise, steps, way.samples)


def textbook_loss(denoiser: ImageMap, scan: Scan, noise: Noise, steps: int, samples: int) -> Tensor:
    """Equation (8) term by term: :func:`smug.losses.smug` with the same noise."""

    def mean_square(x: Tensor) -> Tensor:
        return torch.view_as_real(x).square().mean()

    goal = denoiser(scan.truth)
    loss = torch.zeros((), device=scan.y.device)
    A = cartesian(scan.A, "training")
    for step in textbook_steps(denoiser, scan.y, A.maps, A.mask, noise, steps=steps, samples=samples):
        for sample in step[0]:
            loss = loss + mean_square(sample - goal) / samples
    return loss + mean_square(step[1] - scan.truth)


def _scan(size: int, coils: int, batch: int) -> Scan:
    images = torch.stack([head_phantom(seed, size) for seed in range(batch)])
    return simulate(images, Acquisition(coils=coils), range(batch), [str(seed) for seed in range(batch)]).normalised()
