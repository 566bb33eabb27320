"""Small slices to attack, in double precision: 3 coils, 24 x 20, half of the phase lines."""

import itertools
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from smug.models.noise import complex_normal
from smug.physics.sense import Sense

SHAPE = (24, 20)
COILS = 3


@dataclass(frozen=True)
class Slices:
    y: Tensor
    A: Sense
    target: Tensor

    def __getitem__(self, index: int) -> "Slices":
        row = slice(index, index + 1)
        return Slices(self.y[row], self.A[index], self.target[row])

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
    return Slices(A(target) + 0.01 * A.sampled * noise(3, batch, COILS, *SHAPE, dtype=dtype), A, target)


@pytest.fixture
def slices(device: torch.device) -> Slices:
    s = make_slices()
    return Slices(s.y.to(device), s.A.to(device), s.target.to(device))
