"""The balls of a threat: how large a perturbation is, where to move in the ball and how to stay inside it.

Everything is per slice: the leading axis of a perturbation is the batch, and no slice sees another.
"""

import math
from typing import Protocol

import torch
from torch import Tensor

from smug.models.noise import complex_normal, derive


class Norm(Protocol):
    """A norm of complex perturbations ``(batch, coil, y, x)``, with radii ``(batch,)``."""

    def size(self, delta: Tensor) -> Tensor:
        """Return the norm of each slice, real ``(batch,)``."""
        ...

    def project(self, delta: Tensor, radius: Tensor) -> Tensor:
        """Return the nearest point of the ball; points inside are returned unchanged."""
        ...

    def steepest(self, gradient: Tensor) -> Tensor:
        """Return the point of the unit ball that the gradient favours most; zero for a zero gradient."""
        ...

    def uniform(self, seeds: Tensor, support: Tensor, radius: Tensor) -> Tensor:
        """Draw uniformly from the ball restricted to ``support``, bool with the shape of k-space."""
        ...


class Linf:
    """The largest real or imaginary part: its ball is a box on the parts."""

    def size(self, delta: Tensor) -> Tensor:
        """Return the largest absolute part of each slice."""
        return parts(delta).abs().flatten(1).amax(1)

    def project(self, delta: Tensor, radius: Tensor) -> Tensor:
        """Clip real and imaginary parts to the radius."""
        bound = per_slice(radius, parts(delta))
        return torch.view_as_complex(parts(delta).clamp(-bound, bound))

    def steepest(self, gradient: Tensor) -> Tensor:
        """Return the signs of the parts (``sgn`` of a complex number is its phase: another thing)."""
        return torch.view_as_complex(parts(gradient).sign())

    def uniform(self, seeds: Tensor, support: Tensor, radius: Tensor) -> Tensor:
        """Return parts uniform in [-radius, radius], as the distribution function of normal draws."""
        normal = parts(_normal(seeds, support, radius))
        return torch.view_as_complex(per_slice(radius, normal) * torch.erf(normal / math.sqrt(2)))


class L2:
    """The Euclidean norm over all coils and entries of a slice."""

    def size(self, delta: Tensor) -> Tensor:
        """Return the Euclidean length of each slice, accumulated in double precision."""
        length: Tensor = torch.linalg.vector_norm(parts(delta).flatten(1), dim=1, dtype=torch.float64)
        return length

    def project(self, delta: Tensor, radius: Tensor) -> Tensor:
        """Shorten what is too long, to a few roundings less than the radius so that it is never exceeded."""
        length = self.size(delta)
        margin = 1 - 4 * torch.finfo(delta.dtype).eps
        scale = torch.where(length > radius, margin * radius / length, 1)
        return _scaled(delta, scale)

    def steepest(self, gradient: Tensor) -> Tensor:
        """Return the gradient divided by its length, safe from under- and overflow."""
        largest = Linf().size(gradient)
        gradient = torch.view_as_complex(parts(gradient) / per_slice(_or_one(largest), parts(gradient)))
        return _scaled(gradient, 1 / _or_one(self.size(gradient)))

    def uniform(self, seeds: Tensor, support: Tensor, radius: Tensor) -> Tensor:
        """Draw on the sphere of two more dimensions and drop these: what is left is uniform in the ball."""
        normal = _normal(derive(seeds, 0), support, radius)
        dropped = complex_normal(derive(seeds, 1), (1,), normal.dtype, normal.device)
        return _scaled(normal, radius / torch.hypot(self.size(normal), self.size(dropped)))


NORMS: dict[str, Norm] = {"linf": Linf(), "l2": L2()}


def parts(values: Tensor) -> Tensor:
    """Return real and imaginary parts along a new last axis; a real tensor has one part."""
    return torch.view_as_real(values.resolve_conj()) if values.is_complex() else values.unsqueeze(-1)


def per_slice(values: Tensor, like: Tensor) -> Tensor:
    """Reshape ``(batch,)`` to broadcast against ``like``."""
    return values.reshape(-1, *[1] * (like.ndim - 1))


def _scaled(values: Tensor, scale: Tensor) -> Tensor:
    real = parts(values)
    return torch.view_as_complex(real * per_slice(scale.to(real.dtype), real))


def _or_one(values: Tensor) -> Tensor:
    return torch.where(values > 0, values, 1)


def _normal(seeds: Tensor, support: Tensor, radius: Tensor) -> Tensor:
    dtype = torch.promote_types(radius.dtype, torch.complex32)
    normal = complex_normal(seeds, tuple(support.shape[1:]), dtype, support.device)
    return torch.where(support, normal, 0)
