"""Small slices to attack, in double precision."""

import pytest
import torch
from torch import Tensor

from smug.data.scan import Scan
from smug.models.noise import complex_normal

from ..scans import tiny_scan

SHAPE = (24, 20)
COILS = 3


class Slices(Scan):
    """A scan that unpacks."""

    def __iter__(self):
        return iter((self.y, self.A, self.target))


def noise(seed: int, *shape: int, dtype: torch.dtype = torch.complex128) -> Tensor:
    return complex_normal(torch.tensor(seed), shape, dtype)


def make_slices(batch: int = 2, dtype: torch.dtype = torch.complex128) -> Slices:
    scan = tiny_scan(batch, COILS, *SHAPE, dtype=dtype)
    return Slices(scan.y, scan.A, scan.truth, scan.id)


@pytest.fixture
def slices(device: torch.device) -> Slices:
    return make_slices().to(device)
