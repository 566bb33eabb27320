"""How networks are computed: with less memory, or in another precision. Each is a function of functions."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from smug.models.smoothing import ImageMap
from smug.system.arguments import check_arguments


@check_arguments
def recomputed(function: ImageMap) -> ImageMap:
    """Return ``function`` that keeps its input instead of its activations, and runs again for the gradient.

    Values and gradients are the same to the last bit; the state of autocast and of torch's random numbers is restored
    for the second run. Without gradients it is ``function`` itself. A denoiser is called once per unrolling step and
    chunk of samples, so ``f.replace(denoiser=recomputed(f.denoiser))`` trains with the activations of one chunk.
    """
    return partial(_call, function)  # not a closure: deepcopy copies the networks inside a partial


def _call(function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    if not torch.is_grad_enabled():
        return function(*inputs)
    result: Tensor = checkpoint(function, *inputs, use_reentrant=False)
    return result


def in_precision(function: ImageMap, dtype: torch.dtype) -> ImageMap:
    """Return a denoiser or encoder whose network computes in ``torch.float32`` or under autocast in ``torch.bfloat16``.

    Images in and out, weights and their gradients keep their dtypes, and so does a network in double precision. A
    denoiser that adds a correction to its input, as those here do, rounds only the correction. ``torch.float32``
    returns the function itself. Raises ValueError for other dtypes.

    >>> from smug.models.didn import DIDN
    >>> denoiser = in_precision(DIDN(channels=8, blocks=1), torch.bfloat16)
    >>> denoiser(torch.randn(1, 8, 8, dtype=torch.complex64)).dtype
    torch.complex64
    """
    if dtype not in (torch.float32, torch.bfloat16):
        raise ValueError(f"precision: expected torch.float32 or torch.bfloat16, got {dtype}")
    if dtype == torch.float32:
        return function
    return partial(_autocast, function)  # not a closure: deepcopy copies the networks inside a partial


def _autocast(function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    with torch.autocast(inputs[0].device.type, torch.bfloat16):
        return function(*inputs)


def bfloat16_is_slow(device: torch.device | str) -> bool:
    """Whether a processor has no instructions for bfloat16: then networks take several times as long as in float32."""
    supported = torch.ops.mkldnn._is_mkldnn_bf16_supported
    return torch.device(device).type == "cpu" and not bool(supported())


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Allow or forbid TF32 (products of 10-bit mantissas, summed in float32) for convolutions on CUDA, and restore.

    It is torch's setting for the whole process, and on by default. Matrix products have a setting of their own,
    ``torch.backends.cuda.matmul.allow_tf32``, off by default: leave it so, because the solver multiplies matrices.
    On other devices nothing changes.
    """
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
