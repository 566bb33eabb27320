"""Is the denoiser of an unrolled network one? python recipes/denoising.py CONFIG MODEL ...

CONFIG is a configuration such as recipes/measured.toml, whose validation images get white noise of four levels;
SMUG_DATA names the folder of the image sets. Prints the mean PSNR of magnitudes in dB of the noisy images and of what
the denoiser of every model makes of them; a ridge regulariser, and a denoiser that takes a level, are told the level.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

import torch
from torch import Tensor

import smug

LEVELS = (0.003, 0.01, 0.03, 0.1)


def denoised(name: str, noisy: Tensor, level: float) -> Tensor:
    """Denoise an image ``(1, y, x)`` with what a model has for it."""
    if name == "noisy":
        return noisy
    f = smug.load(name).unscaled()
    if isinstance(f, smug.Ridge):
        A = smug.Sense(torch.ones(1, noisy.shape[-1], dtype=torch.bool))
        return f.replace(sigma=level)(A(noisy), A)
    D = f.settings()["denoiser"]
    return D(noisy, torch.tensor([level])) if getattr(D, "takes_level", False) else D(noisy)


def main(config: str, names: Sequence[str]) -> None:
    """Print a line per model."""
    data = replace(smug.training.load_config(config).data, count=1)  # phantoms to train on are not needed
    truths = [scan.normalised().truth for scan in smug.training.load_training_data(data).validation]
    noises = [
        torch.randn(t.shape, dtype=t.dtype, generator=torch.Generator().manual_seed(i)) for i, t in enumerate(truths)
    ]
    print(f"{len(truths)} images, noise per part", *LEVELS)
    for name in ("noisy", *names):
        values = []
        for level in LEVELS:
            with torch.no_grad():
                images = [denoised(name, t + level * 2**0.5 * n, level) for t, n in zip(truths, noises, strict=True)]
            values.append(fmean(smug.metrics.psnr(x, t).item() for x, t in zip(images, truths, strict=True)))
        print(f"{name}:", " ".join(f"{value:.2f}" for value in values), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
