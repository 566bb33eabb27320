"""Shipped models against tuned total variation on simulated scans of people whom no model has seen.

python -m recipes.against_tv SOURCE [SIZE ...] [--models ...] [--rates 4 8] [--slices 6]

SOURCE is siat, of which all six people are scored, or openms, of which the test patient is; SMUG_DATA names the folder
of the image sets. 4 coils, random lines. lam of TV is the best of ten on four validation slices, anew for every size
and rate. Prints means over slices in dB, of magnitudes over the whole slice, and the paired difference to TV with half
its 95 % interval over slices (of SIAT: one of each person).
"""

import argparse
from statistics import fmean

import torch

import smug
from recipes.robustness import difference, load

MODELS = ("cg-sense", "modl", "smug", "ridge", "modl-ridge", "smug-ridge")
LAMS = (3e-4, 5e-4, 1e-3, 1.5e-3, 2e-3, 3e-3, 4e-3, 6e-3, 1e-2, 2e-2)
TUNING = 4


def scans(source: str, split: str, size: int, rate: float, count: int) -> list[smug.Scan]:
    """Return scans of one slice each."""
    found = smug.load_images(source, split, size, count=count)
    acquisition = smug.Acquisition(acceleration=rate, center_fraction=0.08 if rate <= 5 else 0.04)
    rows = range(len(found.names))
    return [smug.simulate(found.images[i : i + 1], acquisition, [i], found.names[i : i + 1]) for i in rows]


@torch.no_grad()
def psnr(f: smug.Described, tried: list[smug.Scan]) -> list[float]:
    """Return the PSNR of every slice."""
    seeds = torch.tensor([0])
    return [float(smug.metrics.psnr(f(scan.y, scan.A, generator=seeds), scan.truth)) for scan in tried]


def main() -> None:
    """Print a line for every size and rate."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source")
    parser.add_argument("sizes", type=int, nargs="*", default=[128, 256])
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--rates", type=float, nargs="+", default=[4.0, 8.0])
    parser.add_argument("--slices", type=int, default=6)
    asked = parser.parse_args()
    print(f"| {asked.source} | lam of TV | TV | " + " | ".join(asked.models) + " |")
    print("| --- | ---: | ---: |" + " ---: |" * len(asked.models), flush=True)
    for size in asked.sizes:
        for rate in asked.rates:
            validation = scans(asked.source, "val", size, rate, TUNING)
            tv = max((smug.load(f"tv:{lam}") for lam in LAMS), key=lambda f: fmean(psnr(f, validation)))
            tried = scans(asked.source, "all" if asked.source == "siat" else "test", size, rate, asked.slices)
            reference = psnr(tv, tried)
            cells = [f"{tv.settings()['lam']:g}", f"{fmean(reference):.2f}"]
            for name in asked.models:
                found = psnr(load(name), tried)
                cells.append(f"{fmean(found):.2f} ({difference(found, reference)})")
            print(f"| {size} x {size}, {rate:g}x | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
