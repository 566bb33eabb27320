"""MoDL, RS-E2E, SMUG and Weighted SMUG: one loop, one smoothing, four compositions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from smug.models.noise import Seeds, derive, entry_seeds
from smug.models.smoothing import ImageMap, Smoothed, Smoothing, smooth, unsmoothed
from smug.physics.consistency import Solution, solve
from smug.physics.sense import Sense


class NetworkReconstructor:
    """What the reconstructors here share; each is a frozen record of networks and settings.

    ``f(y, A, generator=None)`` maps k-space ``(batch, coil, y, x)`` to complex images ``(batch, y, x)``. The
    generator seeds the smoothing noise, one seed per image: a torch.Generator, int64 seeds ``(batch,)``, or None for
    the seed that stands in the smoothing's settings. Settings out of range raise ValueError.
    """

    def __call__(self, y: Tensor, A: Sense, generator: Seeds = None) -> Tensor:
        """Reconstruct."""
        raise NotImplementedError

    def replace(self, **changes: Any) -> Self:
        """Return a reconstructor with the same weights and other settings: ``f.replace(steps=16, sigma=0.02)``.

        Settings of the smoothing go by their own names. Raises ValueError for a name that is no setting of this
        reconstructor.
        """
        own = _field_names(self)
        smoothing: Any = getattr(self, "smoothing", None)
        inner = _field_names(smoothing)
        if unknown := changes.keys() - own - inner:
            raise ValueError(f"replace: expected settings among {sorted(own | inner)}, got {sorted(unknown)}")
        nested = {name: changes.pop(name) for name in inner & changes.keys()}
        if nested:
            changes["smoothing"] = replace(changes.get("smoothing", smoothing), **nested)
        return replace(self, **changes)  # type: ignore[type-var]

    def networks(self) -> nn.ModuleDict:
        """Return the networks by field name, to train, move and store them."""
        parts = {name: getattr(self, name) for name in sorted(_field_names(self))}
        return nn.ModuleDict({name: part for name, part in parts.items() if isinstance(part, nn.Module)})

    @property
    def denoiser_calls(self) -> int:
        """How often the denoiser is called for one image: a sample of the smoothing is a call."""
        steps: int = self.steps  # type: ignore[attr-defined]
        smoothing = getattr(self, "smoothing", None)
        return steps * (smoothing.calls if smoothing else 1)

    def to(self, device: torch.device | str) -> Self:
        """Move the networks to a device, in place as torch does, and return the reconstructor."""
        self.networks().to(device)
        return self


@dataclass(frozen=True)
class Step:
    """One unrolling step: the image ``x`` that went in, the denoised ``z``, and the solution that came out."""

    x: Tensor
    z: Smoothed
    solution: Solution


class Unrolled(NetworkReconstructor):
    """A reconstructor whose steps can be watched."""

    denoiser: ImageMap

    def iterate(self, y: Tensor, A: Sense, generator: Seeds = None) -> Iterator[Step]:
        """Yield the unrolling steps."""
        raise NotImplementedError

    def __call__(self, y: Tensor, A: Sense, generator: Seeds = None) -> Tensor:
        """Reconstruct: the image after the last step."""
        return last(self.iterate(y, A, generator))


@dataclass(frozen=True, eq=False)
class MoDL(Unrolled):
    """MoDL: ``unroll(D)``, equation (2). ``denoiser`` maps complex ``(batch, y, x)`` to the same."""

    denoiser: ImageMap
    steps: int = 8
    lam: float | Tensor = 1.0

    def __post_init__(self) -> None:
        """Check the settings."""
        _check(self.steps, self.lam)

    def iterate(self, y: Tensor, A: Sense, generator: Seeds = None) -> Iterator[Step]:
        """Yield the unrolling steps; nothing is random."""
        D = batched(self.denoiser)
        return unroll(lambda x, n: unsmoothed(D, x), A.H(y), A, self.steps, self.lam)


@dataclass(frozen=True, eq=False)
class SMUG(Unrolled):
    """SMUG: ``unroll(smooth(D))``, equation (5), with fresh noise in every unrolling step."""

    denoiser: ImageMap
    smoothing: Smoothing = Smoothing()
    steps: int = 8
    lam: float | Tensor = 1.0

    def __post_init__(self) -> None:
        """Check the settings."""
        _check(self.steps, self.lam)

    def iterate(self, y: Tensor, A: Sense, generator: Seeds = None) -> Iterator[Step]:
        """Yield the unrolling steps."""
        D, s = batched(self.denoiser), self.smoothing
        seeds = entry_seeds(generator, y.shape[0], s.seed)
        return unroll(lambda x, n: smooth(D, x, s, derive(seeds, n)), A.H(y), A, self.steps, self.lam)


@dataclass(frozen=True, eq=False)
class WeightedSMUG(Unrolled):
    """Weighted SMUG: ``unroll(smooth(D, weight=E))``, equation (11).

    ``encoder`` maps complex ``(batch, y, x)`` to one positive weight per image, ``(batch,)``.
    """

    denoiser: ImageMap
    encoder: ImageMap
    smoothing: Smoothing = Smoothing()
    steps: int = 8
    lam: float | Tensor = 1.0

    def __post_init__(self) -> None:
        """Check the settings."""
        _check(self.steps, self.lam)

    def iterate(self, y: Tensor, A: Sense, generator: Seeds = None) -> Iterator[Step]:
        """Yield the unrolling steps."""
        D, E, s = batched(self.denoiser), batched(self.encoder), self.smoothing
        seeds = entry_seeds(generator, y.shape[0], s.seed)
        return unroll(lambda x, n: smooth(D, x, s, derive(seeds, n), weight=E), A.H(y), A, self.steps, self.lam)


@dataclass(frozen=True, eq=False)
class RSE2E(NetworkReconstructor):
    """RS-E2E: ``smooth(unroll(D))``: noise on ``A^H y``, which is the first image *and* feeds every solve."""

    denoiser: ImageMap
    smoothing: Smoothing = Smoothing()
    steps: int = 8
    lam: float | Tensor = 1.0

    def __post_init__(self) -> None:
        """Check the settings."""
        _check(self.steps, self.lam)

    def __call__(self, y: Tensor, A: Sense, generator: Seeds = None) -> Tensor:
        """Reconstruct: the mean of the reconstructions from noisy ``A^H y``."""
        modl = _modl(self.denoiser, A, self.steps, self.lam)
        seeds = entry_seeds(generator, y.shape[0], self.smoothing.seed)
        return smooth(modl, A.H(y), self.smoothing, derive(seeds, 0)).value


@dataclass(frozen=True, eq=False)
class KSpaceRSE2E(NetworkReconstructor):
    """RS-E2E as Wolf (2019) has it: ``smooth(unroll(D))`` with the noise on the sampled entries of y.

    ``smoothing.sigma`` is per part of the normalised k-space.
    """

    denoiser: ImageMap
    smoothing: Smoothing = Smoothing()
    steps: int = 8
    lam: float | Tensor = 1.0

    def __post_init__(self) -> None:
        """Check the settings."""
        _check(self.steps, self.lam)

    def __call__(self, y: Tensor, A: Sense, generator: Seeds = None) -> Tensor:
        """Reconstruct: the mean of the reconstructions from noisy measurements; ``A.H`` masks the noise."""
        modl = _modl(self.denoiser, A, self.steps, self.lam)
        seeds = entry_seeds(generator, y.shape[0], self.smoothing.seed)
        return smooth(lambda y: modl(A.H(y)), y, self.smoothing, derive(seeds, 0)).value


def _modl(denoiser: ImageMap, A: Sense, steps: int, lam: float | Tensor) -> ImageMap:
    """Return MoDL as a map of ``A^H y`` with any leading axes."""
    D = batched(denoiser)
    return lambda aliased: last(unroll(lambda x, n: unsmoothed(D, x), aliased, A, steps, lam))


def _field_names(record: Any) -> set[str]:
    return {field.name for field in fields(record)} if is_dataclass(record) else set()


def _check(steps: int, lam: float | Tensor) -> None:
    if steps < 1:
        raise ValueError(f"steps: expected at least one unrolling step, got {steps}")
    value = torch.as_tensor(lam).detach()
    if value.ndim or not 0 < float(value) < float("inf"):
        raise ValueError(f"lam: expected one positive number, got {lam}")


def unroll(
    denoise: Callable[[Tensor, int], Smoothed], aliased: Tensor, A: Sense, steps: int, lam: float | Tensor
) -> Iterator[Step]:
    """Iterate equation (2): denoise, then solve ``(A^H A + lam) x = A^H y + lam z``.

    ``denoise(x, n)`` is the (smoothed) denoiser at step n; ``aliased = A^H y``, complex ``(..., batch, y, x)``, is
    also the first x. Yields every :class:`~smug.models.reconstructors.Step`; the last one's solution is the
    reconstruction.
    """
    x = aliased
    for n in range(steps):
        z = denoise(x, n)
        solution = solve(A, aliased + lam * z.value, lam)
        yield Step(x, z, solution)
        x = solution.value


def last(steps: Iterator[Step]) -> Tensor:
    """Return the image after the last step."""
    for step in steps:
        x = step.solution.value  # earlier steps are let go
    return x


def batched(denoiser: ImageMap) -> ImageMap:
    """Let a denoiser of images ``(batch, y, x)`` take any leading axes."""

    def call(x: Tensor) -> Tensor:
        result = denoiser(x.flatten(0, -3))
        return result.reshape(*x.shape[:-2], *result.shape[1:])

    return call
