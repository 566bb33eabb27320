"""How scans are simulated: one acquisition, or a range from which every slice draws its own."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from typing import Any, Literal, Self, get_args

import numpy as np
from torch import Tensor

from smug.physics.mask_kind import MaskKind
from smug.physics.masks import equispaced_lines, poisson_disc, random_lines, variable_density_lines
from smug.system.arguments import check_fields, check_integer

MapsKind = Literal["exact", "espirit"]
"""The coil maps that are handed out: those of the simulation, or ESPIRiT's of the lines that are kept."""


@dataclass(frozen=True)
class Acquisition:
    """How a scan is simulated.

    ``noise`` is the receiver noise per real and imaginary part of k-space, where the image's maximum is 1;
    ``profile_width`` is that of :func:`smug.physics.maps.simulated_maps`; ``phase`` is the size in radians of a
    smooth random phase on the image. ``maps`` "espirit" are estimated from the lines that are kept, as those of a
    measured scan are. ``background`` is noise per part of the image itself, inside the object and around it, as images
    have that were measured: it belongs to the target. With ``fixed_mask`` all scans of one matrix have the same mask,
    instead of one each.
    """

    coils: int = 4
    profile_width: float = 1.2
    acceleration: float = 4.0
    center_fraction: float = 0.08
    mask: MaskKind = "random"
    noise: float = 0.01
    phase: float = 1.0
    maps: MapsKind = "exact"
    background: float = 0.0
    fixed_mask: bool = False

    def __post_init__(self) -> None:
        """Check the values; the masks and maps check theirs."""
        check_fields(self, "acquisition.")
        check_integer("acquisition.coils", self.coils, 1)
        for name, kinds in (("mask", get_args(MaskKind)), ("maps", get_args(MapsKind))):
            if getattr(self, name) not in kinds:
                raise ValueError(f"acquisition.{name}: expected one of {', '.join(kinds)}, got {getattr(self, name)!r}")
        for name in ("noise", "phase", "background"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"acquisition.{name}: expected a finite number >= 0, got {getattr(self, name)}")

    def sample(self, height: int, width: int, seed: int) -> Tensor:
        """Return a mask, ``bool (1, x)``, or ``(1, y, x)`` for "poisson"; a fixed one is that of seed 0."""
        seed = 0 if self.fixed_mask else seed
        match self.mask:
            case "random":
                return random_lines(width, self.acceleration, self.center_fraction, seed=seed)
            case "equispaced":
                return equispaced_lines(width, self.acceleration, self.center_fraction, seed=seed)
            case "variable-density":
                return variable_density_lines(width, self.acceleration, self.center_fraction, seed=seed)
            case "poisson":
                return poisson_disc(height, width, self.acceleration, seed=seed)

    def draw(self, seed: int) -> "Acquisition":
        """Return this acquisition: it is the same for every seed."""
        return self

    def alike(self, first: "Acquisition") -> Self:
        """Return this acquisition."""
        return self

    def extremes(self) -> "Iterator[Acquisition]":
        """Yield this acquisition."""
        yield self

    def values(self, name: str) -> tuple[Any, ...]:
        """Return the value of a field, as the only one."""
        return (getattr(self, name),)


@dataclass(frozen=True)
class AcquisitionRange:
    """A range of acquisitions; the fields are those of :class:`Acquisition`.

    A number is fixed, a pair ``(lowest, highest)`` is drawn between: uniformly in its logarithm, or uniformly where the
    lowest is 0. Of several kinds of masks and maps each is as likely; a kind named twice counts twice.

    >>> AcquisitionRange(noise=(0.001, 0.05), mask=("random", "equispaced")).draw(seed=3).mask
    'random'
    """

    coils: int | tuple[int, int] = 4
    profile_width: float | tuple[float, float] = 1.2
    acceleration: float | tuple[float, float] = 4.0
    center_fraction: float | tuple[float, float] = 0.08
    mask: MaskKind | tuple[MaskKind, ...] = "random"
    noise: float | tuple[float, float] = 0.01
    phase: float | tuple[float, float] = 1.0
    maps: MapsKind | tuple[MapsKind, ...] = "exact"
    background: float | tuple[float, float] = 0.0
    fixed_mask: bool = False

    def __post_init__(self) -> None:
        """Check that every value is one of an acquisition, and every pair in order."""
        check_fields(self, "acquisition.")
        for name in asdict(self):
            values = self.values(name)
            if not values:
                raise ValueError(f"acquisition.{name}: expected at least one value, got none")
            for value in values:
                replace(Acquisition(), **{name: value})
            if name not in KINDS and (len(values) > 2 or values[0] > values[-1]):
                raise ValueError(f"acquisition.{name}: expected a lowest and a highest value, got {values}")

    def draw(self, seed: int) -> Acquisition:
        """Return the acquisition of a seed. Every field has a draw of its own, whether others are fixed or not."""
        draws = np.random.default_rng([seed, 2]).uniform(size=len(fields(self)))
        return Acquisition(
            **{
                field.name: _between(self.values(field.name), float(u), field.name)
                for field, u in zip(fields(self), draws, strict=True)
            }
        )

    def alike(self, first: Acquisition) -> Self:
        """Return the range of what can be in one batch with ``first``: its coils, and masks of as many axes."""
        masks = tuple(kind for kind in self.values("mask") if (kind == "poisson") == (first.mask == "poisson"))
        return replace(self, coils=first.coils, mask=masks)

    def extremes(self) -> Iterator[Acquisition]:
        """Yield the acquisitions at the ends that leave most and fewest lines around the centre, of every kind."""
        fastest, fractions = self.values("acceleration")[-1], self.values("center_fraction")
        for mask, maps, fraction in product(self.values("mask"), self.values("maps"), fractions):
            yield replace(self.draw(0), acceleration=fastest, mask=mask, maps=maps, center_fraction=fraction)

    def values(self, name: str) -> tuple[Any, ...]:
        """Return the kinds of a field, or its lowest and highest number; one value where it is fixed."""
        value = getattr(self, name)
        return tuple(value) if isinstance(value, list | tuple) else (value,)


KINDS = ("mask", "maps")
"""Fields whose values are kinds, not numbers."""


def _between(values: tuple[Any, ...], u: float, name: str) -> Any:
    """Return the value at a quantile ``0 <= u < 1`` of a range."""
    if name in KINDS:
        return values[int(u * len(values))]
    low, high = values[0], values[-1]
    if low == high:
        return low
    if name == "coils":  # whole numbers, each from where it begins to where the next does
        return min(high, int(math.exp(math.log(low) + u * math.log((high + 1) / low))))
    return float(low * (high / low) ** u if low > 0 else low + u * (high - low))
