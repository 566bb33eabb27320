"""Print the sampler table of docs/results.md: python recipes/samplers.py [MODEL ...]."""

import sys

import smug
from recipes.sampler_distances import sampler_distances
from smug.data.simulate import Acquisition
from smug.evaluation.datasets import simulated_set

SLICES = 2

scans = simulated_set("phantom", "test", 128, Acquisition(), count=SLICES).scans
print(f"Relative l2 distance to the mean of 256 samples, {SLICES} phantoms: smoothed denoiser / reconstruction.\n")
for name in sys.argv[1:] or ("smug", "weighted-smug"):
    rows = sampler_distances(smug.load(name).reconstructor, scans)
    sigmas = sorted({row.sigma for row in rows})
    print(f"| {name} | " + " | ".join(f"sigma {sigma:g}" for sigma in sigmas) + " |")
    print("| --- |" + " ---: |" * len(sigmas))
    for count, noise in dict.fromkeys((row.num_samples, row.noise) for row in rows):
        cells = [row for row in rows if (row.num_samples, row.noise) == (count, noise)]
        values = " | ".join(f"{cell.denoiser:.1e} / {cell.reconstruction:.1e}" for cell in cells)
        print(f"| {count} {noise} | {values} |")
    print()
