"""Scans simulated from images: random coil maps, masks and receiver noise.

Such k-space comes from finite images with maps that are known exactly. Results on it flatter every method (a "data
crime"), which every table that is made from it states.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import torch
from torch import Tensor

from smug.data.scan import Scan
from smug.models.noise import complex_normal_where, derive
from smug.physics.maps.simulated import simulated_maps
from smug.physics.mask_kind import MaskKind
from smug.physics.masks import equispaced_lines, poisson_disc, random_lines, variable_density_lines
from smug.physics.sense import Sense
from smug.system.arguments import check_arguments, check_fields, check_integer


@dataclass(frozen=True)
class Acquisition:
    """How a scan is simulated.

    ``noise`` is the receiver noise per real and imaginary part of k-space, where the image's maximum is 1;
    ``profile_width`` is that of :func:`smug.physics.maps.simulated_maps`; ``phase`` is the size in radians of a
    smooth random phase on the image.
    """

    coils: int = 4
    profile_width: float = 1.2
    acceleration: float = 4.0
    center_fraction: float = 0.08
    mask: MaskKind = "random"
    noise: float = 0.01
    phase: float = 1.0

    def __post_init__(self) -> None:
        """Check the values; the masks and maps check theirs."""
        check_fields(self, "acquisition.")
        check_integer("acquisition.coils", self.coils, 1)
        if self.mask not in get_args(MaskKind):
            raise ValueError(f"acquisition.mask: expected one of {', '.join(get_args(MaskKind))}, got {self.mask!r}")
        for name in ("noise", "phase"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"acquisition.{name}: expected a finite number >= 0, got {getattr(self, name)}")

    def sample(self, height: int, width: int, seed: int) -> Tensor:
        """Return a mask, ``bool (1, x)``, or ``(1, y, x)`` for "poisson"."""
        match self.mask:
            case "random":
                return random_lines(width, self.acceleration, self.center_fraction, seed=seed)
            case "equispaced":
                return equispaced_lines(width, self.acceleration, self.center_fraction, seed=seed)
            case "variable-density":
                return variable_density_lines(width, self.acceleration, self.center_fraction, seed=seed)
            case "poisson":
                return poisson_disc(height, width, self.acceleration, seed=seed)


@check_arguments
def simulate(
    images: Tensor,
    acquisition: Acquisition = Acquisition(),
    seeds: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
) -> Scan:
    """Measure complex images ``(batch, y, x)``: each with its own coil maps, mask, phase and receiver noise.

    Everything random about a slice is a function of its seed alone: 0, 1, ... unless ``seeds`` are given. ``names`` are
    "slice-000", "slice-001", ... by default. The target is the noise-free image. Raises ValueError for images of
    another shape, and unless there is one seed and one name per image.

    >>> import smug
    >>> simulate(smug.head_phantom(seed=1, size=32)[None]).y.shape
    torch.Size([1, 4, 32, 32])
    """
    if images.ndim != 3:
        raise ValueError(f"images: expected (batch, y, x), got {tuple(images.shape)}")
    seeds = range(len(images)) if seeds is None else seeds
    names = [f"slice-{index:03d}" for index in range(len(images))] if names is None else names
    if not len(seeds) == len(names) == len(images) > 0:
        raise ValueError(
            f"expected one seed and one name per image, got {len(images)} images, "
            f"{len(seeds)} seeds and {len(names)} names"
        )
    height, width = images.shape[-2:]
    a = acquisition
    maps = torch.cat(
        [simulated_maps(a.coils, height, width, seed=seed, profile_width=a.profile_width) for seed in seeds]
    ).to(images.device)
    masks = torch.cat([a.sample(height, width, named_seed("mask", seed)) for seed in seeds]).to(images.device)
    phase = torch.stack([smooth_phase(height, width, seed) for seed in seeds]).to(images.device)
    target = images * torch.polar(torch.ones_like(phase), a.phase * phase)
    A = Sense(mask=masks, maps=maps)
    y = A(target)
    if a.noise > 0:
        address = derive(torch.tensor(list(seeds), dtype=torch.int64), 0)
        for measured, sampled, seed in zip(y, A.sampled.expand_as(y), address, strict=True):
            measured[sampled] += a.noise * complex_normal_where(seed, sampled, images.dtype)
    return Scan(y, A, target, tuple(names))


def named_scans(images: Tensor, names: Sequence[str], acquisition: Acquisition) -> tuple[Scan, ...]:
    """Return one scan per slice, whose mask, maps, phase and noise depend on the slice's name only."""
    rows = zip(images, names, strict=True)
    return tuple(simulate(image[None], acquisition, [named_seed(name)], [name]) for image, name in rows)


def smooth_phase(height: int, width: int, seed: int) -> Tensor:
    """Return a random smooth field of about unit size, real ``(y, x)``: a polynomial of degree 2."""
    a = np.random.default_rng([seed, 1]).normal(size=6)
    y = np.linspace(-1, 1, height)[:, None]
    x = np.linspace(-1, 1, width)
    field = 3 * a[0] + 0.5 * (a[1] * y + a[2] * x) + 0.3 * (a[3] * y**2 + a[4] * y * x + a[5] * x**2)
    return torch.from_numpy(field).to(torch.float32)


def named_seed(name: str, seed: int = 0) -> int:
    """Return a seed that depends on a slice's name (and ``seed``) only, so that its mask never changes."""
    import hashlib

    return int.from_bytes(hashlib.sha256(f"{seed}:{name}".encode()).digest()[:7], "big")
