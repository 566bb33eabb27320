"""One phantom, clean and under the worst change that the fast attack finds: a picture, and a certificate.

python -m recipes.tomography.picture RUNS PICTURE [--phantom 4] [--size 0.03] [--seed 0] [--views 30]

The phantom is the held-out one of that number, the size the change's share of the sinogram's norm. Prints what is
certified of its reconstructions, as Markdown.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import torch

import smug
from recipes.tomography import score
from recipes.tomography.table import NAMES
from recipes.tomography.tomograph import VIEWS

SHOWN = ("fbp", "cg", "tv", "modl", "smug", "weighted-smug", "rs-e2e", "adversarial")
CERTIFIED = ("cg", "tv", "modl", "smug")
WHITE, WHITE_ERROR = 2.0, 0.4
"""What is shown as white, of images and of errors, in parts of water."""


def draw(models: dict[str, Any], s: smug.Scan, size: float, path: Path) -> None:
    """Draw a column for every method: from the scan, from the attacked scan, and that image's error."""
    figure, axes = plt.subplots(3, len(models) + 1, figsize=(1.5 * (len(models) + 1), 4.9), facecolor="white")
    for axis in axes.flat:
        axis.axis("off")
    axes[0, 0].imshow(s.truth[0].numpy(), cmap="gray", vmin=0, vmax=WHITE)
    axes[0, 0].set_title("the phantom", fontsize=9)
    for row, text in ((1, f"below: from a sinogram\nchanged by {size:.0%}\nto do harm"), (2, "and the error\nof that")):
        axes[row, 0].text(0.5, 0.5, text, ha="center", va="center", fontsize=9)
    for (name, f), column in zip(models.items(), axes.T[1:], strict=True):
        threat = smug.Threat(size, "l2", "kspace-l2")
        delta = smug.attacks.fast(f, s, threat, score_draws=2, generator=torch.tensor([0])).delta
        with torch.no_grad():
            images = [f(y, s.A) for y in (s.y, s.y + delta)]
        for axis, image, title in zip(column, images, (NAMES[name], ""), strict=False):
            axis.imshow(image[0].numpy(), cmap="gray", vmin=0, vmax=WHITE)
            psnr = float(smug.metrics.psnr(image, s.truth))
            axis.set_title(f"{title}\n{psnr:.1f} dB".strip(), fontsize=9)
        column[2].imshow((images[1] - s.truth)[0].abs().numpy(), cmap="gray", vmin=0, vmax=WHITE_ERROR)
    figure.tight_layout(pad=0.3)
    figure.savefig(path, dpi=110, metadata={"Description": "simulated; for research only, not for diagnosis"})
    plt.close(figure)


def certificate(models: dict[str, Any], s: smug.Scan) -> str:
    """Return the table of what is certified at the noise that the photons make."""
    noise = float((s.y - s.A(s.truth)).std())
    return smug.certify(models, s, smug.Certification(noise=noise, levels=(1.0, 2.0))).table().markdown()


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw and certify."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--phantom", type=int, default=4)
    parser.add_argument("--size", type=float, default=0.03)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--views", type=int, default=VIEWS)
    asked = parser.parse_args(arguments)
    found = score.models(asked.runs, asked.views)
    named = {name: name if name in found else f"{name}-{asked.seed}" for name in SHOWN}
    chosen = {name: found[run] for name, run in named.items() if run in found}
    s = score.held_out(asked.phantom + 1, asked.views)[asked.phantom]
    draw(chosen, s, asked.size, asked.picture)
    print(certificate({NAMES[name]: chosen[name] for name in CERTIFIED if name in chosen}, s))


if __name__ == "__main__":
    main()
