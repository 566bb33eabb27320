"""MoDL, RS-E2E, SMUG and Weighted SMUG: one loop, one smoothing, four compositions."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from smug.models.lam import Lam, LamOfImage, LearnedLam, ResidualLam, lam_of_image
from smug.models.level import ALIASING, RECONSTRUCTED, DenoiserOfImage, batched, denoiser_of_image
from smug.models.noise import Seeds, check_seeds, derive, entry_seeds
from smug.models.smoothing import ImageMap, Smoothed, Smoothing, smooth, unsmoothed
from smug.physics.consistency import Solution, residual_left, solve, warn_unconverged
from smug.physics.operator import Operator, check_measurements
from smug.reconstructor import Configured, check_settings, field_values
from smug.system.arguments import check_arguments, check_fields, check_integer

FirstImage = Callable[[Tensor, Operator, Seeds], Tensor]
"""Makes the image that the unrolling starts from: a reconstructor of normalised measurements."""


@dataclass(frozen=True)
class Step:
    """One unrolling step: the image ``x`` that went in, the denoised ``z``, and the solution that came out."""

    x: Tensor
    z: Smoothed
    solution: Solution


@check_arguments
def unroll(
    denoise: Callable[[Tensor, int], Smoothed],
    aliased: Tensor,
    A: Operator,
    steps: int,
    lam: float | Tensor | LamOfImage,
    first: Tensor | None = None,
) -> Iterator[Step]:
    """Iterate equation (2): denoise, then solve ``(A^H A + lam) x = A^H y + lam z``.

    ``denoise(x, n)`` is the (smoothed) denoiser at step n; ``aliased = A^H y``, ``(..., batch, y, x)``, is
    also the first x unless another one is given. ``lam`` is a number, real ``(..., batch)``, or a function of x.
    Yields every :class:`~smug.models.reconstructors.Step`; the last one's solution is the reconstruction. After it a
    RuntimeWarning tells if a solve did not converge.
    """
    x = aliased if first is None else first
    left = aliased.real.new_zeros(())
    for n in range(steps):
        z = denoise(x, n)
        weight = lam(x) if callable(lam) else lam
        solution = solve(A, aliased + _per_image(weight) * z.value, weight)
        yield Step(x, z, solution)
        x, left = solution.value, torch.maximum(left, residual_left(solution))
    warn_unconverged(left)


def _per_image(weight: float | Tensor) -> float | Tensor:
    return weight[..., None, None] if isinstance(weight, Tensor) and weight.ndim else weight


def last(steps: Iterator[Step]) -> Tensor:
    """Return the image after the last step."""
    for step in steps:
        x = step.solution.value  # earlier steps are let go
    return x


class NetworkReconstructor(Configured):
    """What the reconstructors here share; each is a frozen record of networks and settings.

    ``f(y, A, generator=None)`` maps measurements ``(batch, ...)`` to images ``(batch, y, x)``. The
    generator seeds the smoothing noise, one seed per image: a torch.Generator, int64 seeds ``(batch,)``, or None for
    the seed that stands in the smoothing's settings. Settings out of range raise ValueError.
    """

    def settings(self) -> Mapping[str, Any]:
        """Return the networks and settings, those of the smoothing by their own names too."""
        own = field_values(self)
        return own | field_values(own["smoothing"]) if "smoothing" in own else own

    def replace(self, **changes: Any) -> Self:
        """Return a reconstructor with the same weights and other settings: ``f.replace(steps=16, sigma=0.02)``.

        Settings of the smoothing go by their own names. Raises ValueError for a name that is no setting of this
        reconstructor.
        """
        check_settings(self, changes)
        own = field_values(self)
        nested = {name: value for name, value in changes.items() if name not in own}
        changed = {name: value for name, value in changes.items() if name in own}
        if nested:
            changed["smoothing"] = replace(changed.get("smoothing", own["smoothing"]), **nested)
        return replace(self, **changed)  # type: ignore[type-var]

    def networks(self) -> nn.ModuleDict:
        """Return the networks by field name, and lam where it is learned, to train, move and store them."""
        parts = {
            name: part.networks() if isinstance(part, NetworkReconstructor) else part
            for name, part in sorted(field_values(self).items())
        }
        return nn.ModuleDict({name: part for name, part in parts.items() if isinstance(part, nn.Module)})

    def image_networks(self) -> dict[str, nn.Module]:
        """Return those of the networks that take images; not those of the reconstructor that makes the first one."""
        others = LearnedLam | ResidualLam | nn.ModuleDict
        return {name: part for name, part in self.networks().items() if not isinstance(part, others)}

    def to(self, device: torch.device | str) -> Self:
        """Move the networks to a device, in place as torch does, and return the reconstructor."""
        self.networks().to(device)
        return self


class UnrolledReconstructor(NetworkReconstructor):
    """A network reconstructor that unrolls a denoiser in so many ``steps``."""

    denoiser: ImageMap
    steps: int
    lam: Lam

    @property
    def denoiser_calls(self) -> int:
        """How often the denoiser is called for one image: a sample of the smoothing is a call."""
        smoothing = self.settings().get("smoothing")
        return self.steps * (smoothing.calls if smoothing else 1)


class Unrolled(UnrolledReconstructor):
    """A reconstructor whose steps can be watched.

    ``first`` makes the first image, a reconstructor of normalised measurements; None is ``A^H y``, as in the paper.
    From an image that is good already, few steps are enough.
    """

    first: FirstImage | None = None

    def iterate(self, y: Tensor, A: Operator, generator: Seeds = None) -> Iterator[Step]:
        """Yield the unrolling steps."""
        raise NotImplementedError

    def __call__(self, y: Tensor, A: Operator, generator: Seeds = None) -> Tensor:
        """Reconstruct: the image after the last step."""
        return last(self.iterate(y, A, generator))

    def _first(self, y: Tensor, A: Operator, generator: Seeds) -> Tensor | None:
        return None if self.first is None else self.first(y, A, generator)

    @property
    def _aliasing(self) -> float:
        return ALIASING if self.first is None else RECONSTRUCTED


@dataclass(frozen=True, eq=False)
class MoDL(Unrolled):
    """MoDL: ``unroll(D)``, equation (2). ``denoiser`` maps complex ``(batch, y, x)`` to the same."""

    denoiser: ImageMap
    steps: int = 8
    lam: Lam = 1.0
    first: FirstImage | None = None

    def __post_init__(self) -> None:
        """Check the settings."""
        check_fields(self)
        _check(self.steps, self.lam)

    def iterate(self, y: Tensor, A: Operator, generator: Seeds = None) -> Iterator[Step]:
        """Yield the unrolling steps; nothing is random."""
        A = check_measurements(y, A)
        check_seeds(generator, len(y))
        D = denoiser_of_image(self.denoiser, y, A, aliasing=self._aliasing)
        lam, first = lam_of_image(self.lam, y, A), self._first(y, A, generator)
        return unroll(lambda x, n: unsmoothed(D(x, n), x), A.H(y), A, self.steps, lam, first)


@dataclass(frozen=True, eq=False)
class SMUG(Unrolled):
    """SMUG: ``unroll(smooth(D))``, equation (5), with fresh noise in every step unless draws are shared."""

    denoiser: ImageMap
    smoothing: Smoothing = Smoothing()
    steps: int = 8
    lam: Lam = 1.0
    first: FirstImage | None = None

    def __post_init__(self) -> None:
        """Check the settings."""
        check_fields(self)
        _check(self.steps, self.lam)

    def iterate(self, y: Tensor, A: Operator, generator: Seeds = None) -> Iterator[Step]:
        """Yield the unrolling steps."""
        A = check_measurements(y, A)
        s = self.smoothing
        D = denoiser_of_image(self.denoiser, y, A, s.added, self._aliasing)
        seeds, lam = entry_seeds(generator, y.shape[0], s.seed), lam_of_image(self.lam, y, A)
        first = self._first(y, A, generator)
        return unroll(lambda x, n: smooth(D(x, n), x, s, _drawn(s, seeds, n)), A.H(y), A, self.steps, lam, first)


@dataclass(frozen=True, eq=False)
class WeightedSMUG(Unrolled):
    """Weighted SMUG: ``unroll(smooth(D, weight=E))``, equation (11).

    ``encoder`` maps complex ``(batch, y, x)`` to one positive weight per image, ``(batch,)``.
    """

    denoiser: ImageMap
    encoder: ImageMap
    smoothing: Smoothing = Smoothing()
    steps: int = 8
    lam: Lam = 1.0
    first: FirstImage | None = None

    def __post_init__(self) -> None:
        """Check the settings."""
        check_fields(self)
        _check(self.steps, self.lam)

    def iterate(self, y: Tensor, A: Operator, generator: Seeds = None) -> Iterator[Step]:
        """Yield the unrolling steps."""
        A = check_measurements(y, A)
        s = self.smoothing
        D, E = denoiser_of_image(self.denoiser, y, A, s.added, self._aliasing), batched(self.encoder)
        seeds, lam = entry_seeds(generator, y.shape[0], s.seed), lam_of_image(self.lam, y, A)
        first = self._first(y, A, generator)

        def denoise(x: Tensor, n: int) -> Smoothed:
            return smooth(D(x, n), x, s, _drawn(s, seeds, n), weight=E)

        return unroll(denoise, A.H(y), A, self.steps, lam, first)


@dataclass(frozen=True, eq=False)
class RSE2E(UnrolledReconstructor):
    """RS-E2E: ``smooth(unroll(D))``: noise on ``A^H y``, which is the first image *and* feeds every solve."""

    denoiser: ImageMap
    smoothing: Smoothing = Smoothing()
    steps: int = 8
    lam: Lam = 1.0

    def __post_init__(self) -> None:
        """Check the settings."""
        check_fields(self)
        _check(self.steps, self.lam)

    def __call__(self, y: Tensor, A: Operator, generator: Seeds = None) -> Tensor:
        """Reconstruct: the mean of the reconstructions from noisy ``A^H y``."""
        A = check_measurements(y, A)
        s = self.smoothing
        D = denoiser_of_image(self.denoiser, y, A, s.added)
        modl = _modl(D, A, self.steps, lam_of_image(self.lam, y, A))
        seeds = entry_seeds(generator, y.shape[0], s.seed)
        return smooth(modl, A.H(y), s, derive(seeds, 0)).value


def _modl(D: DenoiserOfImage, A: Operator, steps: int, lam: LamOfImage) -> ImageMap:
    """Return MoDL as a map of ``A^H y`` with any leading axes."""
    return lambda aliased: last(unroll(lambda x, n: unsmoothed(D(x, n), x), aliased, A, steps, lam))


def _drawn(smoothing: Smoothing, seeds: Tensor, step: int) -> Tensor:
    """Return the seeds of the noise of an unrolling step."""
    return derive(seeds, 0 if smoothing.shared_draws else step)


def _check(steps: int, lam: Lam) -> None:
    check_integer("steps", steps, 1)
    number = lam.factor if isinstance(lam, ResidualLam) else lam
    value = torch.as_tensor(number() if isinstance(number, LearnedLam) else number).detach()
    if value.ndim or value.is_complex() or value.dtype == torch.bool or not 0 < float(value) < float("inf"):
        raise ValueError(f"lam: expected one positive number, got {lam}")
