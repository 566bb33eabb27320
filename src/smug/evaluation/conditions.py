"""What a reconstructor is tested under: clean data, random noise, attacks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from smug.attacks import PGD, Rule, Threat, attack, relative_l2, to_target
from smug.attacks.pgd import PAPER
from smug.data.scan import Scan
from smug.models.noise import complex_normal, derive
from smug.reconstructor import Reconstructor

Perturb = Callable[[Reconstructor, Scan, Tensor], Tensor]
"""``(reconstructor, scan, seeds) -> k-space (batch, coil, y, x)``; one seed per slice."""


@dataclass(frozen=True)
class Condition:
    """A named way to perturb the measurements; what it does stands in ``description``."""

    name: str
    description: str
    perturb: Perturb


def clean() -> Condition:
    """Return the condition that changes nothing."""
    return Condition("clean", "the measurements as they are", lambda f, scan, seeds: scan.y)


def noisy(level: float) -> Condition:
    """Return white Gaussian noise on the sampled entries, ``level * max|t|`` per real and imaginary part."""

    def perturb(f: Reconstructor, scan: Scan, seeds: Tensor) -> Tensor:
        sigma = level * scan.truth.abs().amax((-2, -1))[:, None, None, None]
        noise = complex_normal(derive(seeds, 0), scan.y.shape[1:], scan.y.dtype, scan.y.device)
        return scan.y + scan.A.sampled * sigma * noise

    return Condition(f"noise {level:g}", f"Gaussian noise, {level:g} of the image's maximum per part", perturb)


def noisy_relative(size: float) -> Condition:
    """Return white Gaussian noise on the sampled entries, of l2 norm ``size * ||y||``: random, where PGD is not."""

    def perturb(f: Reconstructor, scan: Scan, seeds: Tensor) -> Tensor:
        noise = scan.A.sampled * complex_normal(derive(seeds, 0), scan.y.shape[1:], scan.y.dtype, scan.y.device)
        return scan.y + size * noise / relative_l2(noise, scan.y, scan.A)[:, None, None, None]

    return Condition(f"noise {size:.0%}", f"Gaussian noise of l2 norm {size:.0%} of the measurements'", perturb)


def attacked(threat: Threat, rule: Rule[Any], name: str) -> Condition:
    """Return a worst-case perturbation of the squared error, made for each reconstructor from its own gradients."""

    def perturb(f: Reconstructor, scan: Scan, seeds: Tensor) -> Tensor:
        result = attack(f, scan.y, scan.A, scan.truth, threat, rule=rule, objective=to_target, generator=seeds)
        return scan.y + result.delta

    return Condition(f"{name} {threat.norm} {threat.value:g}", f"{name}: {rule.steps} steps, {threat}", perturb)


PROTOCOLS: dict[str, tuple[Condition, ...]] = {
    "clean": (clean(),),
    "paper": (
        clean(),
        noisy(0.01),
        noisy(0.02),
        attacked(Threat(0.02, "linf", "image-max"), PAPER, "PGD"),
        attacked(Threat(0.05, "linf", "image-max"), PAPER, "PGD"),
    ),
    "demo": (
        clean(),
        noisy_relative(0.05),
        attacked(Threat(0.05, "l2", "kspace-l2"), PGD(steps=10), "PGD"),
    ),
}
"""``clean``: no perturbation. ``paper``: the paper's columns with the authors' attack, at both of its sizes. ``demo``:
random noise and an attack of the same l2 norm."""
