"""What a file's k-space shows: an image in the middle of the field of view, or signs that it does not."""

from collections.abc import Iterator

import torch
from torch import Tensor

from smug.data.kspace.energy import MIN_SIZE
from smug.data.kspace.volume import Volume
from smug.data.slices import spread
from smug.physics.fourier import ifft2c

MOST_SLICES = 4
"""Slices that are looked at, spread evenly."""

AXES = ("y (readout)", "x (phase encoding)")

SHIFTED = 2.5
"""How much more energy than in the middle half of an axis lies in its outer halves, of an image that is shifted by half
its field of view; of measured heads, some of which fill it, up to 1.5 times as much does."""

SHIFTED_BOTH = 3.0
"""The same of both axes, with the middle quarter of the image and that of the shifted one."""

STRONGEST = 0.01
"""The share of the strongest values whose energy tells k-space, which holds most of it there, from images."""

MIN_CONCENTRATION, MAX_SHARE = 0.6, 0.5
"""K-space is taken for an image if its transform has more than the first of its energy in the strongest values, and it
has less than the second of that: of measured k-space it has at least twice as much."""


def doubts(volume: Volume) -> Iterator[str]:
    """Yield what contradicts that the volume holds k-space of an image in the middle of its field of view."""
    samples = [volume.measured(i)[0][0] for i in spread(len(volume), MOST_SLICES)]
    if min(samples[0].shape[-2:]) < MIN_SIZE:
        return
    images = [ifft2c(k) for k in samples]
    in_kspace, in_image = (_concentration(torch.stack(values)) for values in (samples, images))
    if in_image > MIN_CONCENTRATION and in_kspace < MAX_SHARE * in_image:
        yield (
            "these look like images, not like their Fourier transform: reconstructed as k-space they make a dot; "
            "smug prepare --simulate takes images"
        )
        return
    shifted = _shifted_axes(sum((image.abs().square().sum(0) for image in images), torch.zeros(())))
    if shifted:
        along = " and ".join(AXES[axis] for axis in shifted)
        yield (
            f"the image lies at the edges of the field of view along {along}, shifted by half of it, as where the "
            "signs of k-space alternate: multiply every other sample by -1 along there"
        )


def _concentration(values: Tensor) -> float:
    """Return the share of the energy that the strongest of the values hold, of those that are not 0."""
    power = values.abs().square().flatten()
    power = power[power > 0].sort(descending=True).values
    total = float(power.sum())
    return float(power[: max(1, int(STRONGEST * len(power)))].sum()) / total if total else 0.0


def _shifted_axes(power: Tensor) -> tuple[int, ...]:
    """Return the axes along which an image ``(y, x)`` of this power is shifted by half the field of view."""
    height, width = power.shape
    rows, columns = (slice(n // 4, n // 4 + n // 2) for n in (height, width))
    swapped = power.roll((height // 2, width // 2), (0, 1))
    if float(swapped[rows, columns].sum()) > SHIFTED_BOTH * float(power[rows, columns].sum()):
        return (0, 1)
    total, middle = float(power.sum()), (float(power[rows].sum()), float(power[:, columns].sum()))
    return tuple(axis for axis, inside in enumerate(middle) if total - inside > SHIFTED * inside)
