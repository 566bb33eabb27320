"""What models are worth on the validation scans of a training: python recipes/validation.py CONFIG MODEL ...

CONFIG is a configuration such as recipes/measured.toml; SMUG_DATA names the folder of the image sets. Prints the mean
PSNR of magnitudes in dB of every model, and of the best of them for each scan: what a method could have whose weight
an oracle chose, where the models are one method with several weights (tv:0.001 tv:0.003 ...).
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

import torch

import smug


def main(config: str, names: Sequence[str]) -> None:
    """Print a line per model."""
    data = replace(smug.training.load_config(config).data, count=1)  # phantoms to train on are not needed
    scans = smug.training.load_training_data(data).validation
    best = [0.0] * len(scans)
    for name in names:
        f = smug.load(name)
        with torch.no_grad():
            found = [smug.metrics.psnr(f(scan.y, scan.A), scan.truth).item() for scan in scans]
        best = [max(pair) for pair in zip(best, found, strict=True)]
        print(f"{name}: {fmean(found):.2f} dB on {len(scans)} scans", flush=True)
    print(f"the best for every scan: {fmean(best):.2f} dB")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
