"""Calibration lines that are those of several slices."""

import pickle
from collections import Counter

import pytest
import torch

from smug.data.kspace import pools
from smug.data.kspace.pools import Pools, masks_of
from smug.data.slices import Slices


def pool(index: int) -> torch.Tensor:
    """Two lines of five, of two coils."""
    values = torch.zeros(2, 3, 5, dtype=torch.complex64)
    values[..., 1:3] = torch.randn(2, 3, 2, dtype=torch.complex64, generator=torch.Generator().manual_seed(index))
    return values


def test_what_serves_several_slices_is_read_once():
    read: Counter[int] = Counter()
    found = Pools(Slices(3, lambda i: read.update([i]) or pool(i)), (0, 1, 0, 2, 1, 0))
    for _ in range(2):
        for values, i in zip(found.kspace, found.of, strict=True):
            assert torch.equal(values, pool(i))
            values.zero_()  # it is the caller's
    assert read == {0: 1, 1: 1, 2: 2}
    assert {i: tuple(values.shape) for i, (_, values) in found.kept.items()} == {0: (2, 3, 2), 1: (2, 3, 2)}


def test_no_more_is_kept_than_fits(monkeypatch):
    monkeypatch.setattr(pools, "MAX_KEPT_BYTES", pool(0)[..., :2].nbytes)
    read: Counter[int] = Counter()
    found = Pools(Slices(2, lambda i: read.update([i]) or pool(i)), (0, 1) * 3).kspace
    assert [torch.equal(values, pool(i % 2)) for i, values in enumerate(found)] == [True] * 6
    assert read == {0: 1, 1: 3}


def test_other_processes_may_read_them():
    found = pickle.loads(pickle.dumps(Pools(Slices(2, pool), (0, 1, 1)).kspace))  # noqa: S301
    assert torch.equal(found[2], pool(1))


@pytest.mark.parametrize("masks", [1, 2])
def test_masks_of_slices(masks):
    mask = torch.eye(3, dtype=torch.bool)[:masks]
    assert torch.equal(masks_of(mask, (0, 1, 1)), mask if masks == 1 else mask[[0, 1, 1]])
