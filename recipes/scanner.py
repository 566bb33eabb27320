"""Motion, spikes, ghosts, drifting gains and off-resonance, random and the worst found.

python -m recipes.scanner SOURCE [SLICES [SIZE [MODEL ...]]]

SOURCE is phantom or an image set such as siat, below SMUG_DATA. Prints, for every model, means over slices and the
standard deviation over them of the PSNR in dB. Seeds are the numbers of the slices, for simulation and perturbation.
"""

import sys
from collections.abc import Iterable

import torch
from torch import Tensor

import smug

BOUNDS = {"motion": 1.0, "spikes": 0.1, "ghost": 10.0, "gain-drift": 0.1, "off-resonance": 1.0}
"""The sizes of protocol "scanner", in the units of the families."""


def models(names: Iterable[str]) -> dict[str, smug.Described]:
    """Return shipped models; smoothing averages an antithetic pair."""
    loaded = {name: smug.load(name) for name in names}
    return {name: f.replace(num_samples=2, noise="antithetic") if name == "smug" else f for name, f in loaded.items()}


@torch.no_grad()
def rows(f: smug.Described, scan: smug.Scan, seeds: Tensor) -> dict[str, Tensor]:
    """Return the PSNR of every slice, clean and for every family random and worst."""
    fresh = seeds + 1000  # noise of the reconstructor that no attack has seen

    def psnr(perturbed: smug.Scan) -> Tensor:
        return smug.metrics.psnr(f(perturbed.y, perturbed.A, generator=fresh), scan.truth)

    found = {"clean": psnr(scan)}
    for name, bound in BOUNDS.items():
        family = smug.shifts.FAMILIES[name]
        found[f"{name} {bound:g}, random"] = psnr(smug.attacks.random_of(scan, family, bound, seeds))
        found[f"{name} {bound:g}, worst"] = psnr(smug.attacks.worst_of(f, scan, family, bound, generator=seeds).scan)
    return found


def main(source: str, slices: str = "6", size: str = "64", *names: str) -> None:
    """Print a table for every model as it is ready."""
    count = int(slices)
    images = smug.load_images(source, "test", int(size), count=count).images
    seeds = torch.arange(len(images))
    scan = smug.simulate(images, smug.Acquisition(), seeds.tolist())
    for name, f in models(names or ("modl", "smug", "tv", "ridge")).items():
        for condition, values in rows(f, scan, seeds).items():
            spread = float(values.std()) if len(values) > 1 else 0.0
            print(f"| {name} | {condition} | {float(values.mean()):.2f} | {spread:.2f} |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
