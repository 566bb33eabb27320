"""Figure 9: PSNR over the sampling rate at test, of models that were trained at one."""

from smug.attacks import Threat
from smug.attacks.pgd import PAPER
from smug.evaluation.conditions import Condition, attacked, clean, shifted, with_setting
from smug.paper.curves import ALL, Axis, Sweep, swept
from smug.paper.exhibit import Exhibit, Result
from smug.paper.workshop import Workshop
from smug.shifts import SHIFTS, steps

TRAINED = 4.0

RATES = (2.0, 3.0, TRAINED, 5.0, 6.0, 7.0, 8.0)

RATE_AXIS = Axis(
    "rate", "acceleration at test, share of k-space sampled", lambda x: f"{x:g}x\n{100 / x:.3g} %", TRAINED
)


def resampled(rate: float) -> Condition:
    """Return clean data at another acceleration; the scan as it is at that of training."""
    return clean() if rate == TRAINED else shifted(SHIFTS["acceleration"], rate)


def _fig9(workshop: Workshop) -> Result:
    sweep = Sweep({rate: resampled(rate) for rate in RATES})
    notes = (
        "Autocalibration lines are 8 % of k-space up to 5x, 4 % above.",
        "Entries that are sampled anew are simulated from the target, with noise of the same level.",
    )
    return swept(workshop, ALL, (sweep,), RATE_AXIS, notes=notes)


FIG9 = Exhibit("fig9", "Fig. 9: PSNR over the sampling rate", "knee", _fig9)


STEPS = (1, 2, 3, 8, 16)
"""Beside the number in training."""


def unrolled(number: int, trained: int, base: Condition) -> Condition:
    """Return a condition at another number of unrolling steps: an attack is made anew for it."""
    return base if number == trained else with_setting("steps", steps, number, base)


def _fig10(workshop: Workshop) -> Result:
    trained = workshop.scale.config.steps
    numbers = sorted({*STEPS, trained})
    sweeps = [
        Sweep({number: unrolled(number, trained, base) for number in numbers}, title)
        for title, base in (("clean", clean()), (f"PGD, ε = {EPSILON:g}", pgd(EPSILON)))
    ]
    axis = Axis("steps", "unrolling steps at test", "{:g}".format, trained)
    notes = ("The worst case is made for every method and number of steps anew.",)
    return swept(workshop, tuple(m for m in ALL if m != "cg-sense"), sweeps, axis, notes=notes)


FIG10 = Exhibit("fig10", "Fig. 10: PSNR over unrolling steps", "knee", _fig10)


EPSILON = 0.02
"""That of the other figures, and of the authors' code."""

EPSILONS = (0.0, 0.01, 0.02, 0.03, 0.05)
"""Largest real or imaginary part of the perturbation, over the image's maximum."""

EPSILON_AXIS = Axis("epsilon", "ε: largest part of perturbation / image maximum", lambda x: f"{x:g}".replace("0.", "."))

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
    return swept(workshop, ALL, (SWEEP,), EPSILON_AXIS)


def _fig13(workshop: Workshop) -> Result:
    notes = ("What UStab pulls towards is D(t) for SMUG; the frozen D is MoDL's, at the warm start of all.",)
    return swept(workshop, TARGETS, (SWEEP,), EPSILON_AXIS, reference="smug", notes=notes)


FIG8 = Exhibit("fig8", "Fig. 8: PSNR over the strength of the worst case", "knee", _fig8)
FIG13 = Exhibit("fig13", "Fig. 13: targets of the UStab loss, PSNR over the strength of the worst case", "knee", _fig13)
