"""Real and imaginary parts: what real and complex images and measurements have in common."""

import torch
from torch import Tensor


def parts(values: Tensor) -> Tensor:
    """Return real and imaginary parts along a new last axis; a real tensor has one part."""
    return torch.view_as_real(values.resolve_conj()) if values.is_complex() else values.unsqueeze(-1)


def joined(values: Tensor) -> Tensor:
    """Return the tensor that has these :func:`parts`: complex of two, real of one."""
    return torch.view_as_complex(values) if values.shape[-1] == 2 else values.squeeze(-1)


def squared(values: Tensor) -> Tensor:
    """Return ``|z|^2``, real."""
    return values.real.square() + values.imag.square() if values.is_complex() else values.square()


def image_norm(images: Tensor) -> Tensor:
    """Return the l2 norm of every image ``(..., y, x)``, real ``(...)``.

    It is that of the parts: torch computes that of complex numbers many times slower.
    """
    norm: Tensor = torch.linalg.vector_norm(parts(images), dim=(-3, -2, -1))
    return norm


def per_slice(values: Tensor, like: Tensor) -> Tensor:
    """Reshape ``(batch,)`` or ``(batch, 1, 1)`` to broadcast against ``like``, ``(batch, ...)``."""
    return values.reshape(-1, *[1] * (like.ndim - 1))


def of_precision(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Return a tensor in the precision of ``dtype``: what is real stays real, complex complex; others are unchanged."""
    if values.is_complex():
        return values.to(dtype.to_complex())
    return values.to(dtype.to_real()) if values.is_floating_point() else values
