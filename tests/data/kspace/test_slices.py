"""Slices that are read when needed."""

import pickle
from functools import partial

import pytest
import torch
from torch import Tensor

from smug.data.kspace.slices import MAX_MASK_BYTES, MAX_SLICE_BYTES, Slices, check_mask, check_slice


def filled(shape: tuple[int, ...], index: int) -> Tensor:
    return torch.full(shape, float(index))


def test_a_sequence_that_reads_what_is_asked_for():
    asked = []
    slices = Slices(5, lambda index: asked.append(index) or torch.tensor(index))
    assert len(slices) == 5 and asked == []
    assert (int(slices[0]), int(slices[-1]), [int(s) for s in slices[1:4:2]]) == (0, 4, [1, 3])
    assert asked == [0, 4, 1, 3]
    assert [int(s) for s in slices] == list(range(5))


@pytest.mark.parametrize("index", [3, -4])
def test_there_are_no_others(index):
    with pytest.raises(IndexError, match=f"got slice {index} of 3"):
        Slices(3, partial(filled, (2,)))[index]


def test_other_processes_read_their_own():
    slices = pickle.loads(pickle.dumps(Slices(3, partial(torch.full, (2, 2)))))  # noqa: S301
    assert torch.equal(slices[2], torch.full((2, 2), 2))


def test_sizes_are_bounded():
    check_slice((1, 1, MAX_SLICE_BYTES // 8), "here")
    with pytest.raises(ValueError, match=r"here: got slices of 2 x 1 x 134217728 \(coil, y, x\), 2.0 GiB each"):
        check_slice((2, 1, MAX_SLICE_BYTES // 8), "here")
    check_mask((1, 1, MAX_MASK_BYTES), "here")
    with pytest.raises(ValueError, match="here: got 2 slices, too many"):
        check_mask((2, 1, MAX_MASK_BYTES), "here")
