"""What arms make of one slice, clean and attacked: python -m recipes.experiment.look RUNS OUT.png [ARM ...].

RUNS is the folder of one length, such as runs/10000; SMUG_DATA names the folder of the image sets. A column for the
reference and every arm; below each other the image from clean measurements, from those that the authors' attack (PGD
0.02) changes to harm that very arm, and the error of the latter. PSNR in dB of this slice.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch
from torch import Tensor

import smug
from recipes.experiment.score import EPSILON, Regime, models, scan

ARMS = ("identity", "modl-random", "smug-1")
WHITE_ERROR = 0.4
"""What is shown as white of an error, in parts of the reference's maximum."""


def images(f: Any, s: smug.Scan) -> tuple[Tensor, Tensor]:
    """Return the image of a scan of one slice, and that under attack."""
    delta = smug.attacks.paper(f, s, smug.Threat(EPSILON), generator=torch.tensor([0])).delta
    seeds = torch.tensor([2**40])
    with torch.no_grad():
        return f(s.y, s.A, generator=seeds), f(s.y + delta, s.A, generator=seeds)


def draw(shown: dict[str, tuple[Tensor, Tensor]], truth: Tensor, path: Path) -> None:
    """Draw a column for every arm, beside the reference."""
    white = float(truth.abs().max())
    figure, axes = plt.subplots(3, len(shown) + 1, figsize=(2.2 * (len(shown) + 1), 7.2), facecolor="white")
    for axis in axes.flat:
        axis.axis("off")
    axes[0, 0].imshow(truth[0].abs().numpy(), cmap="gray", vmin=0, vmax=white)
    axes[0, 0].set_title("reference", fontsize=9)
    for row, text in ((1, f"measurements\nchanged by\nPGD {EPSILON}"), (2, "and the error\nof that")):
        axes[row, 0].text(0.5, 0.5, text, ha="center", va="center", fontsize=9)
    for (name, pair), column in zip(shown.items(), axes.T[1:], strict=True):
        for axis, image, title in zip(column, pair, (name, ""), strict=False):
            axis.imshow(image[0].abs().numpy(), cmap="gray", vmin=0, vmax=white)
            axis.set_title(f"{title} {float(smug.metrics.psnr(image, truth)):.1f} dB".strip(), fontsize=9)
        error = (pair[1].abs() - truth.abs())[0].abs()
        column[2].imshow(error.numpy(), cmap="gray", vmin=0, vmax=WHITE_ERROR * white)
    figure.tight_layout(pad=0.4, h_pad=0.8)
    figure.savefig(path, dpi=110, metadata={"Description": "simulated; for research only, not for diagnosis"})
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    """Reconstruct, attack and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("arms", nargs="*", default=ARMS)
    parser.add_argument("--slice", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(arguments)
    s, found = scan(Regime())[asked.slice], models(asked.runs)
    draw({arm: images(found[f"{arm}-{asked.seed}"], s) for arm in asked.arms}, s.truth, asked.out)


if __name__ == "__main__":
    main()
