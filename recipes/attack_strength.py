"""How much of the damage the fast attack finds: python recipes/attack_strength.py [SLICES [RELATIVE_L2]].

The reference has more than ten times its budget: a hundred steps of APGD with gradients of the noise-free network, from
another image than the fast attack's and from its result, and where there is smoothing, twenty steps with its own
gradients from the best of these. Shipped models on SIAT validation slices; smoothing with an antithetic pair.
"""

import sys
from dataclasses import replace
from functools import partial
from typing import Any

import torch

import smug


def shares(name: str, scan: smug.Scan, threat: smug.Threat, seed: torch.Tensor, steps: int = 100) -> str:
    """Return the share of the damage of one scan, in squared error and in dB, as a sentence."""
    f = smug.load(name)
    if smug.attacks.noise_free(f) is not f:
        f = f.replace(noise="antithetic", num_samples=2)
    found, best = compared(f, scan, threat, seed, steps)
    clean = best.clean_objective
    share = float((found.objective - clean) / (best.objective - clean))
    lost = [10 * float(torch.log10(result.objective / clean)) for result in (found, best)]
    return f"{name} {scan.id[0]}: {share:.4f} of the damage; {lost[0]:.3f} dB of {lost[1]:.3f} dB"


def compared(
    f: Any, scan: smug.Scan, threat: smug.Threat, seeds: torch.Tensor, steps: int = 100
) -> tuple[smug.attacks.SuiteResult, smug.attacks.SuiteResult]:
    """Return what the fast attack found, and what the reference did, in ``steps`` steps from each start."""
    attacks = smug.attacks
    found = attacks.fast(f, scan, threat, generator=seeds)
    rule = attacks.APGD(steps)
    attempts = [
        attacks.Attempt("fast", lambda *_, generator=None: found),
        attacks.Attempt("far", attacks.transferred(partial(attacks.attack, rule=rule))),
        attacks.Attempt("on", attacks.transferred(partial(attacks.attack, rule=started(rule, found.delta)))),
    ]
    best = attacks.strongest(f, scan, threat, attempts, score_draws=8, generator=seeds)
    if attacks.noise_free(f) is not f:
        before = best
        own = partial(attacks.attack, rule=started(attacks.PGD(20, step_size=1.0), before.delta))
        attempts = [attacks.Attempt("best", lambda *_, generator=None: before), attacks.Attempt("own", own)]
        best = attacks.strongest(f, scan, threat, attempts, score_draws=8, generator=seeds)
    return found, best


def started(rule: smug.attacks.Rule, delta: torch.Tensor) -> smug.attacks.Rule:
    """Return a rule that starts from a perturbation."""
    return replace(rule, start=smug.attacks.warm_start(delta))


def main(slices: str = "5", size: str = "0.01", source: str = "siat") -> None:
    """Print for every slice the share of the reference's damage, in squared error and in dB."""
    threat = smug.Threat(float(size), "l2", "kspace-l2")
    for name in ("modl-4x", "smug-4x"):
        for number, scan in enumerate(smug.load_scans(source, "val", count=int(slices))):
            print(shares(name, scan, threat, torch.tensor([number])), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
