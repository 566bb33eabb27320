"""What training gives, and what smoothing at test time: python recipes/smoothing_at_test.py STORE [SLICES [SIZE]].

The denoisers of the shipped MoDL and SMUG, each in the same loop without noise, with an antithetic pair, and with a
pair at five times the sigma of training: clean, and under the fast attack, made for each, of a relative l2 norm SIZE.
The slices are spread over all six SIAT subjects, which neither has seen. STORE keeps the rows, so that it goes on where
it was stopped; SMUG_DATA names the folder of the image sets.
"""

import sys
from functools import partial
from pathlib import Path

import smug
from smug.attacks import Threat, fast
from smug.data.simulate import Acquisition
from smug.evaluation.conditions import clean, worst_case
from smug.evaluation.datasets import simulated_set
from smug.evaluation.evaluate import evaluate
from smug.evaluation.store import RowStore
from smug.evaluation.summary import summarise
from smug.models.normalised import normalised
from smug.reports.tables import headline, statistics_of

SAMPLERS = {
    "no noise": smug.Smoothing(num_samples=0),
    "a pair, 0.01": smug.Smoothing(0.01, 2, noise="antithetic"),
    "a pair, 0.05": smug.Smoothing(0.05, 2, noise="antithetic"),
}


def main() -> None:
    """Print the table."""
    kept, slices, size = Path(sys.argv[1]), int([*sys.argv, "6"][2]), float([*sys.argv[3:], "0.05"][0])
    test = simulated_set("siat", "all", 128, Acquisition(), count=slices)
    models = {}
    for name in ("modl", "smug"):
        loop = smug.load(name).reconstructor
        for told, smoothing in SAMPLERS.items():
            models[f"{name}, {told}"] = normalised(smug.SMUG(loop.denoiser, smoothing, loop.steps, loop.lam))
    attack = worst_case(Threat(size, "l2", "kspace-l2"), "fast", partial(fast, score_draws=2))
    rows = evaluate(
        models, (clean(), attack), test.scans, draws=2, subjects=test.subjects, store=RowStore(kept), advance=_dot
    )
    summaries = summarise(rows)
    print()
    print(headline(summaries).with_notes(statistics_of(summaries)).markdown())


def _dot(cells: int) -> None:
    print("." * cells, end="", flush=True, file=sys.stderr)


main()
