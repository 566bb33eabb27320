"""What can be attacked, scored and used: any callable from measurements to images."""

import inspect
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

Reconstructor = Callable[..., Tensor]
"""``f(y, A, generator=None) -> image``: k-space ``(batch, coil, y, x)`` and a Sense to complex ``(batch, y, x)``.

``generator`` seeds its own randomness, one seed per image; a deterministic one ignores it. An image without phase, a
magnitude, is real ``(batch, y, x)``: it is compared with magnitudes, see :func:`comparable`.
"""

F = TypeVar("F")


def taking_generator(f: Reconstructor) -> Reconstructor:
    """Return ``f``, or for a function of ``(y, A)`` alone one that takes a generator and ignores it."""
    names = inspect.signature(f).parameters.values()
    if any(p.name == "generator" or p.kind is p.VAR_KEYWORD for p in names):
        return f
    return lambda y, A, generator=None: f(y, A)


def comparable(reference: Tensor, x: Tensor) -> Tensor:
    """Return a reference image in the kind of the reconstruction x: its magnitude where x is a real magnitude."""
    return reference.abs() if reference.is_complex() and not x.is_complex() else reference


def moved(f: F, device: torch.device | str) -> F:
    """Return a reconstructor with its networks on a device; one without networks as it is."""
    result: F = f.to(device) if hasattr(f, "to") else f
    return result
