"""A tiny problem and tiny networks, whose results can be recomputed by hand."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from smug.models.adapters import as_complex
from smug.models.reconstructors import RSE2E, SMUG, MoDL, NetworkReconstructor, WeightedSMUG
from smug.models.smoothing import Smoothing
from smug.models.weight_encoder import WeightEncoder
from smug.physics.sense import Sense

from ..scans import tiny_scan

COILS, HEIGHT, WIDTH = 3, 7, 10
SMOOTHING = Smoothing(sigma=0.3, num_samples=4)
METHODS = ("modl", "rs-e2e", "smug", "weighted-smug")
SMOOTHED = METHODS[1:]


@dataclass(frozen=True)
class Problem:
    """Measurements of images that are no fixed point of anything, with another unsymmetric mask per slice."""

    y: Tensor
    A: Sense
    target: Tensor
    seeds: Tensor

    def __getitem__(self, index: int) -> "Problem":
        row = slice(index, index + 1)
        return Problem(self.y[row], self.A[index], self.target[row], self.seeds[row])


def make_problem(
    device: torch.device,
    dtype: torch.dtype = torch.complex128,
    batch: int = 2,
    coils: int = COILS,
    height: int = HEIGHT,
    width: int = WIDTH,
) -> Problem:
    scan = tiny_scan(batch, coils, height, width, noise=0, dtype=dtype, device=device)
    return Problem(scan.y, scan.A, scan.target, torch.arange(batch) + 7)


class Toy(nn.Module):
    """Two convolutions around a tanh, with biases: nothing about it is linear or homogeneous."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 2, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return 0.7 * x + self.inner(x)


def seeded(build: Callable[[], nn.Module], device: torch.device, dtype: torch.dtype = torch.complex128) -> nn.Module:
    """Build a network with random weights, and leave the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return build().to(device, torch.empty((), dtype=dtype).real.dtype)


def far_from_start(build: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """Build a network and add normal noise to its weights, as if it had been trained."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        network = build()
        for parameter in network.parameters():
            parameter += torch.randn_like(parameter)
    return network


def toy_denoiser(device: torch.device, dtype: torch.dtype = torch.complex128) -> nn.Module:
    return seeded(lambda: as_complex(Toy()), device, dtype)


def toy_encoder(device: torch.device, dtype: torch.dtype = torch.complex128) -> nn.Module:
    return seeded(lambda: WeightEncoder(channels=4), device, dtype)


def make(
    method: str,
    device: torch.device,
    dtype: torch.dtype = torch.complex128,
    smoothing: Smoothing = SMOOTHING,
    steps: int = 3,
    lam: float | Tensor = 0.8,
) -> NetworkReconstructor:
    """Build one of the reconstructors on the same denoiser."""
    D, E = toy_denoiser(device, dtype), toy_encoder(device, dtype)
    match method:
        case "modl":
            return MoDL(D, steps, lam)
        case "rs-e2e":
            return RSE2E(D, smoothing, steps, lam)
        case "smug":
            return SMUG(D, smoothing, steps, lam)
        case "weighted-smug":
            return WeightedSMUG(D, E, smoothing, steps, lam)
    raise ValueError(method)


class Counting:
    """A map that counts its calls and the images that went through."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self.function, self.calls, self.images = function, 0, 0

    def __call__(self, x: Tensor) -> Tensor:
        self.calls, self.images = self.calls + 1, self.images + x.shape[0]
        return self.function(x)


@pytest.fixture
def problem(device: torch.device) -> Problem:
    """The tiny problem in double precision."""
    return make_problem(device)


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest) -> str:
    """Each reconstructor's name."""
    name: str = request.param
    return name
