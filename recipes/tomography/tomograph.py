"""A tomograph in parallel beam with few views and few photons, scans of CT phantoms, and filtered back-projection."""

import math
import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

import smug

VIEWS, SIZE = 30, 64
PHOTONS = 1e5
"""Photons that each detector element would count without an object."""

FIELD_OF_VIEW, WATER = 24.0, 0.2
"""The width of the image in cm, and how much 1 cm of water attenuates: a head in photons of about 70 keV."""

FIRST_SEED = {"train": 0, "val": 1_000_000, "test": 2_000_000}


class Tomograph(smug.LinearOperator):
    """Line integrals of images ``(batch, y, x)`` in so many directions, ``(batch, view, detector)``, scaled to norm 1.

    It is the operator of docs/operators.md as a sparse matrix: every pixel adds to the two detector elements that its
    ray falls between. The detector is as long as the image's diagonal, its elements as wide as a pixel, and the
    directions are evenly spread over half a turn, from that of summing over y. ``gain`` is what the sum over the pixels
    of a ray is multiplied by.
    """

    def __init__(self, views: int = VIEWS, size: int = SIZE) -> None:
        self.views, self.size, self.detectors = views, size, math.ceil(size * 2**0.5) + 1
        angle = (torch.arange(views, dtype=torch.float64) * math.pi / views)[:, None, None]
        place = torch.arange(size) - (size - 1) / 2
        ray = (angle.cos() * place - angle.sin() * place[:, None]).flatten(1) + (self.detectors - 1) / 2
        below, first = ray.floor(), self.detectors * torch.arange(views)[:, None]
        rows = torch.stack((first + below, first + below + 1)).flatten().long()
        pixels = torch.arange(size**2).repeat(2 * views)
        weights = torch.stack((below + 1 - ray, ray - below)).flatten().float()
        shape = (views * self.detectors, size**2)
        self.matrix = _sparse(torch.stack((rows, pixels)), weights, shape)
        self.transposed = _sparse(torch.stack((pixels, rows)), weights, shape[::-1])
        self.gain = 1.0
        self.gain = 1 / float(self.norm_bound(torch.zeros(1, size, size))) * 1.05  # a margin that is not wanted here

    def __call__(self, image: Tensor) -> Tensor:
        """Measure images."""
        return self.gain * _product(self.matrix, self.transposed, image).unflatten(1, (self.views, -1))

    def H(self, y: Tensor) -> Tensor:
        """Apply the adjoint: smear the measurements back along their rays."""
        return self.gain * _product(self.transposed, self.matrix, y).unflatten(1, (self.size, -1))

    @property
    def attenuation(self) -> float:
        """By what to multiply measurements of images in parts of water, for the exponent of the photons' law."""
        return WATER * FIELD_OF_VIEW / self.size / self.gain


class _Product(torch.autograd.Function):
    """A sparse matrix times vectors, whose gradient is the product with the transposed one that is at hand."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, transposed: Tensor, columns: Tensor) -> Tensor:
        ctx.save_for_backward(matrix, transposed)
        return matrix @ columns

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None, Tensor]:
        matrix, transposed = ctx.saved_tensors
        return None, None, _Product.apply(transposed, matrix, gradients[0])  # type: ignore[no-untyped-call]


def _product(matrix: Tensor, transposed: Tensor, values: Tensor) -> Tensor:
    columns: Tensor = _Product.apply(matrix, transposed, values.flatten(1).mT)  # type: ignore[no-untyped-call]
    return columns.mT


def _sparse(places: Tensor, weights: Tensor, shape: tuple[int, ...]) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch says that it may change sparse matrices yet
        return torch.sparse_coo_tensor(places, weights, shape, check_invariants=True).to_sparse_csr()


def counted(A: Tomograph, images: Tensor, photons: float, seed: int) -> Tensor:
    """Return measurements as so many photons show them: minus the logarithm of the share that was counted.

    ``images`` are in parts of water. A ray that no photon survives counts as one photon.
    """
    draw = torch.Generator().manual_seed(seed)
    seen = torch.poisson(photons * torch.exp(-A.attenuation * A(images)), generator=draw).clamp_min(1)
    return -torch.log(seen / photons) / A.attenuation


def phantoms(split: str, count: int, size: int = SIZE) -> Tensor:
    """Return CT phantoms of a split, real ``(batch, y, x)``."""
    return torch.stack([smug.ct_phantom(FIRST_SEED[split] + i, size) for i in range(count)])


@cache
def tomograph(views: int, size: int) -> Tomograph:
    """Return a tomograph, made once."""
    return Tomograph(views, size)


def scan(images: Tensor, views: int = VIEWS, photons: float = PHOTONS, seed: int = 0) -> smug.Scan:
    """Return the scan of CT images, in parts of water."""
    A = tomograph(views, images.shape[-1])
    return smug.Scan(counted(A, images, photons, seed), A, images, tuple(f"phantom {i}" for i in range(len(images))))


@dataclass(frozen=True)
class FilteredBackProjection:
    """The image by the inverse Radon transform of all views, with a Hann window that is zero from ``cutoff`` on.

    ``cutoff`` is in parts of the detector's highest frequency; the larger it is, the sharper the image and its noise.
    """

    cutoff: float = 1.0

    def __call__(self, y: Tensor, A: Tomograph, generator: object = None) -> Tensor:
        """Reconstruct; nothing is random."""
        length = 2 ** math.ceil(math.log2(2 * y.shape[-1]))
        n = torch.fft.fftfreq(length, 1 / length)
        ramp = torch.where(n % 2 == 1, -1 / (math.pi * n) ** 2, 0)  # as samples, so that the mean is right
        ramp[0] = 0.25
        frequency = 2 * torch.fft.rfftfreq(length) / self.cutoff
        window = torch.where(frequency < 1, 0.5 + 0.5 * torch.cos(math.pi * frequency), 0)
        filtered = torch.fft.irfft(torch.fft.rfft(y, length) * torch.fft.rfft(ramp).real * window, length)
        return math.pi / A.views / A.gain**2 * A.H(filtered[..., : y.shape[-1]])
