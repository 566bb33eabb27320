"""Sequences whose items are read when they are needed."""

import pickle
from functools import partial

import pytest
import torch
from torch import Tensor

from smug.data.slices import Slices, remembered


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


def test_a_part_reads_what_is_asked_for():
    asked = []
    part = Slices(9, lambda index: asked.append(index) or index)[6:1:-2]
    assert len(part) == 3 and asked == []
    assert (part[-1], list(part[1:])) == (2, [4, 2])
    assert asked == [2, 4, 2]
    assert pickle.loads(pickle.dumps(Slices(3, abs)[1:]))[0] == 1  # noqa: S301


def test_the_last_item_is_remembered():
    asked = []
    items = remembered(Slices(3, lambda index: asked.append(index) or index))
    assert [items[1], items[1], items[-2], items[0], items[1]] == [1, 1, 1, 0, 1]
    assert asked == [1, 0, 1]
