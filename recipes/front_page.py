"""Draw the picture of the front page: python recipes/front_page.py DATA docs/front.png.

DATA is the folder of the image sets (see docs/data.md). The slice is of the test patient of openms (CC BY, Lesjak et
al. 2016), whom the network has not seen. Four simulated coils, a random quarter of the lines, receiver noise of 0.005
of the image's maximum, 50 steps of projected gradient ascent for the shipped MoDL. Prints PSNR, also for random noise
of the same norm.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import torch

import smug

SLICE = "patient19_study2_FLAIR-007"


def main(data: str, path: str) -> None:
    """Draw the full scan, MoDL's reconstruction of a quarter of it, and that of the perturbed quarter."""
    images = smug.load_images("openms", "test", 128, root=Path(data))
    row = images.names.index(SLICE)
    scan = smug.simulate(images.images[row : row + 1], smug.Acquisition(noise=0.005), [7], [SLICE])
    f, threat = smug.load("modl"), smug.Threat(0.05, norm="l2", unit="kspace-l2")
    delta = smug.attacks.pgd(f, scan, threat, steps=50).delta
    noise = smug.shifts.noise(scan, threat.value, torch.tensor([0])).y
    with torch.no_grad():
        x, fooled, noisy = (f(y, scan.A) for y in (scan.y, scan.y + delta, noise))
    for name, image in {"clean": x, "attacked": fooled, "noise of the same norm": noisy}.items():
        print(f"{name}: {smug.metrics.psnr(image, scan.truth).item():.2f} dB")
    titles = ("the full scan", "MoDL, from a quarter of it", "the same, changed by 5 % to do harm")
    figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.95), facecolor="black")
    white = 0.75 * float(scan.truth.abs().max())
    for axis, (title, image) in zip(axes, zip(titles, (scan.truth, x, fooled), strict=True), strict=True):
        axis.imshow(image[0, 5:125, 14:114].abs(), cmap="gray", vmin=0, vmax=white, interpolation="lanczos")
        axis.set_title(title, color="white", fontsize=11)
        axis.axis("off")
    figure.subplots_adjust(left=0.005, right=0.995, bottom=0.01, top=0.91, wspace=0.01)
    figure.savefig(path, dpi=110, facecolor="black", metadata={"Description": "Lesjak et al. 2016, CC BY"})


if __name__ == "__main__":
    main(*sys.argv[1:])
