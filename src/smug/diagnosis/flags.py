"""The flags: what is wrong, what it means for the numbers of an attack, what to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from smug.attacks import Threat
from smug.norm import L2
from smug.physics.operator import Operator, operator
from smug.system.arguments import check_arguments


@dataclass(frozen=True)
class Flag:
    """A warning: its name, and one sentence for people."""

    name: str
    sentence: str


@dataclass(frozen=True)
class Diagnosis:
    """What :func:`smug.diagnosis.diagnose` raised, and the numbers that it decided on, by name.

    >>> print(Diagnosis((), {}))
    no flag
    """

    flags: tuple[Flag, ...]
    evidence: Mapping[str, float]

    @property
    def unreliable(self) -> bool:
        """Whether the numbers of attacks on this reconstructor are not to be trusted."""
        return bool(self.flags)

    def __str__(self) -> str:
        """Tell the flags, one a line."""
        return "\n".join(f"{flag.name}: {flag.sentence}" for flag in self.flags) or "no flag"


_SENTENCES = {
    "random-output": "Two calls with the same generator differ, so an attack cannot compare perturbations and its "
    "numbers are luck; draw all randomness of the reconstructor from the generator it is given.",
    "mixed-slices": "The image of a slice is another one alone than in its batch, so an attack on several slices moves "
    "each for the sake of the others and is too weak; normalise every slice by itself, or let slicewise of "
    "the module foreign give the reconstructor one at a time.",
    "zero-gradient": "The gradient of the error is zero or NaN, so a gradient attack is blind and the reconstructor "
    "looks robust without being it; find what cuts the graph (no_grad, rounding, detach, the root of zero), or attack "
    "without gradients.",
    "solver-not-converged": "A data-consistency solve inside the reconstructor stopped before it converged, so its "
    "implicit gradient is not that of the image and attacks are too weak; allow more iterations.",
    "cut-gradient": "The gradient is not that of the output, so attacks climb another function and are too weak; let "
    "it flow through every use of the measurements: the data consistency, the scale, the first image.",
    "outside-threat": "A perturbation exceeds its norm or touches entries that were not sampled, so the attack's "
    "numbers look too bad; project it onto the threat.",
    "masked-gradient": "An attack without this gradient (black box, or transferred from the noise-free network) does "
    "more damage, so the gradient is masked and the white-box numbers are too good; report the worst of all attacks, "
    "and average the gradient over more draws.",
    "weaker-than-noise": "The attack does less damage than Gaussian noise of the same norm, so it found nothing and "
    "its numbers say nothing; give it more steps, other starts and smaller steps.",
    "not-monotone": "A larger perturbation is allowed and the damage does not grow, so the attack fails at the larger "
    "size and its numbers there are too good; start it from the perturbation found at the smaller size.",
    "more-steps-help": "Twice the iterations still change the mean PSNR, so the attack had not converged and its "
    "numbers are too good; double the iterations until they no longer do.",
}

FLAGS: Mapping[str, Flag] = {name: Flag(name, sentence) for name, sentence in _SENTENCES.items()}
"""Every flag by its name. ``outside-threat`` is for perturbations that others made, see
:func:`smug.diagnosis.outside_threat`; attacks here refuse to leave their threat."""


OUTPUT_DIFFERENCE = 1e-5
"""Relative l2 difference of two equal calls: parallel sums in single precision reach 1e-6, smoothing noise 1e-3."""

MIXING = 1e-3
"""Relative l2 difference of an image alone and in its batch: other sums in single precision leave 1e-6 to 1e-5."""

GRADIENT_GAIN = 1e-6
"""Relative change of the error that the gradient promises for the whole budget; below it, single precision sees no
change. A perturbation of 0.1 % promises more than 1e-3."""

SOLVER_RESIDUAL = 1e-4
"""Relative residual of a data-consistency solve: single precision and the default tolerance stop at a few 1e-6, and
the relative error of the implicit gradient is of the residual's size."""

GRADIENT_ERROR = 0.003
"""Relative error of a directional derivative: rounding, the solver's tolerance and the kinks of networks leave less
than 1e-3. Without the scale's gradient it is 7e-3 for MoDL, which is nearly homogeneous and needs it least; without
the measurements of the data-consistency steps 0.5 or more."""

PSNR_MARGIN = 0.1
"""By how many dB one attack must beat another before it counts: below it are the noise of a few draws, and the luck
of random starts."""

NOISE_MARGIN = 0.01
"""The same for an attack and random noise, in dB: they differ by far more, except where neither does damage."""

GROWTH = 0.01
"""By which part of itself the damage must grow when the perturbation may grow: where nothing saturates, damage is
about proportional to the size or to its square."""

THREAT_EXCESS = 1e-4
"""How far, relatively, the norm of a perturbation may exceed its radius, and how much of the radius may lie off the
sampled entries: what single precision leaves of ``(y + delta) - y``."""


def random_output(difference: float) -> bool:
    """Whether two equal calls differ: ``difference`` is relative, in l2."""
    return difference > OUTPUT_DIFFERENCE  # NaN is no randomness: zero_gradient tells it


def mixed_slices(difference: float) -> bool:
    """Whether slices see each other: ``difference`` is relative, in l2, of one alone and in its batch."""
    return difference > MIXING


def zero_gradient(gain: float) -> bool:
    """Whether an attack is blind: ``gain`` is the smallest relative change of the error that a gradient promises."""
    return not gain > GRADIENT_GAIN


def solver_not_converged(residual: float) -> bool:
    """Whether a solve stopped too early: ``residual`` is the largest relative one."""
    return not residual <= SOLVER_RESIDUAL


def cut_gradient(error: float) -> bool:
    """Whether a gradient is not that of the output: ``error`` is the largest of directional derivatives, relative."""
    return not error <= GRADIENT_ERROR


def masked_gradient(white_box: float, others: Mapping[str, float]) -> bool:
    """Whether an attack without the reconstructor's own gradient leaves a lower PSNR than the one with it."""
    return any(not psnr >= white_box - PSNR_MARGIN for psnr in others.values())


def weaker_than_noise(attacked: float, noisy: float) -> bool:
    """Whether an attack leaves a higher PSNR than random noise of the same norm."""
    return not attacked <= noisy + NOISE_MARGIN


def not_monotone(psnr: Mapping[float, float]) -> bool:
    """Whether damage stops growing: ``psnr`` by the size of the perturbation; size 0, the clean data, is needed.

    >>> not_monotone({0: 34.0, 0.01: 31.0, 0.02: 27.0}), not_monotone({0: 34.0, 0.01: 31.0, 0.02: 32.5})
    (False, True)
    """
    damages = [psnr[0] - psnr[size] for size in sorted(psnr)]
    return any(not larger > (1 + GROWTH) * smaller for smaller, larger in pairwise(damages))


def more_steps_help(psnr: float, doubled: float) -> bool:
    """Whether twice the iterations change the PSNR."""
    return not abs(psnr - doubled) <= PSNR_MARGIN


@check_arguments
def outside_threat(delta: Tensor, y: Tensor, A: Operator, target: Tensor, threat: Threat) -> bool:
    """Whether a perturbation, with the shape of y, leaves the threat or the entries that are measured, in any slice.

    ``y`` are the clean measurements, ``target`` images ``(batch, y, x)``: they give the radius of each slice.
    """
    radius = threat.radius(y, A, target)
    off_support = L2().size(torch.where(operator(A).support(delta), 0, delta))
    inside = (threat.size(delta) <= (1 + THREAT_EXCESS) * radius) & (off_support <= THREAT_EXCESS * radius)
    return not bool(inside.all())
