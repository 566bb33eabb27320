"""What a convex ridge regulariser costs, proves and survives, beside CG-SENSE with the same certificate.

python recipes/ridge_certificates.py OUT.json [SOURCE ...]

SOURCE is a set of images (2 slices of 128 x 128, 4 coils, 4x; SMUG_DATA names their folder) or a file of fully sampled
k-space (one slice, 3x, with the maps of the full data). Every line is a mean over slices: PSNR in dB of the complex
image, without attack, as proved for every perturbation of that size, and under the strongest that was found, with scale
and noise level frozen, and with the noise level from the attacked measurements. OUT.json keeps finished lines, so that
it goes on where it was stopped; two slices take two to four minutes for every tau.
"""

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

import smug

TAUS, SIZES = (0.0025, 0.005, 0.01), (0.0025, 0.005, 0.01)
STEPS = 6
TOLERANCE = 1e-5
"""Of the gradient, in parts of ``||A^H y||``: what it leaves is part of the bound."""
ATTACKED = {"tolerance": 1e-4, "solve_tolerance": 1e-2}
"""What an attack asks of its gradients, which need not be exact; it is scored at :data:`TOLERANCE`."""


def scans(source: str) -> list[smug.Scan]:
    """Return normalised scans of one slice each."""
    if not Path(source).is_file():
        return [scan.normalised() for scan in smug.load_scans(source, count=2)]
    full = smug.read(source).scan(0)
    mask = smug.masks.random_lines(full.y.shape[-1], 3.0, seed=0)
    A = smug.Sense(mask, full.A.maps)
    return [smug.Scan(full.y * A.sampled, A, full.target, full.id).normalised()]


def psnr(error: float, truth: Tensor) -> float:
    """Return the PSNR of an image whose complex error has this l2 norm."""
    return 10 * math.log10(float(truth.abs().max()) ** 2 * truth.numel() / error**2)


def figures(scan: smug.Scan, tau: float) -> Iterator[dict[str, float]]:
    """Yield the figures of one slice for every size."""
    t, norm = scan.truth, float(torch.linalg.vector_norm(scan.y))
    adaptive = smug.load("convex-ridge").unscaled().replace(tau=tau, tolerance=TOLERANCE, max_iterations=3000)
    frozen, linear = adaptive.replace(sigma=adaptive.level(scan.y, scan.A)), smug.CGSense(tau)
    free = adaptive.replace(tau=0.0, sigma=frozen.sigma)
    stopped = float(frozen.minimum(scan.y, scan.A).gradient_norm)

    def error(f: smug.Described, delta: Tensor | float = 0.0) -> float:
        return float(torch.linalg.vector_norm(f(scan.y + delta, scan.A).detach() - t))

    def attacked(f: smug.Described, size: float) -> float:
        threat = smug.Threat(size, norm="l2", unit="kspace-l2")
        return error(f, smug.attacks.pgd(f.replace(**ATTACKED), scan, threat, steps=STEPS).delta)

    clean, without, sense = error(frozen), error(free), error(linear)
    for size in SIZES:
        radius = size * norm
        limit = TOLERANCE * (float(torch.linalg.vector_norm(scan.A.H(scan.y))) + radius)  # of attacked measurements too
        errors = {
            "clean": clean,
            "certified": clean + (1 + tau) * smug.bounds.ridge_bound(radius, tau, max(limit, stopped)),
            "attacked": attacked(frozen, size),
            "attacked, adaptive": attacked(adaptive, size),
            "clean without tau": without,
            "clean CG-SENSE": sense,
            "certified CG-SENSE": sense + radius / (2 * math.sqrt(tau)),
        }
        yield {name: psnr(value, t) for name, value in errors.items()}


def table(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of the table."""
    names = [name for name in rows[0] if name not in ("source", "tau", "size", "slices")]
    yield f"| scans | tau | change | {' | '.join(names)} |"
    yield f"| --- | ---: | ---: |{' ---: |' * len(names)}"
    for row in rows:
        cells = " | ".join(f"{row[name]:.2f}" for name in names)
        yield f"| {row['source']} | {row['tau']:g} | {100 * row['size']:g} % | {cells} |"


def main(out: str, *sources: str) -> None:
    """Compute what OUT.json does not hold, and print the table."""
    path = Path(out)
    rows: list[dict[str, Any]] = json.loads(path.read_text()) if path.exists() else []
    for source, tau in product(sources or ("openms", "siat"), TAUS):
        name = Path(source).stem
        if any((row["source"], row["tau"]) == (name, tau) for row in rows):
            continue
        slices = [figures(scan, tau) for scan in scans(source)]
        for size, found in zip(SIZES, zip(*slices, strict=True), strict=True):
            mean = {key: fmean(each[key] for each in found) for key in found[0]}
            rows.append({"source": name, "tau": tau, "size": size, "slices": len(found), **mean})
        path.write_text(json.dumps(rows, indent=1) + "\n")
        print(f"{source}, tau {tau:g}", file=sys.stderr, flush=True)
    print("\n".join(table(rows)))


if __name__ == "__main__":
    main(*sys.argv[1:])
