"""Ghosts: how much of an error looks like the object at the place of its alias."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from smug.physics.masks import calibration_region

Array = NDArray[np.float64]

FINE, COARSE = 1 / 256, 1 / 32
"""Standard deviations, as shares of the image's width, between which outlines lie: finer is noise, coarser shading."""


def line_spacing(mask: Tensor, encoded_lines: int) -> float:
    """Return the mean spacing of the sampled lines outside the ACS; inf where there are none.

    ``mask`` is ``bool (1, x)``, of which ``encoded_lines`` around DC belong to the scan. Of equispaced lines it is the
    spacing, which is wider than the acceleration: that counts the ACS too.
    """
    acs = mask[:, calibration_region(mask)[1]].shape[-1]
    outside = int(mask.sum()) - acs
    return (encoded_lines - acs) / outside if outside else float("inf")


def ghost(image: Tensor, reference: Tensor, head: Tensor, spacing: float) -> float:
    """Return how much an error looks like a ghost, the mean over slices: 1 is a ghost and nothing else, 0 is none.

    Lines that are ``spacing`` apart fold an image t onto itself at a distance of field of view / ``spacing`` along x.
    It is the correlation of | |x| - |t| | with the shifted |t| over the pixels of the head, in that of the two
    directions where it is higher. It compares outlines: of both, shading (the profile of the coils, flat tissue) and
    pixel noise are filtered out, and what is alike in |t| where it is (errors are larger where more is to be seen).

    ``image`` and ``reference`` are real or complex ``(batch, y, x)``, ``head`` is bool of that shape.
    """
    width = reference.shape[-1]
    distance = round(width / spacing)
    values = []
    for x, t, inside in zip(*(each.cpu() for each in (image, reference, head)), strict=True):
        error, own = (x.abs() - t.abs()).abs().double().numpy(), t.abs().double().numpy()
        shifted = [np.roll(own, way * distance, -1) for way in (1, -1)]
        e, o, *both = (_outlines(each)[inside.numpy()] for each in (error, own, *shifted))
        values.append(max(partial_correlation(e, other, o) for other in both))
    return sum(values) / len(values)


def partial_correlation(a: Array, b: Array, given: Array) -> float:
    """Return the correlation of what is left of a and b ``(n,)`` without what is linear in ``given``; 0 of nothing."""
    u, v = (_without(each - each.mean(), given - given.mean()) for each in (a, b))
    length = float(np.linalg.norm(u) * np.linalg.norm(v))
    return float(u @ v) / length if length > 0 else 0.0


def _outlines(image: Array) -> Array:
    """Return what lies between fine and coarse."""
    from scipy.ndimage import gaussian_filter

    fine, coarse = (gaussian_filter(image, share * image.shape[-1], mode="wrap") for share in (FINE, COARSE))
    return np.asarray(fine - coarse)


def _without(a: Array, given: Array) -> Array:
    energy = float(given @ given)
    return a - (a @ given) / energy * given if energy > 0 else a
