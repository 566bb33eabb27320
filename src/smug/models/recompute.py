"""Activation checkpointing, as a function of functions: less memory, one more forward pass."""

from functools import partial

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from smug.models.smoothing import ImageMap


def recomputed(function: ImageMap) -> ImageMap:
    """Return ``function`` that keeps its input instead of its activations, and runs again for the gradient.

    Values and gradients are the same to the last bit; the state of autocast and of torch's random numbers is restored
    for the second run. Without gradients it is ``function`` itself. A denoiser is called once per unrolling step and
    chunk of samples, so ``f.replace(denoiser=recomputed(f.denoiser))`` trains with the activations of one chunk.
    """
    return partial(_call, function)  # not a closure: deepcopy copies the networks inside a partial


def _call(function: ImageMap, x: Tensor) -> Tensor:
    if not torch.is_grad_enabled():
        return function(x)
    result: Tensor = checkpoint(function, x, use_reentrant=False)
    return result
