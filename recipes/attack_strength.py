"""How much of the damage the fast attack finds: python recipes/attack_strength.py [SLICES [RELATIVE_L2]].

The reference has more than ten times its budget: a hundred steps of APGD with gradients of the noise-free network, from
another image than the fast attack's and from its result, and where there is smoothing, twenty steps with its own
gradients from the best of these. Shipped models on SIAT validation slices; smoothing with an antithetic pair.
"""

import sys
from dataclasses import replace
from functools import partial

import torch

import smug
from smug.attacks import APGD, PGD, Attempt, Threat, attack, fast, noise_free, strongest
from smug.attacks.start import at
from smug.attacks.suite import transferred
from smug.data.simulate import Acquisition
from smug.evaluation.datasets import simulated_set


def main() -> None:
    """Print for every slice the share of the reference's damage, in squared error and in dB."""
    slices, size = int([*sys.argv, "5"][1]), float([*sys.argv[2:], "0.01"][0])
    threat = Threat(size, "l2", "kspace-l2")
    scans = simulated_set("siat", "val", 128, Acquisition(), count=slices).scans
    for name in ("modl", "smug"):
        f = smug.load(name)
        if noise_free(f) is not f:
            f = f.replace(noise="antithetic", num_samples=2)
        for number, scan in enumerate(scans):
            problem, seed = (scan, threat), torch.tensor([number])
            found = fast(f, *problem, generator=seed)
            hundred = APGD(100)
            attempts = [
                Attempt("fast", lambda *_, generator=None, found=found: found),
                Attempt("hundred", transferred(partial(attack, rule=hundred))),
                Attempt("on", transferred(partial(attack, rule=replace(hundred, start=at(found.delta))))),
            ]
            best = strongest(f, *problem, attempts, score_draws=8, generator=seed)
            if noise_free(f) is not f:
                own = partial(attack, rule=PGD(20, step_size=1.0, start=at(best.delta)))
                known = Attempt("best", lambda *_, generator=None, best=best: best)
                best = strongest(f, *problem, [known, Attempt("own", own)], score_draws=8, generator=seed)
            clean = best.clean_objective
            share = float((found.objective - clean) / (best.objective - clean))
            lost = [10 * float(torch.log10(result.objective / clean)) for result in (found, best)]
            print(f"{name} {scan.id[0]}: {share:.4f} of the damage; {lost[0]:.3f} dB of {lost[1]:.3f} dB", flush=True)


main()
