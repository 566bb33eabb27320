"""The paper's losses as pure functions, for the trainer here and for anybody's own loop.

Squared norms are means over pixels and over the real and imaginary part. Scans are normalised
(:meth:`smug.data.scan.Scan.normalised`), so that images have a magnitude of about 1.
"""

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor

from smug.data.scan import Scan
from smug.models.level import denoised, takes_level
from smug.models.noise import Seeds, derive, normal, uniform
from smug.models.reconstructors import NetworkReconstructor, Step, Unrolled
from smug.models.ridge import RidgeRegulariser
from smug.models.ridge_energy import denoised as ridge_denoised
from smug.models.smoothing import ImageMap
from smug.physics.parts import parts
from smug.system.arguments import check_arguments

StabilityTarget = Callable[[Tensor], Callable[[Step], Tensor]]
"""What the denoised samples are pulled towards: given t, the image of every step."""


@check_arguments
def mean_square(difference: Tensor) -> Tensor:
    """Return the mean square of all real and imaginary parts."""
    return parts(difference).square().mean()


@check_arguments
def mean_squares(difference: Tensor) -> Tensor:
    """Return the :func:`mean_square` of every image, real ``(batch,)``, of ``(batch, ...)``."""
    return parts(difference).square().flatten(1).mean(1)


@check_arguments
def pretraining(denoiser: ImageMap, target: Tensor, sigma: float, seeds: Tensor) -> Tensor:
    """Equation (6): ``||D(t + eta) - t||^2``; ``target`` is complex ``(batch, y, x)``, ``seeds`` is ``(batch,)``."""
    eta = sigma * normal(derive(seeds, 0), target.shape[1:], target.dtype, target.device)
    level = torch.full(target.shape[:1], sigma, device=target.device)
    return mean_square(denoised(denoiser, target + eta, level) - target)


@check_arguments
def denoising(denoiser: ImageMap, target: Tensor, levels: tuple[float, float], seeds: Tensor) -> Tensor:
    """Equation (6) for a range of noise: ``||D(t + sigma n) - t||^2 / sigma^2``.

    ``target`` is complex ``(batch, y, x)``; every image has a level between the two, each factor equally likely.
    """
    noisy, sigma = _noisy(target, levels, seeds)
    return _relative(denoised(denoiser, noisy, sigma) - target, sigma)


@check_arguments
def score_matching(regulariser: RidgeRegulariser, target: Tensor, levels: tuple[float, float], seeds: Tensor) -> Tensor:
    """Denoise by one step down the gradient of R: ``||y - grad R(y; sigma) - t||^2 / sigma^2``, ``y = t + sigma n``.

    ``target`` is complex ``(batch, y, x)``; every image has a level between the two, each factor equally likely.
    """
    noisy, sigma = _noisy(target, levels, seeds)
    return _relative(noisy - regulariser.gradient(noisy, sigma) - target, sigma)


@check_arguments
def ridge_denoising(
    regulariser: RidgeRegulariser, target: Tensor, levels: tuple[float, float], seeds: Tensor
) -> Tensor:
    """Denoise by the minimiser itself: ``||argmin_u 1/2 ||u - y||^2 + R(u; sigma) - t||^2 / sigma^2``.

    Its gradient is that of the implicit function theorem, to a few per cent, as the noise of a batch is larger.
    """
    noisy, sigma = _noisy(target, levels, seeds)
    found = ridge_denoised(regulariser, noisy, sigma, tolerance=3e-3, max_iterations=100, solve_tolerance=1e-2)
    return _relative(found.value - target, sigma)


def _noisy(target: Tensor, levels: tuple[float, float], seeds: Tensor) -> tuple[Tensor, Tensor]:
    low, high = levels
    sigma = (low * (high / low) ** uniform(derive(seeds, 1))).to(target.device, target.real.dtype)
    noise = normal(derive(seeds, 0), target.shape[1:], target.dtype, target.device)
    return target + sigma[:, None, None] * noise, sigma


def _relative(error: Tensor, sigma: Tensor) -> Tensor:
    return mean_square(error / sigma[:, None, None])


@check_arguments
def supervised(f: NetworkReconstructor, scan: Scan, generator: Seeds = None) -> Tensor:
    """Return ``||F(y) - t||^2``, the loss of MoDL and of RS-E2E."""
    return mean_square(f(scan.y, scan.A, generator) - scan.truth)


@check_arguments
def unrolled_stability(
    f: Unrolled, scan: Scan, generator: Seeds = None, *, towards: StabilityTarget | None = None
) -> Tensor:
    """Equation (7), UStab: ``sum_n E||D(x^n + eta) - D(t)||^2``, on the samples that make the smoothed output.

    ``towards`` replaces ``D(t)``; the alternatives of Fig. 13 are :func:`target_itself`, and
    :func:`denoised_target` and :func:`denoised_iterate` of ``f.denoiser`` or of a :func:`frozen` one. Gradients
    flow through ``D(x^n + eta)``, ``x^n`` and ``D(t)``.
    """
    return stable_reconstruction(f, scan, generator, towards=towards)[0].mean()


@check_arguments
def smug(
    f: Unrolled,
    scan: Scan,
    generator: Seeds = None,
    *,
    reconstruction_weight: float = 1.0,
    towards: StabilityTarget | None = None,
) -> Tensor:
    """Equations (8) and (12): ``UStab + lam_l ||F(y) - t||^2``, in one pass through the unrolling."""
    stability, x = stable_reconstruction(f, scan, generator, towards=towards)
    return stability.mean() + reconstruction_weight * mean_square(x - scan.truth)


@check_arguments
def stable_reconstruction(
    f: Unrolled, scan: Scan, generator: Seeds = None, *, towards: StabilityTarget | None = None
) -> tuple[Tensor, Tensor]:
    """Return the loss of equation (7) of every image, real ``(batch,)``, and the reconstructions, from one pass."""
    t = scan.truth
    goal = (towards or denoised_target(f.denoiser))(t)
    stability = torch.zeros(t.shape[0], device=t.device)
    for step in f.iterate(scan.y, scan.A, generator):
        stability = stability + mean_squares((step.z.samples - goal(step)).transpose(0, 1))
    return stability, step.solution.value


@check_arguments
def denoised_target(denoiser: ImageMap) -> StabilityTarget:
    """Pull towards ``D(t)``, the paper's choice; it is evaluated once for all steps.

    A denoiser that takes a noise level is told none: t is clean.
    """

    def towards(t: Tensor) -> Callable[[Step], Tensor]:
        denoised = denoiser(t.clone())
        return lambda step: denoised

    return towards


@check_arguments
def denoised_iterate(denoiser: ImageMap) -> StabilityTarget:
    """Pull towards ``D(x^n)``, the step's denoised image without noise.

    Raises ValueError for a denoiser that takes a noise level, which is not known here: told none, it returns nearly
    x^n.
    """
    if takes_level(denoiser):
        raise ValueError("stability target: D(x^n) of a denoiser that takes a noise level is not known; take D(t) or t")
    return lambda t: lambda step: denoiser(step.x.clone())


@check_arguments
def target_itself(t: Tensor) -> Callable[[Step], Tensor]:
    """Pull towards ``t``."""
    return lambda step: t


@check_arguments
def frozen(denoiser: ImageMap) -> ImageMap:
    """Return a copy of the denoiser as it is now, which carries no gradient: the trained MoDL's in Fig. 13."""
    fixed = deepcopy(denoiser)

    def call(x: Tensor) -> Tensor:
        with torch.no_grad():
            return fixed(x.clone())

    return call
