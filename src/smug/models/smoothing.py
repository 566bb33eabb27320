"""Randomized smoothing, equations (4) and (10), as a function of functions.

SMUG is ``unroll(smooth(D))``, Weighted SMUG is ``unroll(smooth(D, weight=E))``, RS-E2E is ``smooth(unroll(D))``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from smug.models.noise import derive, normal
from smug.system.arguments import check_arguments, check_fields, check_integer, check_number

ImageMap = Callable[[Tensor], Tensor]
"""A map of images, real or complex, ``(..., batch, y, x)`` to images, or to one number per image ``(..., batch)``."""


@dataclass(frozen=True)
class Smoothing:
    """How to average over noise.

    ``sigma`` is the standard deviation per real and imaginary part, in units of the normalised image; the noise of real
    images is real. ``noise`` is
    "iid", or "antithetic": pairs +eta, -eta, for an even number of samples. ``num_samples = 0`` (or ``sigma = 0``)
    calls the function once, without noise. ``seed`` serves calls without a generator. ``chunk`` samples are
    evaluated at a time (None: all), which changes memory and speed, not the result. With ``shared_draws`` all steps of
    an unrolling have the same draws instead of fresh ones. Raises ValueError for values out of range.
    """

    sigma: float = 0.01
    num_samples: int = 10
    noise: Literal["iid", "antithetic"] = "iid"
    seed: int = 0
    chunk: int | None = None
    shared_draws: bool = False

    def __post_init__(self) -> None:
        """Check the values."""
        check_fields(self)
        check_number("sigma", self.sigma, 0)
        check_integer("num_samples", self.num_samples, 0)
        if self.noise == "antithetic" and self.num_samples % 2:
            raise ValueError(f"num_samples: antithetic noise comes in pairs, got {self.num_samples}")
        if self.chunk is not None:
            check_integer("chunk", self.chunk, 1)
        if not -(2**63) <= self.seed < 2**63:
            raise ValueError(f"seed: expected an integer of 64 bits, got {self.seed}")

    @property
    def calls(self) -> int:
        """How often the smoothed function is called."""
        return self.num_samples if self.sigma and self.num_samples else 1

    @property
    def added(self) -> float:
        """The standard deviation of the noise that is added, which is 0 without samples."""
        return self.sigma if self.num_samples else 0.0


@dataclass(frozen=True)
class Smoothed:
    """A smoothed value and the samples that made it.

    ``value`` is ``(..., y, x)``; ``samples`` are the function's values under noise, ``(sample, ..., y, x)``;
    ``weights`` are theirs in the average, ``(sample, ...)``, None where all count the same.
    """

    value: Tensor
    samples: Tensor
    weights: Tensor | None = None

    @property
    def spread(self) -> Tensor:
        """The standard deviation of the samples at every pixel, real ``(..., y, x)``."""
        return (self.samples - self.samples.mean(0)).abs().square().mean(0).sqrt()


def unsmoothed(function: ImageMap, x: Tensor) -> Smoothed:
    """Call ``function`` once, without noise: the smoothed value at sigma = 0."""
    value = function(x)
    return Smoothed(value, value[None])


@check_arguments
def smooth(
    function: ImageMap, x: Tensor, smoothing: Smoothing, seeds: Tensor, weight: ImageMap | None = None
) -> Smoothed:
    """Average ``function`` over noise around ``x``, equation (4), or with ``weight`` equation (10).

    ``x`` is real or complex ``(batch, y, x)``; ``seeds``, ``int64 (batch,)``, address the noise.
    """
    if smoothing.sigma == 0 or smoothing.num_samples == 0:
        return unsmoothed(function, x)
    samples, weights = [], []
    for eta in _noise(x, smoothing, seeds):
        noisy = x + eta
        samples.append(function(noisy))
        if weight is not None:
            weights.append(weight(noisy))
    return _average(torch.cat(samples), torch.cat(weights) if weights else None)


def _average(samples: Tensor, weights: Tensor | None) -> Smoothed:
    if weights is None:
        return Smoothed(samples.mean(0), samples)
    weights = weights / weights.sum(0)
    return Smoothed((weights[..., None, None] * samples).sum(0), samples, weights)


def _noise(x: Tensor, smoothing: Smoothing, seeds: Tensor) -> Iterator[Tensor]:
    """Yield the noise in chunks ``(chunk, batch, y, x)``."""
    draws = range(smoothing.num_samples)
    chunk = smoothing.chunk or smoothing.num_samples
    for start in draws[::chunk]:
        yield smoothing.sigma * torch.stack([_draw(x, smoothing.noise, seeds, k) for k in draws[start : start + chunk]])


def _draw(x: Tensor, noise: str, seeds: Tensor, k: int) -> Tensor:
    if noise == "iid":
        return normal(derive(seeds, k), x.shape[1:], x.dtype, x.device)
    sign = -1 if k % 2 else 1
    return sign * normal(derive(seeds, k // 2), x.shape[1:], x.dtype, x.device)
