"""How fast SMUG reconstructs: as one would write it, and as it is here, with the Monte-Carlo error of each way."""

import math
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache, partial
from statistics import median
from typing import Literal

import torch
from torch import Tensor, nn

from benchmarks.denoiser import TextbookDenoiser, random_network
from benchmarks.operations import best_rate, forward_flops, time_in_turns
from benchmarks.textbook import textbook_smug
from smug.data.phantom import head_phantom
from smug.data.scan import Scan
from smug.data.simulate import Acquisition, simulate
from smug.models.compute import in_precision
from smug.models.reconstructors import SMUG
from smug.models.smoothing import ImageMap, Smoothing
from smug.physics.sense import cartesian
from smug.training.runs import load_weights
from smug.training.weights_file import shipped

ERROR_SEEDS = 4
"""Over how many seeds the Monte-Carlo error is averaged."""


@dataclass(frozen=True)
class InferenceTiming:
    """One way to reconstruct a slice by SMUG.

    ``speedup`` is the median time of the textbook over that of this row. ``denoiser_calls`` are those of one image;
    ``gflop`` are their useful operations, and ``share_of_best`` compares their rate over the whole time with
    :func:`benchmarks.operations.best_rate` in the same precision. ``error`` is the relative l2 distance to the
    reconstruction with very many samples, in float32, of the shipped network ``smug`` on a phantom of
    ``error_size``: Monte-Carlo error, and where there are no samples that of having none, and rounding.
    """

    name: str
    samples: int
    seconds_min: float
    seconds_median: float
    seconds_max: float
    speedup: float
    denoiser_calls: int
    gflop: float
    share_of_best: float
    error: float
    error_size: int


@dataclass(frozen=True)
class _Way:
    """How to compute, and which noise; the textbook has torch's default layout and its own operators."""

    samples: int
    noise: Literal["iid", "antithetic"] = "iid"
    dtype: torch.dtype = torch.float32
    textbook: bool = False
    compiled: bool = False

    @property
    def name(self) -> str:
        draws = f"{self.samples} {self.noise}" if self.samples else "no samples"
        dtype = str(self.dtype).removeprefix("torch.")
        return ", ".join(("textbook" if self.textbook else "smug", draws, dtype, *["compiled"] * self.compiled))


@dataclass(frozen=True)
class _Setting:
    """What is reconstructed, and by which network; ``fast`` is the network in the layout that is used here."""

    scan: Scan
    network: nn.Module
    fast: nn.Module
    steps: int
    sigma: float


@torch.no_grad()
def time_inference(
    coils: int = 12,
    size: int = 320,
    *,
    channels: int = 64,
    blocks: int = 3,
    steps: int = 8,
    samples: int = 10,
    repeats: int = 3,
    compiled: bool = False,
    error_size: int = 96,
    error_samples: int = 128,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> list[InferenceTiming]:
    """Time SMUG with a DIDN on one slice: ``samples`` iid ones, two antithetic ones, and none; the ways take turns.

    The textbook is :func:`benchmarks.textbook.textbook_smug`. ``compiled`` adds torch.compile, whose error is that of
    the same way without it. Errors are against ``error_samples`` antithetic samples. Threads are those of the
    environment. Raises ValueError for sizes that are no multiple of 8, and counts below 1.
    """
    if min(size, error_size) < 8 or size % 8 or error_size % 8:
        raise ValueError(f"inference: expected sizes in multiples of 8, got {size} and {error_size}")
    if min(coils, channels, blocks, steps, samples, error_samples) < 1:
        raise ValueError("inference: expected coils, channels, blocks, steps and samples >= 1")
    device = torch.device(device)
    timed = _setting(random_network("didn", channels, blocks), size, Acquisition(coils=coils), steps, seed, device)
    ways = _ways(samples, compiled)
    calls = {way.name: partial(_reconstruction(timed, way), seed) for way in ways}
    seconds = time_in_turns(calls, repeats, device)
    errors = monte_carlo_errors([way for way in ways if not way.compiled], error_size, error_samples, seed, device)

    @cache
    def best(dtype: torch.dtype) -> float:
        return best_rate(timed.network, (1, size, size), dtype, repeats=repeats)

    rows = []
    for way in ways:
        middle, calls_made = median(seconds[way.name]), steps * max(1, way.samples)
        flop = calls_made * forward_flops(timed.network, (1, size, size))
        rows.append(
            InferenceTiming(
                way.name,
                way.samples,
                min(seconds[way.name]),
                middle,
                max(seconds[way.name]),
                median(seconds[ways[0].name]) / middle,
                calls_made,
                flop / 1e9,
                flop / middle / best(way.dtype),
                errors[replace(way, compiled=False).name],
                error_size,
            )
        )
    return rows


def _ways(samples: int, compiled: bool) -> list[_Way]:
    pair, bfloat16 = _Way(2, "antithetic"), torch.bfloat16
    fast = [pair, replace(pair, dtype=bfloat16)]
    ways = [_Way(samples, textbook=True), _Way(samples), *fast, _Way(0), _Way(0, dtype=bfloat16)]
    return [*ways, *(replace(way, compiled=True) for way in fast)] if compiled else ways


def monte_carlo_errors(ways: list[_Way], size: int, samples: int, seed: int, device: torch.device) -> dict[str, float]:
    """Return the error of every way by its name: see :class:`InferenceTiming`."""
    model = load_weights(shipped("smug"))
    f, config = model.reconstructor, model.config
    acquisition = config.data.acquisition.draw(seed)
    setting = _setting(f.networks()["denoiser"], size, acquisition, config.steps, seed, device, config.smoothing.sigma)
    reference = _reconstruction(setting, _Way(2 * math.ceil(samples / 2), "antithetic"))(seed)

    def error(way: _Way) -> float:
        reconstruct = _reconstruction(setting, way)
        images = torch.stack([reconstruct(seed + 1 + i) for i in range(ERROR_SEEDS)])
        distances = torch.linalg.vector_norm(images - reference, dim=(-2, -1))
        return float(distances.mean() / torch.linalg.vector_norm(reference))

    return {way.name: error(way) for way in ways}


def _setting(
    network: nn.Module,
    size: int,
    acquisition: Acquisition,
    steps: int,
    seed: int,
    device: torch.device,
    sigma: float = 0.01,
) -> _Setting:
    scan = simulate(head_phantom(seed, size)[None], acquisition, [seed], ["phantom"]).to(device).normalised()
    network = network.to(device)
    fast = deepcopy(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return _Setting(scan, network, fast, steps, sigma)


def _reconstruction(setting: _Setting, way: _Way) -> Callable[[int], Tensor]:
    """Return the function from a seed to the reconstruction."""
    return _textbook(setting, way.samples) if way.textbook else _ours(setting, way)


def _textbook(setting: _Setting, samples: int) -> Callable[[int], Tensor]:
    denoiser, scan = TextbookDenoiser(setting.network), setting.scan

    def reconstruct(seed: int) -> Tensor:
        generator = torch.Generator(scan.y.device).manual_seed(seed)
        size = scan.truth.shape

        def noise(step: int, sample: int) -> Tensor:
            white = torch.randn(*size, 2, device=scan.y.device, generator=generator)
            return setting.sigma * torch.view_as_complex(white)

        A, steps = cartesian(scan.A, "inference"), setting.steps
        return textbook_smug(denoiser, scan.y, A.maps, A.mask, noise, steps=steps, samples=samples)

    return reconstruct


def _ours(setting: _Setting, way: _Way) -> Callable[[int], Tensor]:
    network: ImageMap = torch.compile(setting.fast) if way.compiled else setting.fast
    smoothing = Smoothing(setting.sigma, way.samples, way.noise, chunk=2)
    f = SMUG(in_precision(network, way.dtype), smoothing, setting.steps)
    return lambda seed: f(setting.scan.y, setting.scan.A, torch.tensor([seed], device=setting.scan.y.device))
