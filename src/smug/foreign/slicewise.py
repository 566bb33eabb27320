"""Slices that are kept apart."""

import torch
from torch import Tensor

from smug.models.noise import Seeds, entry_seeds
from smug.physics.sense import Sense
from smug.reconstructor import Reconstructor, taking_generator


def slicewise(f: Reconstructor) -> Reconstructor:
    """Return a reconstructor that gives ``f`` one slice at a time, for one that mixes the slices of a batch.

    Attacks and scores need slices that do not see each other; a solver that stops for a whole batch lets them.
    """
    f = taking_generator(f)

    def apart(y: Tensor, A: Sense, generator: Seeds = None) -> Tensor:
        seeds = entry_seeds(generator, y.shape[0])
        return torch.cat([f(y[i : i + 1], A[i], generator=seeds[i : i + 1]) for i in range(y.shape[0])])

    return apart
