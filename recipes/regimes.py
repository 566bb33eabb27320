"""Where is MoDL unstable? python recipes/regimes.py OUT [SLICES [REGIME ...]].

Trains MoDL and SMUG as ``smug reproduce --config small`` does on the SIAT brain images, but at 64 x 64, in regimes that
differ from it in one to three things, most of them towards the paper's, and attacks both: the authors' attack at 0.02
of the image's maximum, and the fast one at 1 % of the measurements. An instability is a gain well above that of the
same loop with the identity for a denoiser. OUT keeps the runs and rows, so that it goes on where it was stopped;
SMUG_DATA names the folder of the image sets.
"""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean

from smug.attacks.presets import ONE_PERCENT, fast
from smug.data.simulate import Acquisition
from smug.evaluation.conditions import clean, worst_case
from smug.files import write_text
from smug.paper.cells import Block, Found
from smug.paper.exhibit import csv, flat
from smug.paper.scale import SCALES, Scale
from smug.paper.strength import pgd
from smug.paper.workshop import Workshop

CONDITIONS = (clean(), pgd(0.02), worst_case(ONE_PERCENT, "fast", partial(fast, score_draws=2)))
METHODS = ("modl", "smug")


def scale(*, noise: float = 0.01, coils: int = 4, steps: int = 5, sigma: float = 0.01, longer: int = 1) -> Scale:
    """Return the scale ``small`` at 64 x 64 with another regime."""
    base = SCALES["small"]
    optimizer = replace(base.config.optimizer, updates=longer * base.config.optimizer.updates)
    config = replace(
        base.config,
        steps=steps,
        smoothing=replace(base.config.smoothing, sigma=sigma),
        data=replace(base.config.data, size=64, acquisition=Acquisition(noise=noise, coils=coils)),
        optimizer=optimizer,
    )
    return replace(base, config=config)


REGIMES = {
    "as small": scale(),
    "no receiver noise": scale(noise=0.0),
    "no receiver noise, 8 steps": scale(noise=0.0, steps=8),
    "one coil, no receiver noise, 8 steps": scale(noise=0.0, coils=1, steps=8),
    "sigma 0.05": scale(sigma=0.05),
    "four times the updates": scale(longer=4),
}


def line(regime: str, method: str, found: list[Found]) -> str:
    """Return a line of the table: PSNR, and in brackets gain and the identity's gain."""
    cells = []
    for condition in CONDITIONS:
        rows = [each.row for each in found if each.method == method and each.row.condition == condition.name]
        told = f"{fmean(row.psnr for row in rows):.2f}"
        if condition.name != "clean":
            told += f" ({fmean(row.gain for row in rows):.2f} / {fmean(row.identity_gain for row in rows):.2f})"
        cells.append(told)
    return f"| {regime} | {method} | {' | '.join(cells)} |"


def main() -> None:
    """Train, score and print, regime by regime."""
    out, slices = Path(sys.argv[1]), int([*sys.argv, "10"][2])
    print(f"Mean PSNR (dB) of {slices} slices of one subject; in brackets the gain, and the identity loop's.\n")
    print(f"| regime | method | {' | '.join(c.name for c in CONDITIONS)} |\n| --- | --- | ---: | ---: | ---: |")
    for regime in sys.argv[3:] or REGIMES:
        folder = out / regime.replace(" ", "-").replace(",", "")
        chosen = replace(REGIMES[regime], slices=slices)
        found = Workshop(chosen, folder).found([Block("brain", 4.0, METHODS, CONDITIONS)])
        write_text(folder / "cells.csv", csv(flat(found)))
        for method in METHODS:
            print(line(regime, method, found), flush=True)


main()
