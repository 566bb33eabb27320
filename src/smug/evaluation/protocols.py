"""The protocols by name: which conditions, and how many draws of a reconstructor's own noise score it."""

from collections.abc import Mapping
from dataclasses import dataclass

from smug.attacks import PGD, Threat
from smug.attacks.pgd import PAPER
from smug.evaluation.conditions import Condition, attacked, clean, noisy, noisy_relative


@dataclass(frozen=True)
class Protocol:
    """Conditions, and how many ``draws`` of its noise a stochastic reconstructor is scored on; what it is for."""

    about: str
    conditions: tuple[Condition, ...]
    draws: int = 1


PROTOCOLS: Mapping[str, Protocol] = {
    "clean": Protocol("no perturbation", (clean(),)),
    "paper": Protocol(
        "the paper's columns with the authors' attack, at both of its sizes",
        (
            clean(),
            noisy(0.01),
            noisy(0.02),
            attacked(Threat(0.02, "linf", "image-max"), PAPER, "PGD"),
            attacked(Threat(0.05, "linf", "image-max"), PAPER, "PGD"),
        ),
    ),
    "demo": Protocol(
        "random noise and an attack of the same l2 norm",
        (
            clean(),
            noisy_relative(0.05),
            attacked(Threat(0.05, "l2", "kspace-l2"), PGD(steps=10), "PGD"),
        ),
    ),
}
"""What ``smug evaluate --protocol`` and ``smug demo`` run."""
