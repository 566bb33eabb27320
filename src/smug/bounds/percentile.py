r"""The percentile-ball certificate: how far from the target a reconstruction from noisier measurements can be pushed.

It is about the *release* ``F(y + zeta)``, ``zeta ~ N(0, sigma^2)`` per real and imaginary part of the sampled entries:
F run on measurements with a little noise added on purpose. For any F, whatever is inside it (networks, solvers, the
scale, noise of its own), any fixed image t, and ``e(z) = ||F(z) - t||``: draw ``e_i = e(y + zeta_i)``, i = 1..n, sort
them, and take

    pbar = Phi(Phi^-1(p) + eps / sigma),    k = min{k : P(Bin(n, pbar) >= k) <= alpha}.

With probability at least ``1 - alpha`` over the draws, every ``delta`` on the sampled entries, ``||delta||_2 <= eps``,
has

    P(||F(y + delta + zeta) - t|| <= e_(k)) >= p.

*Proof.* Let ``G(r) = P(e(y + zeta) <= r)`` and ``q = inf{r : G(r) >= pbar}``. For r < q, G(r) < pbar, so
``P(e < q) <= pbar``. The order statistic falls below q only if at least k of n draws do, so
``P(e_(k) < q) <= P(Bin(n, pbar) >= k) <= alpha``. Otherwise ``G(e_(k)) >= G(q) >= pbar``, for G is continuous from the
right. The probability that F's own noise leaves ``e(z) <= e_(k)`` is a function h of z into [0, 1], with
``E h(y + zeta) >= pbar``. Of all such functions a half-space loses most when the Gaussian moves by delta (Neyman and
Pearson; Cohen, Rosenfeld, Kolter 2019), so ``E h(y + delta + zeta) >= Phi(Phi^-1(pbar) - ||delta|| / sigma) >= p``.

What it needs: sigma and t are chosen without looking at the draws, and sigma without looking at y, or whoever perturbs
y moves sigma too. F may take its scale from the noisy measurements, as reconstructors here do. One set of draws serves
every eps, but the failures at different eps are different events: the curve holds point by point, each with confidence
``1 - alpha``. Divide alpha by the number of statements (Bonferroni) and all hold at once.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import special
from torch import Tensor

from smug.bounds.bound import Certified
from smug.evaluation_mode import check_mode
from smug.models.noise import Seeds, derive, entry_seeds, normal
from smug.models.noise_map import RECEIVER
from smug.physics.operator import Operator, check_measurements, operator
from smug.physics.parts import parts
from smug.reconstructor import Reconstructor, Wrapper, comparable, taking_generator
from smug.system.arguments import check_arguments, check_integer

FRESH_DRAWS = 8
"""Draws behind the PSNR of the release on clean data; none of them is among those of the certificate."""

CERTIFICATE, FRESH = range(2)
"""Streams of draws."""

APART = 1e-3
"""By how much, relatively, the error of a draw may differ alone and among others: half precision leaves less."""


@dataclass(frozen=True, eq=False)
class Release(Wrapper):
    """The reconstructor ``F(y + zeta)``: ``sigma`` is that of zeta per part of the sampled entries, in units of y."""

    reconstructor: Reconstructor
    sigma: float

    def __post_init__(self) -> None:
        """Check the value."""
        if not 0 < self.sigma < math.inf:
            raise ValueError(f"sigma: expected a finite number > 0, got {self.sigma}")

    def __call__(self, y: Tensor, A: Operator, generator: Seeds = None) -> Tensor:
        """Reconstruct ``(batch, y, x)`` from measurements ``(batch, ...)`` and fresh noise."""
        A = check_measurements(y, A)
        seeds = entry_seeds(generator, y.shape[0])
        zeta = normal(derive(seeds, RECEIVER), y.shape[1:], y.dtype, y.device)
        return taking_generator(self.reconstructor)(y + self.sigma * A.sampled * zeta, A, generator=seeds)

    def unscaled(self) -> Reconstructor:
        """Return the release itself: it has no scale, since its noise has the unit of y."""
        return self


@dataclass(frozen=True)
class Point:
    """One eps of a curve, an l2 norm in units of y, and relative to that of the sampled measurements (inf of none).

    ``error`` bounds ``||F(y + delta + zeta) - t||``; ``psnr`` is the same in dB, of the complex difference, with the
    peak of t. That of magnitudes is never lower.
    """

    eps: float
    relative_l2: float
    error: Certified
    psnr: float


@dataclass(frozen=True)
class Curve:
    """What is certified of one slice with one sigma; ``clean_psnr`` is the release's mean over fresh draws, in dB."""

    sigma: float
    draws: int
    p: float
    alpha: float
    clean_psnr: float
    points: tuple[Point, ...]


def shifted_level(eps_over_sigma: float, p: float = 0.5) -> float:
    """Return ``pbar = Phi(Phi^-1(p) + eps / sigma)``, the probability needed without the perturbation.

    >>> round(shifted_level(1.0), 3)
    0.841
    """
    if not (0 < p < 1 and 0 <= eps_over_sigma < math.inf):
        raise ValueError(f"expected 0 < p < 1 and a finite eps / sigma >= 0, got {p} and {eps_over_sigma}")
    return float(special.ndtr(special.ndtri(p) + eps_over_sigma))


def order(n: int, pbar: float, alpha: float = 0.05) -> int:
    """Return ``k = min{k : P(Bin(n, pbar) >= k) <= alpha}``; ``n + 1`` where n draws do not reach so far.

    >>> order(100, 0.841), order(100, 0.99)
    (91, 101)
    """
    if n < 1 or not (0 < alpha < 1 and 0 < pbar <= 1):
        raise ValueError(f"expected n >= 1, 0 < pbar <= 1 and 0 < alpha < 1, got {n}, {pbar} and {alpha}")
    k = np.arange(1, n + 1)
    tails = special.betainc(k, n - k + 1, pbar)  # P(Bin(n, pbar) >= k), which falls with k
    return 1 + int((tails > alpha).sum())


@check_arguments
def needed_draws(eps_over_sigma: float, p: float = 0.5, alpha: float = 0.05) -> int:
    """Return the least n that certifies anything at this eps: ``pbar^n <= alpha``.

    >>> [needed_draws(ratio) for ratio in (1, 1.5, 2, 2.5, 3)]
    [18, 44, 131, 481, 2218]
    """
    beyond = special.ndtr(-special.ndtri(p) - eps_over_sigma)  # 1 - pbar, to all digits
    shifted_level(eps_over_sigma, p)
    return math.ceil(math.log(alpha) / math.log1p(-beyond)) if beyond > 0 else 2**63


def certified_error(
    errors: Tensor, eps_over_sigma: float, *, p: float = 0.5, alpha: float = 0.05, statements: int = 1
) -> Certified:
    """Return ``e_(k)`` of the errors ``(n,)`` of n draws of the release; infinite, hence vacuous, where n is too few.

    ``statements`` divides alpha, so that as many hold at once. Raises
    ValueError for errors of another shape and for values out of range.
    """
    if errors.ndim != 1 or statements < 1:
        raise ValueError(f"expected errors (n,) and statements >= 1, got {tuple(errors.shape)} and {statements}")
    n = len(errors)
    k = order(n, shifted_level(eps_over_sigma, p), alpha / statements)
    ranked = errors.sort().values  # NaN counts as the largest
    together = f", {statements} statements at once" if statements > 1 else ""
    return Certified(
        float(ranked[k - 1]) if k <= n else math.inf,
        f"||F(y + delta + zeta) - t|| with probability >= {p:g}, for all ||delta||_2 <= {eps_over_sigma:g} sigma",
        (
            f"order statistic {k} of {n} draws" if k <= n else f"{n} draws do not reach so far",
            f"confidence {1 - alpha:g}{together}",
            "sigma was fixed before y was seen; mask and maps are not perturbed",
        ),
        alpha=alpha,
        name="percentile ball",
    )


def release_errors(
    f: Reconstructor,
    y: Tensor,
    A: Operator,
    target: Tensor,
    sigma: float,
    seeds: Tensor,
    *,
    chunk: int = 8,
    advance: Callable[[int], None] | None = None,
) -> Tensor:
    """Return ``||F(y + zeta_i) - t||`` of one slice, float64 ``(draws,)``: a draw for each of the seeds.

    Real magnitudes are compared with that of the target. It is infinite where an image is not finite. ``y`` are
    measurements ``(1, ...)``, ``target`` ``(1, y, x)``, ``seeds`` int64; ``chunk`` draws are reconstructed at a time.
    ``advance`` is called with the number of draws just done. Raises ValueError for several slices.
    """
    if y.shape[0] != 1 or target.shape != operator(A).blank(y).shape:
        raise ValueError(
            "expected measurements y (1, ...) and target (1, y, x) of one slice, "
            f"got {tuple(y.shape)} and {tuple(target.shape)}"
        )
    release = Release(f, sigma)
    errors = []
    with torch.no_grad():
        for some in torch.split(seeds, chunk):
            images = release(y.expand(len(some), *y.shape[1:]), A, generator=some)
            difference = parts(images - comparable(target, images)).flatten(1)
            errors.append(torch.linalg.vector_norm(difference, dim=1, dtype=torch.float64))
            if advance is not None:
                advance(len(some))
    return torch.cat(errors).nan_to_num(nan=math.inf, posinf=math.inf)


@check_arguments
def percentile_curve(
    f: Reconstructor,
    y: Tensor,
    A: Operator,
    target: Tensor,
    sigma: float,
    ratios: Sequence[float],
    *,
    draws: int = 200,
    p: float = 0.5,
    alpha: float = 0.05,
    statements: int = 1,
    generator: Seeds = None,
    chunk: int = 8,
    advance: Callable[[int], None] | None = None,
) -> Curve:
    """Certify the release of one slice at ``eps = ratio * sigma`` for all ratios, from one set of draws.

    ``y`` are measurements ``(1, ...)``, ``target`` ``(1, y, x)``, ``sigma`` in units of y. It costs ``draws``,
    :data:`FRESH_DRAWS` and one more reconstructions. With ``statements=len(ratios)`` the curve holds as a whole, else
    point by point. Raises ValueError for values out of range, a network in training mode, and where the draws of a
    ``chunk`` see each other.
    """
    A = check_measurements(y, A)
    check_mode(f)
    for name, count in (("draws", draws), ("statements", statements), ("chunk", chunk)):
        check_integer(name, count, 1)
    seed = entry_seeds(generator, y.shape[0])[:1]

    def alone() -> float:
        return float(release_errors(f, y, A, target, sigma, draw_seeds(seed, CERTIFICATE, 1)))

    errors, fresh = (
        release_errors(f, y, A, target, sigma, draw_seeds(seed, stream, count), chunk=chunk, advance=advance)
        for stream, count in ((CERTIFICATE, draws), (FRESH, FRESH_DRAWS))
    )
    _check_apart(float(errors[0]), alone)
    psnr, norm = psnr_of(target), float(torch.linalg.vector_norm(torch.where(A.support(y), y, 0)))
    points = []
    for ratio in ratios:
        error = certified_error(errors, ratio, p=p, alpha=alpha, statements=statements)
        relative = ratio * sigma / norm if norm else math.inf
        points.append(Point(ratio * sigma, relative, error, float(psnr(torch.tensor(error.value)))))
    return Curve(sigma, draws, p, alpha, float(psnr(fresh).mean()), tuple(points))


def _check_apart(together: float, alone: Callable[[], float]) -> None:
    """Raise ValueError for a draw that is another one alone than among others, unless it is another one every time."""
    once = alone()
    if not math.isclose(together, once, rel_tol=APART) and math.isclose(once, alone(), rel_tol=APART):
        raise ValueError(
            "certificate: expected draws that do not depend on each other, got a reconstructor that mixes the images "
            f"of a batch: an error of {once:.5g} is {together:.5g} among others; smug.foreign.slicewise(f) gives it "
            "one image at a time"
        )


def draw_seeds(seed: Tensor, stream: int, draws: int) -> Tensor:
    """Return one seed per draw, int64 ``(draws,)``, below a seed ``(1,)`` and a stream."""
    if draws < 1:
        raise ValueError(f"draws: expected at least 1, got {draws}")
    return torch.cat([derive(seed, stream, draw) for draw in range(draws)])


def psnr_of(target: Tensor) -> Callable[[Tensor], Tensor]:
    """Return the map from errors ``||x - t||`` to the PSNR of the complex difference: peak^2 q / error^2, in dB.

    ``target`` is one image ``(1, y, x)`` of q pixels.
    """
    reach = float(target.abs().max()) * math.sqrt(target[0].numel())
    return lambda errors: 20 * torch.log10(reach / errors.double())
