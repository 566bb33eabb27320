"""Threat models: what size a perturbation of the measurements may have, and in which unit."""

import warnings
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from smug.norm import NORMS, parts
from smug.physics.operator import Operator, operator
from smug.system.arguments import check_arguments, check_fields, check_number

ENTRYWISE_UNITS = ("image-max", "kspace-max")


@dataclass(frozen=True)
class Threat:
    """Perturbations of the entries that are measured, k-space or others, up to ``value`` in a norm and a unit.

    ``norm`` is ``"linf"``, the largest real or imaginary part, or ``"l2"``, the Euclidean norm over all entries
    of a slice, those of all coils together. ``unit`` says what ``value`` multiplies to give the absolute bound eps of
    a slice with n real numbers measured (two per complex entry), always taken from the clean measurements y:

    ==============  ======================  =================
    unit            eps of linf             eps of l2
    ==============  ======================  =================
    ``image-max``   max abs(target)         refused
    ``kspace-max``  largest part of y       refused
    ``kspace-l2``   norm(y) / sqrt(n)       norm(y)
    ``noise``       ``noise_sigma``         noise_sigma sqrt(n)
    ==============  ======================  =================

    "kspace" stands for measurements of any kind. The corner of the linf box has the l2 norm of the same value and
    unit. The first two units measure single entries and say nothing about a Euclidean length. ``noise_sigma`` is the
    noise of y per real and imaginary part.

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
        if self.norm == "l2" and self.unit == "kspace-l2" and self.value > 1:
            told = f"value: {self.value:g} of the norm of the measurements is {self.value:.0%}: write 0.05 for 5 %"
            warnings.warn(told, UserWarning, stacklevel=3)
        if (self.unit == "noise") != (self.noise_sigma is not None):
            raise ValueError(f"noise_sigma: needed by unit 'noise' and only by it, got {self.noise_sigma} for {self}")
        if self.noise_sigma is not None:
            check_number("noise_sigma", self.noise_sigma, above=0)

    def __str__(self) -> str:
        """Tell norm, number and unit."""
        level = "" if self.noise_sigma is None else f" (sigma {self.noise_sigma:g})"
        return f"{self.norm} {self.value:g} {self.unit}{level}"

    def radius(self, y: Tensor, A: Operator, target: Tensor) -> Tensor:
        """Return the absolute eps of each slice, real ``(batch,)``.

        ``y`` are measurements ``(batch, ...)``, ``target`` images ``(batch, y, x)``. Raises ValueError where what the
        unit refers to is not finite.
        """
        numbers = measured_numbers(y, A)
        part = self._part(torch.where(operator(A).support(y), y, 0), numbers, target)
        if not bool(part.isfinite().all()):
            raise ValueError(f"threat {self}: what the unit refers to is not finite, {part.tolist()}")
        scale = numbers.sqrt() if self.norm == "l2" else 1
        return (self.value * part * scale).to(y.real.dtype)

    def _part(self, measured: Tensor, numbers: Tensor, target: Tensor) -> Tensor:
        """Return the unit's size of one real or imaginary part, ``(batch,)``."""
        match self.unit:
            case "image-max":
                return target.abs().flatten(1).amax(1)
            case "kspace-max":
                return NORMS["linf"].size(measured)
            case "kspace-l2":
                return NORMS["l2"].size(measured) / numbers.sqrt()
            case _:
                return torch.full_like(numbers, self.noise_sigma or 0.0)

    def size(self, delta: Tensor) -> Tensor:
        """Return the norm of each slice of a perturbation, real ``(batch,)``."""
        return NORMS[self.norm].size(delta)

    def project(self, delta: Tensor, radius: Tensor) -> Tensor:
        """Return the nearest perturbation of norm at most ``radius (batch,)``, rounding included."""
        return NORMS[self.norm].project(delta, radius)

    def steepest(self, gradient: Tensor) -> Tensor:
        """Return the direction of steepest ascent of unit norm; zero where the gradient is zero."""
        return NORMS[self.norm].steepest(gradient)

    def uniform(self, seeds: Tensor, support: Tensor, radius: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Draw uniformly from the ball, one seed per slice; ``support`` is bool with the shape of the measurements.

        ``dtype`` is theirs, by default complex in the precision of ``radius``.
        """
        return NORMS[self.norm].uniform(seeds, support, radius, dtype)


def measured_numbers(y: Tensor, A: Operator) -> Tensor:
    """Return n, how many real numbers are measured of each slice, two per complex entry; float64 ``(batch,)``."""
    entries = operator(A).support(y).flatten(1).sum(1).double()
    return 2 * entries if y.is_complex() else entries


@check_arguments
def relative_l2(delta: Tensor, y: Tensor, A: Operator) -> Tensor:
    """Return each slice's l2 norm of the perturbation over that of its measurements, ``(batch,)``."""
    l2 = NORMS["l2"]
    return (l2.size(delta) / l2.size(torch.where(operator(A).support(y), y, 0))).to(parts(y).dtype)
