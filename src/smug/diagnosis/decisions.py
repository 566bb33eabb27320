"""When a flag is raised: decisions on numbers, whoever computed them.

They serve :func:`smug.diagnosis.diagnose` and the rows of an evaluation. PSNRs are in dB, means over slices. The
thresholds stand apart from what rounding does and from what a working reconstructor and attack show, by a factor of
several on both sides. NaN, where nothing can be said, raises.
"""

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor

from smug.attacks import Threat
from smug.attacks.norm import L2
from smug.physics.sense import Sense

OUTPUT_DIFFERENCE = 1e-5
"""Relative l2 difference of two equal calls: parallel sums in single precision reach 1e-6, smoothing noise 1e-3."""

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
"""What one attack must beat another by, in dB, before it counts: below it are the noise of a few draws, and the luck
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


def outside_threat(delta: Tensor, y: Tensor, A: Sense, target: Tensor, threat: Threat) -> bool:
    """Whether a perturbation, complex ``(batch, coil, y, x)``, leaves the threat or the sampled entries in any slice.

    ``y`` is the clean k-space, ``target`` images ``(batch, y, x)``: they give the radius of each slice.
    """
    radius = threat.radius(y, A, target)
    off_support = L2().size(torch.where(A.sampled, 0, delta))
    inside = (threat.size(delta) <= (1 + THREAT_EXCESS) * radius) & (off_support <= THREAT_EXCESS * radius)
    return not bool(inside.all())
