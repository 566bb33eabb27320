"""Every check on one reconstructor, from the cheapest to the dearest."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from smug.attacks import APGD, Problem, Rule, Square, Threat, attack, is_random, noise_free, relative_l2
from smug.attacks.problem import SCORE, START, pose
from smug.data.scan import Scan
from smug.diagnosis.flags import (
    FLAGS,
    Diagnosis,
    cut_gradient,
    masked_gradient,
    mixed_slices,
    more_steps_help,
    not_monotone,
    random_output,
    solver_not_converged,
    weaker_than_noise,
    zero_gradient,
)
from smug.diagnosis.gradient import (
    batch_difference,
    directional_error,
    output_difference,
    promised_gain,
    solver_residual,
)
from smug.evaluation_mode import check_mode
from smug.models.compute import tf32
from smug.models.noise import Seeds, derive
from smug.reconstructor import Reconstructor
from smug.shifts.noise import noise_in_range
from smug.system.arguments import check_arguments

WHITE_BOX = APGD(steps=20)
"""The attack that is checked."""

BLACK_BOX = Square(steps=100)
"""The attack without gradients that must not do more damage."""

DRAWS = 4
"""Draws of the reconstructor's noise that PSNRs are means over."""


@check_arguments
def diagnose(
    f: Reconstructor,
    scan: Scan,
    threat: Threat,
    *,
    white_box: Rule[Any] = WHITE_BOX,
    black_box: Rule[Any] = BLACK_BOX,
    generator: Seeds = None,
) -> Diagnosis:
    """Check on a few slices with targets whether the numbers of attacks on ``f`` can be trusted.

    Each check rests on those before it: the first that raises flags ends the diagnosis, so that it names the
    cause and not its symptoms. Repair it and diagnose again. Without flags the cost is about that of six attacks by
    ``white_box``. The gradient is checked in single or double precision, without TF32; networks must not compute in
    less. ``generator`` is as in :func:`smug.attacks.attack`. Raises ValueError for a scan without target, a threat of
    size 0, and a network in training mode.
    """
    check_mode(f)
    if not threat.value > 0:
        raise ValueError(f"threat: expected a size > 0, got {threat}")
    with torch.inference_mode(False), torch.no_grad(), tf32(False):
        draws = DRAWS if is_random(f, scan) else 1
        problem = pose(f, scan, threat, selection_draws=draws, generator=generator)
        evidence: dict[str, float] = {}
        for numbers, raised in _checks(problem, scan, white_box, black_box):
            evidence |= numbers
            if any(raised.values()):
                return Diagnosis(tuple(FLAGS[name] for name in raised if raised[name]), evidence)
        return Diagnosis((), evidence)


@check_arguments
def repeatable(f: Reconstructor, scan: Scan, threat: Threat) -> Diagnosis:
    """Check only whether two calls with the same seeds agree: the first check of :func:`diagnose`."""
    with torch.no_grad():
        difference = float(output_difference(pose(f, scan, threat)).max())
    raised = (FLAGS["random-output"],) if random_output(difference) else ()
    return Diagnosis(raised, {"output difference": difference})


def _checks(
    problem: Problem, scan: Scan, white_box: Rule[Any], black_box: Rule[Any]
) -> Iterator[tuple[Mapping[str, float], Mapping[str, bool]]]:
    """Yield the numbers of every check and which flags they raise."""
    difference = float(output_difference(problem).max())
    yield {"output difference": difference}, {"random-output": random_output(difference)}

    if len(problem.y) > 1:
        mixing = float(batch_difference(problem).max())
        yield {"batch difference": mixing}, {"mixed-slices": mixed_slices(mixing)}

    gain = float(promised_gain(problem).min())
    yield {"promised gain": gain}, {"zero-gradient": zero_gradient(gain)}

    residual = solver_residual(problem)
    yield {"solver residual": residual}, {"solver-not-converged": solver_not_converged(residual)}

    error = float(directional_error(problem).max())
    yield {"gradient error": error}, {"cut-gradient": cut_gradient(error)}

    def attacked(rule: Rule[Any] = white_box, surrogate: Reconstructor | None = None, scale: float = 1) -> float:
        return psnr(problem, perturbation(problem, rule, surrogate=surrogate, scale=scale))

    delta, surrogate = perturbation(problem, white_box), noise_free(problem.f)
    white, others = psnr(problem, delta), {"black box": attacked(black_box)}
    if surrogate is not problem.f:
        others["transfer"] = attacked(surrogate=surrogate)
    yield {"white box": white, **others}, {"masked-gradient": masked_gradient(white, others)}

    noise = noisy(problem, scan, delta)
    yield {"noise": noise}, {"weaker-than-noise": weaker_than_noise(white, noise)}

    clean, half, twice = psnr(problem, torch.zeros_like(delta)), attacked(scale=0.5), attacked(scale=2)
    doubled = attacked(replace(white_box, steps=2 * white_box.steps))  # type: ignore[type-var]  # a dataclass
    yield (
        {"clean": clean, "half the size": half, "twice the size": twice, "twice the steps": doubled},
        {
            "not-monotone": not_monotone({0: clean, 0.5: half, 1: white, 2: twice}),
            "more-steps-help": more_steps_help(white, doubled),
        },
    )


NOISES = 3
"""Draws of the Gaussian noise that an attack is compared with."""


def psnr(problem: Problem, delta: Tensor) -> float:
    """Return the PSNR, of the complex difference, under a perturbation of the measurements."""
    peak = problem.target.abs().flatten(1).amax(1)
    return float(10 * (peak.square() / problem.value(delta, SCORE)).log10().mean())


def perturbation(
    problem: Problem, rule: Rule[Any], *, surrogate: Reconstructor | None = None, scale: float = 1
) -> Tensor:
    """Return what a rule finds: on a surrogate for the reconstructor, or within a multiple of the threat's size."""
    f, threat = surrogate or problem.f, replace(problem.threat, value=scale * problem.threat.value)
    return attack(f, problem.scan, threat, rule=rule, generator=problem.seeds).delta


def noisy(problem: Problem, scan: Scan, delta: Tensor) -> float:
    """Return the PSNR under Gaussian noise in the range of A with the l2 norm of ``delta``.

    An attack that leaves its budget unused is compared with as much noise as a random draw of the threat has.
    """
    uniform = problem.threat.uniform(derive(problem.seeds, START), problem.support, problem.radius, problem.y.dtype)
    sizes = torch.maximum(*(relative_l2(d, problem.y, problem.A) for d in (delta, uniform))).tolist()
    total = 0.0
    for draw in range(NOISES):
        seeds = derive(problem.seeds, START, draw)
        rows = [noise_in_range(scan[i], size, seeds[i : i + 1]) for i, size in enumerate(sizes)]
        total += psnr(problem, torch.cat([row.y for row in rows]) - scan.y)
    return total / NOISES
