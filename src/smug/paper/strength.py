"""Figures 8 and 13: PSNR over the strength of the worst case."""

from smug.attacks import Threat
from smug.attacks.pgd import PAPER
from smug.evaluation.conditions import Condition, attacked, clean
from smug.paper.curves import Axis, Sweep
from smug.paper.exhibit import Exhibit, Result
from smug.paper.sweeps import ALL, swept
from smug.paper.workshop import Workshop

EPSILON = 0.02
"""That of the other figures, and of the authors' code."""

EPSILONS = (0.0, 0.01, 0.02, 0.03, 0.05)
"""Largest real or imaginary part of the perturbation, over the image's maximum."""

AXIS = Axis("epsilon", "ε: largest part of perturbation / image maximum", lambda x: f"{x:g}".replace("0.", "."))

TARGETS = (
    "smug",
    "smug-target",
    "smug-denoised-iterate",
    "smug-frozen-denoised-target",
    "smug-frozen-denoised-iterate",
)
"""SMUG, and with what else UStab, equation (7), pulls towards."""


def pgd(epsilon: float) -> Condition:
    """Return the authors' attack at a strength; clean data at none."""
    return attacked(Threat(epsilon, "linf", "image-max"), PAPER, "PGD") if epsilon else clean()


SWEEP = Sweep({epsilon: pgd(epsilon) for epsilon in EPSILONS})


def _fig8(workshop: Workshop) -> Result:
    return swept(workshop, ALL, (SWEEP,), AXIS)


def _fig13(workshop: Workshop) -> Result:
    notes = ("What UStab pulls towards is D(t) for SMUG; the frozen D is MoDL's, at the warm start of all.",)
    return swept(workshop, TARGETS, (SWEEP,), AXIS, reference="smug", notes=notes)


FIG8 = Exhibit("fig8", "Fig. 8: PSNR over the strength of the worst case", "knee", _fig8)
FIG13 = Exhibit("fig13", "Fig. 13: targets of the UStab loss, PSNR over the strength of the worst case", "knee", _fig13)
