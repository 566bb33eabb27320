"""Small slices to attack, in double precision: 3 coils, 24 x 20, half of the phase lines."""

import itertools

import pytest
import torch
from torch import Tensor

from smug.data.scan import Scan
from smug.models.noise import complex_normal
from smug.physics.sense import Sense

SHAPE = (24, 20)
COILS = 3


class Slices(Scan):
    """A scan that unpacks."""

    def __iter__(self):
        return iter((self.y, self.A, self.target))


def noise(seed: int, *shape: int, dtype: torch.dtype = torch.complex128) -> Tensor:
    return complex_normal(torch.tensor(seed), shape, dtype)


def make_slices(batch: int = 2, dtype: torch.dtype = torch.complex128) -> Slices:
    maps = noise(1, batch, COILS, *SHAPE, dtype=dtype)
    maps = maps / maps.abs().square().sum(1, keepdim=True).sqrt()
    mask = torch.zeros(batch, SHAPE[1], dtype=torch.bool)
    for row, line in itertools.product(range(batch), range(0, SHAPE[1], 2)):
        mask[row, (line + row) % SHAPE[1]] = True
    mask[:, 8:12] = True
    A = Sense(mask=mask, maps=maps)
    target = noise(2, batch, *SHAPE, dtype=dtype) / 3
    y = A(target) + 0.01 * A.sampled * noise(3, batch, COILS, *SHAPE, dtype=dtype)
    return Slices(y, A, target, tuple("abc"[:batch]))


@pytest.fixture
def slices(device: torch.device) -> Slices:
    return make_slices().to(device)
