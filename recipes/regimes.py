"""Where is MoDL unstable? python recipes/regimes.py OUT [SLICES [REGIME ...]].

Trains MoDL and SMUG as ``smug reproduce --config small`` does on the SIAT brain images, but at 64 x 64, in regimes that
differ from it in one or two things, most of them towards the paper's, and scores both: clean, with 16 unrolling steps,
under the authors' attack at 0.02 of the image's maximum, and under the fast one at 1 % of the measurements. An
instability is a gain well above that of the same loop with the identity for a denoiser. OUT keeps the runs and rows, so
that it goes on where it was stopped; SMUG_DATA names the folder of the image sets.
"""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from smug import shifts
from smug.attacks.presets import ONE_PERCENT, fast
from smug.data.simulate import Acquisition
from smug.evaluation.conditions import clean, with_setting, worst_case
from smug.evaluation.summary import Summary, grid, summarise
from smug.paper.cells import Block
from smug.paper.exhibit import csv, flat
from smug.paper.figures_8_to_13 import pgd
from smug.paper.regime import SCALES, Scale
from smug.paper.style import STYLES
from smug.paper.table_text import pipes
from smug.paper.workshop import Workshop
from smug.system.files import write_text

CONDITIONS = (
    clean(),
    with_setting("steps", shifts.steps, 16, clean()),
    pgd(0.02),
    worst_case(ONE_PERCENT, "fast", partial(fast, score_draws=2)),
)
METHODS = ("modl", "smug")


def scale(*, noise: float = 0.01, sigma: float = 0.01, lam_l: float = 300.0, times: int = 1) -> Scale:
    """Return the scale ``small`` at 64 x 64 with another regime; ``times`` as many updates of each method."""
    base = SCALES["small"]
    optimizer = replace(base.config.optimizer, updates=times * base.config.optimizer.updates)
    config = replace(
        base.config,
        reconstruction_weight=lam_l,
        smoothing=replace(base.config.smoothing, sigma=sigma),
        data=replace(base.config.data, size=64, acquisition=Acquisition(noise=noise)),
        optimizer=optimizer,
    )
    return replace(base, config=config)


REGIMES = {
    "as small": scale(),
    "no receiver noise": scale(noise=0.0),
    "sigma 0.05": scale(sigma=0.05),
    "10 times the updates": scale(times=10),
    "lam_l 30, 10 times the updates": scale(lam_l=30.0, times=10),
    "no receiver noise, 10 times the updates": scale(noise=0.0, times=10),
}


def told(summary: Summary) -> str:
    """Return MoDL's mean PSNR, or the difference to it; of an attack also the gain and the identity loop's."""
    if summary.model == summary.reference or summary.difference is None:
        text = f"{summary.psnr.mean:.2f}"
    else:
        text = f"{summary.difference.mean:+.2f} [{summary.difference.low:+.2f}, {summary.difference.high:+.2f}]"
    return f"{text} ({summary.gain:.1f} / {summary.identity_gain:.1f})" if summary.attacks else text


def main() -> None:
    """Train, score and print, regime by regime."""
    out, slices = Path(sys.argv[1]), int([*sys.argv, "10"][2])
    print(
        f"Mean PSNR in dB of {slices} slices of one subject; of SMUG minus MoDL's, paired by slice, with the 95 % "
        "interval over slices; in brackets the gain, and that of the identity's loop under the same perturbation.\n"
    )
    print(pipes(("regime", "", *(condition.name for condition in CONDITIONS)), ()))
    for regime in sys.argv[3:] or REGIMES:
        folder = out / regime.replace(" ", "-").replace(",", "")
        chosen = replace(REGIMES[regime], slices=slices)
        found = Workshop(chosen, folder).found([Block("brain", 4.0, METHODS, CONDITIONS)])
        write_text(folder / "cells.csv", csv(flat(found)))
        methods, conditions, cells = grid(summarise([each.row for each in found], METHODS[0]))
        for method in methods:
            line = (regime, STYLES[method].label, *(told(cells[method, condition]) for condition in conditions))
            print(f"| {' | '.join(line)} |", flush=True)


main()
