"""Denoisers that are told how noisy their image is."""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor

from smug.models.smoothing import ImageMap
from smug.physics.operator import LinearOperator
from smug.physics.residual import residual_rms

DenoiserOfImage = Callable[[Tensor, int], ImageMap]
"""The denoiser as a function of the image that it is about to denoise, and of the step."""

ALIASING, FALL = 0.05, 0.6
"""What the zero-filled image has of aliasing, about, in parts of its maximum, and what a step leaves of it."""

RECONSTRUCTED = 0.005
"""What an image has left of aliasing, about, that somebody reconstructed."""


def takes_level(denoiser: Any) -> bool:
    """Whether a denoiser is called as ``D(x, level)``, with real ``(batch,)``: its class says ``takes_level = True``.

    Where it is recomputed, compiled or in another precision, the network inside counts.
    """
    while isinstance(denoiser, partial):
        denoiser = denoiser.args[0]
    return bool(getattr(getattr(denoiser, "_orig_mod", denoiser), "takes_level", False))


def denoiser_of_image(
    denoiser: ImageMap, y: Tensor, A: LinearOperator, sigma: float = 0.0, aliasing: float = ALIASING
) -> DenoiserOfImage:
    """Return the denoiser of images ``(..., batch, y, x)`` as a function of the image.

    One that takes a level is told, at step n, the root of the sum of the squares of the residual of the data at the
    image, which comes near the noise of the measurements; of the ``sigma`` of the noise that smoothing adds; and of
    ``aliasing * FALL^n``, as the residual does not see the aliasing that is left.
    """
    if not takes_level(denoiser):
        same = batched(denoiser)
        return lambda x, n: same

    def at(x: Tensor, n: int) -> ImageMap:
        level = (residual_rms(x, y, A).square() + sigma**2 + (aliasing * FALL**n) ** 2).sqrt()
        return batched(denoiser, level)

    return at


def batched(denoiser: Callable[..., Tensor], level: Tensor | None = None) -> ImageMap:
    """Let a denoiser of images ``(batch, y, x)`` take any leading axes; ``level`` is that of each image, or None."""

    def call(x: Tensor) -> Tensor:
        told = () if level is None else (level.expand(x.shape[:-2]).flatten(),)
        result = denoiser(x.flatten(0, -3).clone(), *told)  # it may work in place
        return result.reshape(*x.shape[:-2], *result.shape[1:])

    return call


def denoised(denoiser: Callable[..., Tensor], x: Tensor, level: Tensor) -> Tensor:
    """Denoise images ``(batch, y, x)`` with noise of a known level, real ``(batch,)``, told to who takes it."""
    return denoiser(x, level) if takes_level(denoiser) else denoiser(x)
