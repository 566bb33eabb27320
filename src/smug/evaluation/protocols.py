"""The protocols by name: which conditions, and how many draws of a reconstructor's own noise score it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from smug.attacks import PGD, Threat
from smug.attacks.pgd import PAPER
from smug.attacks.presets import fast, standard
from smug.attacks.surrogate import noise_free
from smug.data.scan import Scan
from smug.diagnosis import Diagnosis, diagnose, repeatable
from smug.evaluation.conditions import (
    Condition,
    attacked,
    clean,
    known_noise,
    noisy,
    noisy_relative,
    random_within,
    shifted,
    with_setting,
    worst_case,
    worst_within,
)
from smug.evaluation.held import level_held
from smug.reconstructor import Reconstructor
from smug.shifts import FAMILIES, SHIFTS, model

DRAWS = 8
"""Draws of its noise that a stochastic reconstructor is scored on."""


@dataclass(frozen=True)
class Protocol:
    """Conditions, and how many ``draws`` of its noise a stochastic reconstructor is scored on; what it is for.

    ``diagnose`` says for a reconstructor and a scan whether numbers of attacks can be trusted.
    """

    about: str
    conditions: tuple[Condition, ...]
    draws: int = 1
    diagnose: Callable[[Reconstructor, Scan], Diagnosis] | None = None


def _paper() -> Protocol:
    return Protocol(
        "the paper's columns with the authors' attack, at both of its sizes",
        (
            clean(),
            noisy(0.01),
            noisy(0.02),
            attacked(Threat(0.02, "linf", "image-max"), PAPER, "PGD"),
            attacked(Threat(0.05, "linf", "image-max"), PAPER, "PGD"),
        ),
    )


def _demo() -> Protocol:
    return Protocol(
        "random noise and an attack of the same l2 norm",
        (
            clean(),
            noisy_relative(0.05),
            attacked(Threat(0.05, "l2", "kspace-l2"), PGD(steps=10), "PGD"),
        ),
    )


def _fast(epsilons: Sequence[float] = (0.01,)) -> Protocol:
    """Ten steps from the noise-free gradient, beside random noise of the same norm."""
    attack = partial(fast, score_draws=2)  # the rows have draws of their own
    conditions = (c for e in epsilons for c in (*_noise(e), worst_case(_l2(e), "fast", attack)))

    def diagnosed(f: Reconstructor, scan: Scan) -> Diagnosis:
        """Check the reconstructor's noise, then the network whose gradient is used."""
        threat = _l2(max(epsilons))
        first = repeatable(f, scan, threat)
        return first if first.unreliable else diagnose(level_held(noise_free(f), scan), scan, threat)

    return Protocol("a strong attack in ten steps beside noise of its norm", (clean(), *conditions), DRAWS, diagnosed)


def _standard(epsilons: Sequence[float] = (0.005, 0.01, 0.025)) -> Protocol:
    """All attacks, also by whoever knows the noise, beside random noise of the same norm."""

    def at(epsilon: float) -> Iterator[Condition]:
        attack = worst_case(_l2(epsilon), "standard", standard)
        yield from (*_noise(epsilon), attack, known_noise(attack))

    conditions = (condition for epsilon in epsilons for condition in at(epsilon))

    def diagnosed(f: Reconstructor, scan: Scan) -> Diagnosis:
        return diagnose(level_held(f, scan), scan, _l2(max(epsilons)))

    return Protocol("the strongest of many attacks beside noise of its norm", (clean(), *conditions), DRAWS, diagnosed)


def _shifts() -> Protocol:
    """Everything that may differ from what a reconstructor was made for, at the usual severities."""
    return Protocol(
        "other noise, masks, maps, positions and contrasts, lesions, steps and smoothing",
        (
            clean(),
            *(shifted(shift, severity) for shift in SHIFTS.values() for severity in shift.severities),
            *(with_setting("steps", model.steps, steps, clean()) for steps in model.STEPS),
            *(with_setting("sigma", model.sigma, sigma, clean()) for sigma in model.SIGMAS),
        ),
    )


FAMILY_BOUNDS = {"motion": 1.0, "spikes": 0.1, "ghost": 10.0, "gain-drift": 0.1, "off-resonance": 1.0}
"""Sizes of perturbations by patient and scanner, in the units of their families."""


def _scanner() -> Protocol:
    """Everything by patient and scanner: the worst that the search finds beside a random one of its size."""
    pairs = ((FAMILIES[name], bound) for name, bound in FAMILY_BOUNDS.items())
    conditions = (within(*pair) for pair in pairs for within in (random_within, worst_within))
    return Protocol(
        "motion, spikes, ghosts, drifting gains, off-resonance: random ones beside the worst", (clean(), *conditions)
    )


def _noise(epsilon: float) -> tuple[Condition, Condition]:
    in_range = shifted(SHIFTS["noise-in-range"], epsilon, f"noise in range {100 * epsilon:g}%")
    return noisy_relative(epsilon), in_range


def _l2(epsilon: float) -> Threat:
    return Threat(epsilon, "l2", "kspace-l2")


PROTOCOLS: Mapping[str, Protocol] = {
    "clean": Protocol("no perturbation", (clean(),)),
    "paper": _paper(),
    "demo": _demo(),
    "fast": _fast(),
    "standard": _standard(),
    "shifts": _shifts(),
    "scanner": _scanner(),
}
"""What ``smug evaluate --protocol`` and ``smug demo`` run."""

SIZED: Mapping[str, Callable[[Sequence[float]], Protocol]] = {"fast": _fast, "standard": _standard}
"""The protocols that are made for any sizes of perturbations, relative to the l2 norm of the measurements."""


def protocol(name: str, epsilons: Sequence[float] = ()) -> Protocol:
    """Return a protocol, at some sizes of perturbations instead of its own.

    Raises ValueError for an unknown name, and for sizes where the protocol has fixed ones or that are not positive.
    """
    if name not in PROTOCOLS:
        raise ValueError(f"protocol: expected one of {', '.join(PROTOCOLS)}, got {name!r}")
    if not epsilons:
        return PROTOCOLS[name]
    if name not in SIZED:
        raise ValueError(f"epsilon: protocol {name!r} has sizes of its own; {', '.join(SIZED)} take others")
    if not all(0 < epsilon < float("inf") for epsilon in epsilons):
        raise ValueError(f"epsilon: expected positive numbers, relative to the measurements, got {list(epsilons)}")
    return SIZED[name](tuple(sorted(set(epsilons))))
