"""Threat models: what size a perturbation of the measured k-space may have, and in which unit."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from smug.norm import NORMS, parts
from smug.physics.sense import Sense
from smug.system.arguments import check_arguments, check_fields, check_number

UNITS = ("image-max", "kspace-max", "kspace-l2", "noise")
ENTRYWISE_UNITS = ("image-max", "kspace-max")


@dataclass(frozen=True)
class Threat:
    """Perturbations of the sampled k-space entries, of all coils, up to ``value`` in a norm and a unit.

    ``norm`` is ``"linf"``, the largest real or imaginary part, or ``"l2"``, the Euclidean norm over all coils
    of a slice. ``unit`` says what ``value`` multiplies to give the absolute bound eps of a slice with p
    sampled entries (counted over coils), always taken from the clean, sampled k-space y:

    ==============  ======================  =================
    unit            eps of linf             eps of l2
    ==============  ======================  =================
    ``image-max``   max abs(target)         refused
    ``kspace-max``  largest part of y       refused
    ``kspace-l2``   norm(y) / sqrt(2 p)     norm(y)
    ``noise``       ``noise_sigma``         noise_sigma sqrt(2 p)
    ==============  ======================  =================

    So the corner of the linf box has the l2 norm of the same value and unit. The first two units measure
    single entries and say nothing about a Euclidean length. ``noise_sigma`` is the noise of y per real and
    imaginary part.

    Raises ValueError for a value that is negative or not finite, an unknown norm or unit, an entrywise unit
    with l2, and a noise level that is missing or not wanted.

    >>> print(Threat(0.02, norm="linf", unit="image-max"))
    linf 0.02 image-max
    """

    value: float
    norm: Literal["linf", "l2"] = "linf"
    unit: Literal["image-max", "kspace-max", "kspace-l2", "noise"] = "image-max"
    noise_sigma: float | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a norm, unit or value that does not exist or fit."""
        check_fields(self)
        check_number("value", self.value, 0)
        if self.norm == "l2" and self.unit in ENTRYWISE_UNITS:
            raise ValueError(f"unit {self.unit!r} sizes single entries (linf); with l2 use 'kspace-l2' or 'noise'")
        if (self.unit == "noise") != (self.noise_sigma is not None):
            raise ValueError(f"noise_sigma: needed by unit 'noise' and only by it, got {self.noise_sigma} for {self}")
        if self.noise_sigma is not None:
            check_number("noise_sigma", self.noise_sigma, above=0)

    def __str__(self) -> str:
        """Tell norm, number and unit."""
        level = "" if self.noise_sigma is None else f" (sigma {self.noise_sigma:g})"
        return f"{self.norm} {self.value:g} {self.unit}{level}"

    def radius(self, y: Tensor, A: Sense, target: Tensor) -> Tensor:
        """Return the absolute eps of each slice, real ``(batch,)``.

        ``y`` is k-space ``(batch, coil, y, x)``, ``target`` images ``(batch, y, x)``. Raises ValueError where
        what the unit refers to is not finite.
        """
        part = self._part(torch.where(A.sampled, y, 0), sampled_entries(y, A), target)
        if not bool(part.isfinite().all()):
            raise ValueError(f"threat {self}: what the unit refers to is not finite, {part.tolist()}")
        scale = (2 * sampled_entries(y, A)).sqrt() if self.norm == "l2" else 1
        return (self.value * part * scale).to(y.real.dtype)

    def _part(self, measured: Tensor, entries: Tensor, target: Tensor) -> Tensor:
        """Return the unit's size of one real or imaginary part, ``(batch,)``."""
        match self.unit:
            case "image-max":
                return target.abs().flatten(1).amax(1)
            case "kspace-max":
                return NORMS["linf"].size(measured)
            case "kspace-l2":
                return NORMS["l2"].size(measured) / (2 * entries).sqrt()
            case _:
                return torch.full_like(entries, self.noise_sigma or 0.0)

    def size(self, delta: Tensor) -> Tensor:
        """Return the norm of each slice of a perturbation, real ``(batch,)``."""
        return NORMS[self.norm].size(delta)

    def project(self, delta: Tensor, radius: Tensor) -> Tensor:
        """Return the nearest perturbation of norm at most ``radius (batch,)``, rounding included."""
        return NORMS[self.norm].project(delta, radius)

    def steepest(self, gradient: Tensor) -> Tensor:
        """Return the direction of steepest ascent of unit norm; zero where the gradient is zero."""
        return NORMS[self.norm].steepest(gradient)

    def uniform(self, seeds: Tensor, support: Tensor, radius: Tensor) -> Tensor:
        """Draw uniformly from the ball, one seed per slice; ``support`` is bool with the shape of k-space."""
        return NORMS[self.norm].uniform(seeds, support, radius)


def sampled_entries(y: Tensor, A: Sense) -> Tensor:
    """Return p, the number of sampled complex entries of each slice over all coils, float64 ``(batch,)``."""
    return A.sampled.expand(y.shape).flatten(1).sum(1).double()


@check_arguments
def relative_l2(delta: Tensor, y: Tensor, A: Sense) -> Tensor:
    """Return each slice's l2 norm of the perturbation over that of its sampled k-space, ``(batch,)``."""
    l2 = NORMS["l2"]
    return (l2.size(delta) / l2.size(torch.where(A.sampled, y, 0))).to(parts(y).dtype)
