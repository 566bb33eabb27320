"""All deterministic bounds that apply to a reconstructor, each proved or estimated as its type says."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from smug.bounds import chain
from smug.bounds.bound import FROZEN, Certified, Estimate
from smug.bounds.lipschitz import proved_modulus, proved_sector
from smug.bounds.ridge_bound import ridge_bound, ridge_convexity
from smug.bounds.sector_bound import sector_bound
from smug.bounds.spectrum import Spectrum
from smug.models.classical import CGSense, ZeroFilled
from smug.models.lam import ResidualLam
from smug.models.level import takes_level
from smug.models.reconstructors import RSE2E, SMUG, MoDL, WeightedSMUG
from smug.models.ridge_reconstruction import Ridge
from smug.models.sector import Sector
from smug.models.weight_encoder import WeightEncoder
from smug.physics.operator import Operator, operator
from smug.reconstructor import Reconstructor, Wrapper, described
from smug.system.arguments import check_arguments
from smug.system.user_code import is_ours, name_of

NETWORKS = (MoDL, SMUG, WeightedSMUG, RSE2E)

EXPECTATION = "infinitely many noise draws in every unrolling step"


@dataclass(frozen=True, eq=False)
class Setting:
    """What a bound is computed from: reconstructor, spectrum of A, ``radius = max ||d||``, facts about the denoiser."""

    f: Any
    spectrum: Spectrum
    radius: float
    pixels: int
    sector: Sector | None
    modulus: float
    sector_proved: bool
    modulus_proved: bool

    @property
    def steps(self) -> int:
        """Unrolling steps."""
        return int(self.f.steps)

    @property
    def lam(self) -> float:
        """The weight of data consistency."""
        return float(self.f.lam)

    @property
    def jump(self) -> float:
        """M: twice the largest norm of what the denoiser returns."""
        return chain.bounded_modulus(self.modulus, self.pixels)

    @property
    def trivial(self) -> float:
        """The trivial bound of a denoiser whose pixels have a bounded modulus."""
        return chain.trivial(self.spectrum, self.lam, self.jump, self.radius)

    @property
    def smoothing_sigma(self) -> float:
        """The standard deviation of the smoothing noise; 0 without smoothing."""
        smoothing = described(self.f).settings().get("smoothing")
        return smoothing.sigma if smoothing is not None and smoothing.num_samples else 0.0


@check_arguments
def deterministic_bounds(
    f: Reconstructor,
    A: Operator,
    *,
    radius: float = 1.0,
    shape: tuple[int, int] | None = None,
    residual: float | None = None,
    modulus: float = 1.0,
) -> list[Certified | Estimate]:
    """Return bounds of ``||F(y + d) - F(y)||`` for all y and all perturbations with ``||d|| <= radius``.

    ``f`` is a MoDL, SMUG, Weighted SMUG, RS-E2E, ridge, CG-SENSE or zero-filled reconstructor, or a Normalised or a
    Model around one; norms are l2, of a slice, of all its measurements. At ``radius = 1`` the bounds in proportion to
    ``||d||`` are the constants C; for the saturating one the unit matters, that of normalised k-space. Where A has
    several images, the bounds hold for each. ``shape`` is that of the image, for an A that does not tell.

    A bound is ``Certified`` where all that it needs is proved of the denoiser (see :mod:`smug.bounds.lipschitz`). Else
    it is an ``Estimate``: from ``residual``, the user's number for ``Lip(D - I)``, and ``modulus``, for the largest
    modulus of a denoised pixel; or because it is about an expectation, where smoothing has a finite number of draws.
    ``vacuous`` says that clipping the denoised image at that modulus gives as much. Weights that depend on the noisy
    image break the bounds by ``Lip(D - I)`` and by sectors: Weighted SMUG has none of these, unless without noise.

    Raises ValueError for other reconstructors, also for a user's class that inherits from one of them, for a radius
    that is not positive, and where the shape is not known.
    """
    if not 0 < radius < float("inf"):
        raise ValueError(f"radius: expected a positive number, got {radius}")
    f = _innermost(f)
    if isinstance(f, CGSense | ZeroFilled):
        return _of_linear(f, Spectrum.of(A), radius)
    if isinstance(f, Ridge):
        return _of_ridge(f, radius)
    f = _of_one_map(f)
    height, width = _shape(A, shape)
    proved, limit = proved_sector(f.denoiser), proved_modulus(f.denoiser)
    guess = None if residual is None else Sector(1 - residual, 1 + residual)
    setting = Setting(
        f,
        Spectrum.of(A),
        radius,
        height * width,
        sector=proved or guess,
        modulus=modulus if limit is None else limit,
        sector_proved=proved is not None,
        modulus_proved=limit is not None,
    )
    return [bound for family in (_of_expectation, _of_sector, _of_modulus) for bound in family(setting)]


def _innermost(f: Reconstructor) -> Reconstructor:
    """Return the reconstructor inside all wrappers; raises ValueError for users' code, which nothing is known of."""
    while is_ours(f) and isinstance(f, Wrapper):
        f = f.reconstructor
    if not is_ours(f):
        raise _unknown(f)
    return f


def _unknown(f: Reconstructor) -> ValueError:
    return ValueError(
        "deterministic bounds: expected a MoDL, SMUG, Weighted SMUG, RS-E2E, ridge, CG-SENSE or zero-filled "
        f"reconstructor, got {name_of(f)}; the percentile certificate holds for any"
    )


def _of_one_map(f: Reconstructor) -> MoDL | SMUG | WeightedSMUG | RSE2E:
    """Return a reconstructor whose steps are one map, whatever the measurements; raises ValueError for others."""
    if not isinstance(f, NETWORKS):
        raise _unknown(f)
    if isinstance(f.lam, ResidualLam):
        raise ValueError(
            "deterministic bounds: expected a fixed lam, got one that follows the measurements; "
            "f.replace(lam=0.1) has bounds, and the percentile certificate holds for any reconstructor"
        )
    if f.settings().get("first") is not None:
        raise ValueError(
            "deterministic bounds: expected A^H y as the first image, got one that is reconstructed; "
            "f.replace(first=None) has bounds, and the percentile certificate holds for any reconstructor"
        )
    if takes_level(f.denoiser):
        raise ValueError(
            "deterministic bounds: expected a denoiser that is one map, got one that is told the noise level, which "
            "follows the measurements; the percentile certificate holds for any reconstructor"
        )
    return f


def _of_expectation(s: Setting) -> Iterator[Estimate]:
    """Yield estimates for smoothing by its exact expectation, which the model approximates by random draws."""
    if not isinstance(s.f, SMUG | WeightedSMUG) or not s.smoothing_sigma:
        return
    spectrum, lam, sigma = s.spectrum, s.lam, s.smoothing_sigma
    jump = s.jump
    if isinstance(s.f, WeightedSMUG):
        if not isinstance(s.f.encoder, WeightEncoder):
            return
        jump = 1.5 * s.jump / s.f.encoder.minimum  # ||g(x') - g(x)|| <= 3 B (w_max / w_min) TV, w_max = 1
    else:
        alpha = spectrum.inverse_norm(lam)
        C = chain.constant(spectrum.norm, alpha, s.jump, sigma, s.steps, lam)
        yield _expected(s, C * s.radius, "theorem 1" if lam == 1 else "theorem 1, general lam")
    C = chain.linear(spectrum, s.steps, lam, chain.smoothed_lipschitz(jump, sigma))
    yield _expected(s, C * s.radius, "corrected chain")
    yield _expected(s, chain.saturating(spectrum, s.steps, lam, sigma, jump, s.radius), "saturating chain")


def _of_sector(s: Setting) -> Iterator[Certified | Estimate]:
    """Yield the bound from the denoiser's sector; it holds with smoothing too, whose noise shifts both inputs alike."""
    if s.sector is None or (isinstance(s.f, WeightedSMUG) and s.smoothing_sigma):
        return
    rho, L = s.sector.residual, s.sector.lipschitz
    structured = chain.residual_bound(s.spectrum, s.steps, s.lam, rho)
    yield _sectored(s, s.sector, structured, f"structure-aware, rho = {rho:.3g}")
    yield _sectored(s, s.sector, chain.linear(s.spectrum, s.steps, s.lam, L), f"Lipschitz chain, L = {L:.3g}")
    yield _sectored(s, s.sector, sector_bound(s.spectrum, s.steps, s.lam, s.sector), "sharpest by sector")


def _of_modulus(s: Setting) -> Iterator[Certified]:
    """Yield the trivial bound of a clipped denoiser, which holds for any smoothing and weights."""
    if s.modulus_proved:
        known = (f"denoised pixels are clipped to a modulus of {s.modulus:g}", *FROZEN)
        yield Certified(s.trivial, _statement(s.radius), known, name="trivial", vacuous=True)


def _of_linear(f: CGSense | ZeroFilled, spectrum: Spectrum, radius: float) -> list[Certified | Estimate]:
    if isinstance(f, ZeroFilled):
        return [Certified(spectrum.norm * radius, _statement(radius), FROZEN, name="||A||")]
    if f.lam == 0:
        return []
    return [Certified(spectrum.gain(f.lam) * radius, _statement(radius), FROZEN, name="max s / (s^2 + lam)")]


def _of_ridge(f: Ridge, radius: float) -> list[Certified | Estimate]:
    if (convexity := ridge_convexity(f)) <= 0:
        return []
    assumed = (f"R is {'convex' if f.regulariser.convex else 'weakly convex'} by construction", "lam, sigma are frozen")
    value = (1 + float(torch.as_tensor(f.tau).max())) * ridge_bound(radius, convexity)
    name = f"(1 + tau) / (2 sqrt({'tau' if f.regulariser.convex else 'tau - lam rho'}))"
    return [Certified(value, _statement(radius), (*assumed, *FROZEN), name=name)]


def _expected(s: Setting, value: float, name: str) -> Estimate:
    clipped = "are clipped to" if s.modulus_proved else "are assumed to have"
    known = (f"denoised pixels {clipped} a modulus of at most {s.modulus:g}", EXPECTATION, *FROZEN)
    return Estimate(value, _statement(s.radius), known, name=name, vacuous=value >= s.trivial)


def _sectored(s: Setting, sector: Sector, C: float, name: str) -> Certified | Estimate:
    value, statement = C * s.radius, _statement(s.radius)
    if s.sector_proved:
        known = (f"D in the sector [{sector.low:.3g}, {sector.high:.3g}], by construction", *FROZEN)
        return Certified(value, statement, known, name=name, vacuous=s.modulus_proved and value >= s.trivial)
    known = (f"Lip(D - I) <= {sector.residual:.3g} is taken for granted", *FROZEN)
    return Estimate(value, statement, known, name=name, vacuous=value >= s.trivial)


def _statement(radius: float) -> str:
    return f"||F(y + d) - F(y)|| for every ||d|| <= {radius:.4g}"


def _shape(A: Operator, shape: tuple[int, int] | None) -> tuple[int, int]:
    if shape is not None:
        return shape
    if (size := operator(A).image_size) is None:
        raise ValueError(f"shape: expected (y, x) of the image for {A}, which does not tell its height")
    return size
