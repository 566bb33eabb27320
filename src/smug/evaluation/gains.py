"""How much a reconstructor amplifies perturbations of a slice: the largest found, and proved upper bounds."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

from torch import Tensor

from smug.attacks import PGD, Threat, attack, to_clean
from smug.attacks import start as starts
from smug.bounds.bound import Bound
from smug.bounds.deterministic import deterministic_bounds
from smug.bounds.gain import local_gain
from smug.bounds.lipschitz import measured_residual
from smug.data.scan import Scan
from smug.evaluation.held import scale_held, scale_of
from smug.models.noise import derive
from smug.reconstructor import Reconstructor, described
from smug.threat import measured_numbers

ITERATIONS, PROBES, STEPS = 5, 1, 2
"""Few, for what they cost: on the shipped models twice as many iterations found 3 % more, with the steps 0.3 %."""

GAIN_RECONSTRUCTIONS, GAIN_GRADIENTS = 9, 12
"""About how many the gains of a slice take: a product with J or its adjoint counts as a gradient."""

OWN, LOCAL, START = range(3)
"""Streams of random numbers."""


@dataclass(frozen=True)
class GainRow:
    """How many times F amplifies perturbations of one slice, with the scale and its own noise frozen.

    ``average`` is the estimated gain on random noise, ``local`` the largest of infinitesimal perturbations that was
    found, ``attack`` is ``||F(y + d) - F(y)|| / eps`` for an attack of l2 norm ``eps``, and ``bounds`` are of it.
    """

    model: str
    slice: str
    average: float
    local: float
    attack: float
    eps: float
    bounds: tuple[Bound, ...]

    @property
    def worst(self) -> float:
        """The largest gain that was found."""
        return max(self.local, self.attack)

    def document(self) -> dict[str, Any]:
        """Return plain values; a bound carries the name of its kind."""
        bounds = [{"kind": type(bound).__name__, **asdict(bound)} for bound in self.bounds]
        return asdict(self) | {"worst": self.worst, "bounds": bounds}


def gain_row(f: Reconstructor, scan: Scan, eps: float, name: str, seeds: Tensor) -> GainRow:
    """Return the gains of ``f`` on one slice; the attack of l2 norm ``eps`` starts from the worst local direction."""
    held, own = scale_held(f, scan), derive(seeds, OWN)

    def F(y: Tensor, A: Any, generator: Any = None) -> Tensor:
        return held(y, A, generator=own)

    y, A = scan.y, scan.A
    local = local_gain(F, y, A, iterations=ITERATIONS, probes=PROBES, generator=derive(seeds, LOCAL))
    rule = PGD(STEPS, start=starts.warm_start(eps * local.vector))
    threat = l2_threat(scan, eps)
    found = attack(F, scan, threat, rule=rule, objective=to_clean, generator=derive(seeds, START))
    moved = math.sqrt(float(found.objective) * scan.truth[0].numel())
    attacked, bounds = moved / eps, bounds_at(f, scan, eps)
    return GainRow(name, scan.id[0], float(local.average), float(local.worst), attacked, eps, bounds)


def bounds_at(f: Reconstructor, scan: Scan, eps: float) -> tuple[Bound, ...]:
    """Return the deterministic bounds of ``||F(y + d) - F(y)|| / eps`` for all ``||d|| <= eps`` that are known."""
    radius, (height, width) = eps / scale_of(f, scan), scan.truth.shape[-2:]
    try:
        found = deterministic_bounds(f, scan.A, radius=radius, shape=(height, width), residual=_residual(f, scan))
    except ValueError:  # a reconstructor that nothing is known about
        return ()
    statement = f"||F(y + d) - F(y)|| / {eps:.4g} for every ||d|| <= {eps:.4g}"
    return tuple(replace(bound, value=bound.value / radius, statement=statement) for bound in found)


def _residual(f: Reconstructor, scan: Scan) -> float | None:
    """Return the largest Lip(D - I) seen at the zero-filled image, for estimates; None where there is no denoiser."""
    denoiser = described(f).settings().get("denoiser")
    return denoiser and measured_residual(denoiser, scan.A.H(scan.y) / scale_of(f, scan)).value


def l2_threat(scan: Scan, eps: float) -> Threat:
    """Return the threat of one slice whose radius is ``eps``, in units of y."""
    level = eps / math.sqrt(float(measured_numbers(scan.y, scan.A)))
    return Threat(1.0, "l2", "noise", noise_sigma=level)
