"""Figures 8, 9, 10 and 13: PSNR over the strength of the attack, the sampling rate, and the unrolling steps."""

from smug.evaluation.conditions import clean
from smug.paper.conditions import EPSILON, TRAINED_RATE, at_rate, at_steps, pgd
from smug.paper.curves import Axis, Sweep
from smug.paper.exhibit import Content, Exhibit
from smug.paper.scales import Scale
from smug.paper.sweeps import ALL, sweep_content

EPSILONS = (0.0, 0.01, 0.02, 0.03, 0.05)
"""The largest real or imaginary part of the perturbation, over the image's maximum."""

EPSILON_AXIS = Axis("epsilon", "ε: largest part of perturbation / image maximum", lambda x: f"{x:g}".replace("0.", "."))

STRENGTHS = Sweep({epsilon: pgd(epsilon) for epsilon in EPSILONS})

RATES = (2.0, 3.0, TRAINED_RATE, 5.0, 6.0, 7.0, 8.0)

RATE_AXIS = Axis(
    "rate", "acceleration at test, share of k-space sampled", lambda x: f"{x:g}x\n{100 / x:.3g} %", TRAINED_RATE
)

STEPS = (1, 2, 3, 8, 16)
"""The numbers of unrolling steps at test, beside the number in training."""

TARGETS = (
    "smug",
    "smug-target",
    "smug-denoised-iterate",
    "smug-frozen-denoised-target",
    "smug-frozen-denoised-iterate",
)
"""SMUG, and SMUG with the other targets of UStab, equation (7)."""


def _figure_8(scale: Scale) -> Content:
    return sweep_content(scale, ALL, (STRENGTHS,), EPSILON_AXIS)


def _figure_9(scale: Scale) -> Content:
    notes = (
        "Autocalibration lines are 8 % of k-space up to 5x, 4 % above.",
        "Entries that are sampled anew are simulated from the target, with noise of the same level.",
    )
    return sweep_content(scale, ALL, (Sweep({rate: at_rate(rate) for rate in RATES}),), RATE_AXIS, notes=notes)


def _figure_10(scale: Scale) -> Content:
    trained = scale.config.steps
    numbers = sorted({*STEPS, trained})
    sweeps = [
        Sweep({number: at_steps(number, trained, base) for number in numbers}, title)
        for title, base in (("clean", clean()), (f"PGD, ε = {EPSILON:g}", pgd(EPSILON)))
    ]
    axis = Axis("steps", "unrolling steps at test", "{:g}".format, trained)
    notes = ("The worst case is made for every method and number of steps anew.",)
    return sweep_content(scale, tuple(m for m in ALL if m != "cg-sense"), sweeps, axis, notes=notes)


def _figure_13(scale: Scale) -> Content:
    notes = ("What UStab pulls towards is D(t) for SMUG; the frozen D is MoDL's, at the warm start of all.",)
    return sweep_content(scale, TARGETS, (STRENGTHS,), EPSILON_AXIS, reference="smug", notes=notes)


FIG8 = Exhibit("fig8", "Fig. 8: PSNR over the strength of the worst case", "knee", _figure_8)
FIG9 = Exhibit("fig9", "Fig. 9: PSNR over the sampling rate", "knee", _figure_9)
FIG10 = Exhibit("fig10", "Fig. 10: PSNR over unrolling steps", "knee", _figure_10)
FIG13 = Exhibit(
    "fig13", "Fig. 13: targets of the UStab loss, PSNR over the strength of the worst case", "knee", _figure_13
)
