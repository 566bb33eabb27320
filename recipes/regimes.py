"""Where is MoDL unstable? python recipes/regimes.py OUT [SLICES [REGIME ...]].

Trains MoDL and SMUG as ``smug reproduce --config small`` does on the SIAT brain images, but at 64 x 64, in regimes that
differ from it in one or two things, most of them towards the paper's, and scores both: clean, with 16 unrolling steps,
under the authors' attack at 0.02 of the image's maximum, and under the fast one at 1 % of the measurements. An
instability is a gain well above that of the same loop with the identity for a denoiser. OUT keeps the runs and rows, so
that it goes on where it was stopped; SMUG_DATA names the folder of the image sets.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import smug

SOURCE, SIZE = "siat", 64
METHODS = ("modl", "smug")
TRAINING = ("--config", "small", "--set", f"data.size={SIZE}", "--set", f'data.sources=["{SOURCE}"]')
WARM = 300
"""Updates of the MoDL that both methods start from."""

COLUMNS = ("clean", "steps 16", "PGD linf 0.02", "fast l2 0.01")


@dataclass(frozen=True)
class Regime:
    """Receiver noise in training and test, sigma, lam_l, and the updates of each method after the warm start."""

    noise: float = 0.01
    sigma: float = 0.01
    lam_l: float = 300.0
    updates: int = 100


REGIMES = {
    "as small": Regime(),
    "no receiver noise": Regime(noise=0.0),
    "sigma 0.05": Regime(sigma=0.05),
    "10 times the updates": Regime(updates=1000),
    "lam_l 30, 10 times the updates": Regime(lam_l=30.0, updates=1000),
    "no receiver noise, 10 times the updates": Regime(noise=0.0, updates=1000),
}


def train(folder: Path, regime: Regime) -> dict[str, smug.Described]:
    """Train what is not trained yet in a folder; return the methods, averaging an antithetic pair where they smooth."""
    start = folder.parent / "modl.safetensors"
    if not start.exists():
        smug.load("modl-4x").save(start)
    _run(folder / "warm", start, "modl", regime, WARM, 7e-4)
    return {method: _run(folder / method, folder / "warm", method, regime, regime.updates, 3e-4) for method in METHODS}


def _run(out: Path, init: Path, method: str, regime: Regime, updates: int, learning_rate: float) -> smug.Described:
    values = {
        "data.acquisition.noise": regime.noise,
        "smoothing.sigma": regime.sigma,
        "reconstruction_weight": regime.lam_l,
        "optimizer.updates": updates,
        "optimizer.validate_every": updates,
        "optimizer.learning_rate": learning_rate,
    }
    chosen = [part for key, value in values.items() for part in ("--set", f"{key}={value}")]
    if not (out / "run.json").exists():
        command = (sys.executable, "-m", "smug", "train", *TRAINING, "--method", method, "--init", str(init), *chosen)
        subprocess.run([*command, "--resume", "--out", str(out)], check=True, stdout=2)  # noqa: S603  # standard error
    f = smug.load(out)
    return f.replace(noise="antithetic", num_samples=2) if "num_samples" in f.settings() else f


def columns(models: dict[str, smug.Described], noise: float, slices: int, rows: Path) -> dict[tuple[str, str], str]:
    """Score the models; return the text of every method and column."""
    data = {"size": SIZE, "acquisition": smug.Acquisition(noise=noise), "max_slices": slices, "store": rows}
    longer = {name: f.replace(steps=16) for name, f in models.items()}
    scored = {"": [*smug.evaluate(models, SOURCE, "paper", **data).summaries]}
    scored[""] += smug.evaluate(models, SOURCE, "fast", epsilons=[0.01], **data).summaries
    scored["steps 16"] = smug.evaluate(longer, SOURCE, "clean", **data).summaries
    return {(each.model, at or each.condition): text(each) for at, found in scored.items() for each in found}


def text(summary: Any) -> str:
    """Return MoDL's mean PSNR, or the difference to it; of an attack also the gain and the identity loop's."""
    difference = summary.difference
    if summary.model == summary.reference or difference is None:
        found = f"{summary.psnr.mean:.2f}"
    else:
        interval = f" [{difference.low:+.2f}, {difference.high:+.2f}]" if difference.low == difference.low else ""
        found = f"{difference.mean:+.2f}{interval}"
    return f"{found} ({summary.gain:.1f} / {summary.identity_gain:.1f})" if summary.attacks else found


def main(out: str, slices: str = "10", *names: str) -> None:
    """Train, score and print, regime by regime."""
    print(
        f"Mean PSNR in dB of {slices} slices of one subject; of SMUG minus MoDL's, paired by slice, with the 95 % "
        "interval where there are subjects enough; in brackets the gain, and that of the identity's loop under the "
        "same perturbation.\n"
    )
    print(f"| regime |  | {' | '.join(COLUMNS)} |\n| --- | --- |{' ---: |' * len(COLUMNS)}")
    for name in names or REGIMES:
        folder = Path(out) / name.replace(" ", "-").replace(",", "")
        models = train(folder, REGIMES[name])
        cells = columns(models, REGIMES[name].noise, int(slices), folder / "rows")
        for method in models:
            print(f"| {' | '.join((name, method, *(cells[method, column] for column in COLUMNS)))} |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
