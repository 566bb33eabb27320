from dataclasses import replace

import pytest

from smug.evaluation.conditions import clean, noisy
from smug.paper.cells import Block
from smug.paper.scale import SCALES
from smug.paper.strength import pgd
from smug.paper.workshop import Workshop

BLOCK = Block("brain", 4.0, ("zero-filled",), (clean(), noisy(0.02), pgd(0.02)))


def scored(out, together, slices=3):
    scale = replace(SCALES["tiny"], slices=slices, together=together)
    return Workshop(scale, out).found([BLOCK])


def test_slices_that_are_scored_together_are_scored_as_alone(tmp_path):
    alone, together = (scored(tmp_path / str(n), n) for n in (1, 2))
    key = lambda found: (found.row.condition, found.row.slice)  # noqa: E731
    assert sorted(map(key, alone)) == sorted(map(key, together)) and len(alone) == 9
    for a, b in zip(sorted(alone, key=key), sorted(together, key=key), strict=True):
        assert b.row.psnr == pytest.approx(a.row.psnr, abs=1e-3)
        assert b.row.relative_l2 == pytest.approx(a.row.relative_l2, rel=1e-4)


def test_images_are_kept_of_the_first_slices(tmp_path):
    scale = replace(SCALES["tiny"], slices=3, together=2)
    seen = list(Workshop(scale, tmp_path).seen(replace(BLOCK, conditions=(clean(),), images=1)))
    assert [bool(each.image.numel()) for each in seen] == [True, True, False]
