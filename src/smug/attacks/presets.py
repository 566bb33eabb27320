"""Attacks with all settings chosen: the authors' recipe, a fast one for every day, and the standard one for claims."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from smug.attacks.apgd import APGD
from smug.attacks.driver import attack
from smug.attacks.objective import to_clean
from smug.attacks.pgd import PGD, paper
from smug.attacks.square import Square
from smug.attacks.start import image, in_turn, opposite, singular, warm_start
from smug.attacks.suite import Attempt, Run, SuiteResult, strongest, transferred
from smug.attacks.surrogate import is_random, noise_free
from smug.data.scan import Scan
from smug.models.noise import Seeds, derive, entry_seeds
from smug.reconstructor import Reconstructor
from smug.system.arguments import check_arguments, check_integer
from smug.threat import Threat

ONE_PERCENT = Threat(0.01, norm="l2", unit="kspace-l2")
"""1 % of the l2 norm of the measurements: the size that ``fast`` and ``standard`` are made for."""

FAST = APGD(steps=10)
"""The rule of :func:`fast`, for the noise-free reconstructor."""

CHECK = PGD(steps=2, step_size=1, keep="last")
"""The steps of :func:`fast` with the reconstructor's own gradients, from what the noise-free ones have found."""

STEPS, QUERIES = 100, 1000
"""Steps per start of APGD and of Square in :func:`standard`."""

SCORE_DRAWS = 8
"""Fresh draws of the reconstructor's noise that score a perturbation."""

MARGIN = 10 ** (0.1 / 10)
"""0.1 dB: by what factor of the objective an attack must win to be called stronger."""


@check_arguments
def fast(
    f: Reconstructor,
    scan: Scan,
    threat: Threat = ONE_PERCENT,
    *,
    score_draws: int = SCORE_DRAWS,
    generator: Seeds = None,
) -> SuiteResult:
    """Attack by ten steps from one random image, with gradients of the noise-free reconstructor.

    Where ``f`` has noise to switch off, two more steps with its own gradients check these: a slice where they win by
    0.1 dB has the flag ``"noise-free-gradient"``, and is attacked too weakly. A random ``f`` is scored on
    ``score_draws`` draws. The other arguments and the errors are those of :func:`smug.attacks.attack`.

    Per slice it costs 25 reconstructions and 2 gradients, and 14 and 10 of the noise-free reconstructor.
    """
    check_integer("score_draws", score_draws, 1)
    seeds, quiet = entry_seeds(generator, len(scan.y)), noise_free(f)
    found = attack(quiet, scan, threat, rule=FAST, generator=derive(seeds, 0))
    attempts = [Attempt("noise-free", lambda *problem, generator=None: found)]
    if quiet is not f:
        attempts.append(Attempt("noisy", partial(attack, rule=replace(CHECK, start=warm_start(found.delta)))))
    selection_draws, score_draws = (2, score_draws) if is_random(f, scan) else (1, 1)
    result = strongest(
        f, scan, threat, attempts, selection_draws=selection_draws, score_draws=score_draws, generator=seeds
    )
    return _flagged(result, "noise-free-gradient", ["noisy"])


@check_arguments
def standard(
    f: Reconstructor,
    scan: Scan,
    threat: Threat = ONE_PERCENT,
    *,
    warm: Tensor | None = None,
    generator: Seeds = None,
) -> SuiteResult:
    """Attack by all of :func:`standard_attempts`; ``warm`` is a perturbation to start from too, say of a smaller eps.

    A slice where the black box or the transfer wins by 0.1 dB has the flag ``"masked-gradient"``. The other arguments
    and the errors are those of :func:`smug.attacks.attack`.

    Per slice it costs 2688 reconstructions and 1640 gradients, about half for an ``f`` that is not random, and 104 and
    100 of the noise-free reconstructor; see :func:`smug.attacks.cost`.
    """
    if warm is not None and warm.shape != scan.y.shape:
        raise ValueError(f"warm: expected a perturbation {tuple(scan.y.shape)} like y, got {tuple(warm.shape)}")
    draws, score_draws = (2, SCORE_DRAWS) if is_random(f, scan) else (1, 1)
    attempts = standard_attempts(draws, warm)
    result = strongest(
        f, scan, threat, attempts, selection_draws=score_draws, score_draws=score_draws, generator=generator
    )
    return _flagged(result, "masked-gradient", ["transfer", "square"])


@check_arguments
def standard_attempts(draws: int = 1, warm: Tensor | None = None) -> tuple[Attempt, ...]:
    """Return the attempts of :func:`standard`; gradients and comparisons are means over ``draws`` of the noise.

    APGD has :data:`STEPS` steps from each of two random images and both signs of the singular vector, once away from
    the target and once away from the clean reconstruction; the transfer starts from one image.
    """
    apgd = APGD(STEPS, draws=draws, selection_draws=draws)
    four = replace(apgd, start=in_turn(image, image, singular, opposite(singular)), restarts=4)
    attempts = (
        Attempt("apgd", partial(attack, rule=four)),
        Attempt("apgd to clean", partial(attack, rule=four, objective=to_clean)),
        Attempt("transfer", transferred(partial(attack, rule=APGD(STEPS)))),
        Attempt("square", partial(attack, rule=Square(QUERIES))),
    )
    if warm is None:
        return attempts
    return (*attempts, Attempt("apgd warm", partial(attack, rule=replace(apgd, start=warm_start(warm)))))


def _flagged(result: SuiteResult, flag: str, suspects: Sequence[str]) -> SuiteResult:
    """Return the result with a flag for the slices where one of the suspects is stronger than all other attempts."""
    suspicious = [value for name, value in result.objectives.items() if name in suspects]
    others = [value for name, value in result.objectives.items() if name not in suspects]
    if not suspicious:
        return result
    wins = torch.stack(suspicious).amax(0) > MARGIN * torch.stack(others).amax(0)
    return replace(
        result, flags=tuple((*old, flag) if won else old for old, won in zip(result.flags, wins.tolist(), strict=True))
    )


PRESETS: Mapping[str, Run] = {"paper": paper, "fast": fast, "standard": standard}
"""The presets by name."""
