"""The balls of a threat: how large a perturbation is, where to move in the ball and how to stay inside it.

Everything is per slice: the leading axis of a perturbation is the batch, and no slice sees another.
"""

import math
from typing import Protocol

import torch
from torch import Tensor

from smug.models.noise import complex_normal, derive, normal
from smug.physics.parts import joined as joined
from smug.physics.parts import parts as parts
from smug.physics.parts import per_slice as per_slice


class Norm(Protocol):
    """A norm of perturbations, real or complex ``(batch, ...)``, with radii ``(batch,)``."""

    def size(self, delta: Tensor) -> Tensor:
        """Return the norm of each slice, real ``(batch,)``."""
        ...

    def project(self, delta: Tensor, radius: Tensor) -> Tensor:
        """Return the nearest point of the ball; points inside are returned unchanged."""
        ...

    def steepest(self, gradient: Tensor) -> Tensor:
        """Return the point of the unit ball that the gradient favours most; zero for a zero gradient."""
        ...

    def uniform(self, seeds: Tensor, support: Tensor, radius: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Draw uniformly from the ball restricted to ``support``, bool with the shape of the measurements.

        ``dtype`` is theirs, by default complex in the precision of the radius.
        """
        ...


class Linf:
    """The largest real or imaginary part: its ball is a box on the parts."""

    def size(self, delta: Tensor) -> Tensor:
        """Return the largest absolute part of each slice."""
        return parts(delta).abs().flatten(1).amax(1)

    def project(self, delta: Tensor, radius: Tensor) -> Tensor:
        """Clip real and imaginary parts to the radius."""
        bound = per_slice(radius, parts(delta))
        return joined(parts(delta).clamp(-bound, bound))

    def steepest(self, gradient: Tensor) -> Tensor:
        """Return the signs of the parts (``sgn`` of a complex number is its phase: another thing)."""
        return joined(parts(gradient).sign())

    def uniform(self, seeds: Tensor, support: Tensor, radius: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Return parts uniform in [-radius, radius], as the distribution function of normal draws."""
        drawn = parts(_normal(seeds, support, radius, dtype))
        return joined(per_slice(radius, drawn) * torch.erf(drawn / math.sqrt(2)))


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
        gradient = joined(parts(gradient) / per_slice(_or_one(largest), parts(gradient)))
        return _scaled(gradient, 1 / _or_one(self.size(gradient)))

    def uniform(self, seeds: Tensor, support: Tensor, radius: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Draw on the sphere of two more dimensions and drop these: what is left is uniform in the ball."""
        drawn = _normal(derive(seeds, 0), support, radius, dtype)
        dropped = complex_normal(derive(seeds, 1), (1,), drawn.dtype.to_complex(), drawn.device)
        return _scaled(drawn, radius / torch.hypot(self.size(drawn), self.size(dropped)))


NORMS: dict[str, Norm] = {"linf": Linf(), "l2": L2()}


def _scaled(values: Tensor, scale: Tensor) -> Tensor:
    real = parts(values)
    return joined(real * per_slice(scale.to(real.dtype), real))


def _or_one(values: Tensor) -> Tensor:
    return torch.where(values > 0, values, 1)


def _normal(seeds: Tensor, support: Tensor, radius: Tensor, dtype: torch.dtype | None) -> Tensor:
    drawn = normal(seeds, tuple(support.shape[1:]), dtype or radius.dtype.to_complex(), support.device)
    return torch.where(support, drawn, 0)
