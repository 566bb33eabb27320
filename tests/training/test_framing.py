"""Parts of images in matrices and at pixel sizes of their own."""

import numpy as np
import pytest
import torch

from smug.data.phantom import head_phantom
from smug.training.framing import Frame, turned

IMAGE = head_phantom(3, 64)


def drawn(matrix, pixel=1.0, seed=0, image=IMAGE):
    return Frame.drawn(image, matrix, pixel, np.random.default_rng(seed))


def test_a_matrix_of_the_image_is_the_image_and_draws_nothing():
    rng = np.random.default_rng(0)
    frame = Frame.drawn(IMAGE, (64, 64), 1.0, rng)
    assert torch.equal(frame.of(IMAGE), IMAGE)
    assert rng.integers(2**62) == np.random.default_rng(0).integers(2**62)


def test_a_smaller_matrix_is_a_part_about_the_middle():
    corners = set()
    for seed in range(60):
        frame = drawn((32, 64), seed=seed)
        corners.add(frame.top)
        assert frame.left == 0 and 8 <= frame.top <= 24
        assert torch.equal(frame.of(IMAGE), IMAGE[frame.top : frame.top + 32])
    assert len(corners) > 10


def test_a_larger_matrix_is_the_image_among_zeros():
    framed = drawn((64, 80)).of(IMAGE)
    assert torch.equal(framed[:, 8:72], IMAGE)
    assert not framed[:, :8].any() and not framed[:, 72:].any()


@pytest.mark.parametrize("pixel", [0.8, 1.25, 2.0])
def test_pixels_of_another_size_show_more_or_less_of_the_same(pixel):
    y, x = torch.meshgrid(torch.arange(128.0), torch.arange(128.0), indexing="ij")
    ramp = torch.complex(y, x)  # the image is where it was taken from
    frame = drawn((40, 48), pixel, image=ramp)
    framed = frame.of(ramp)
    assert framed.shape == (40, 48)
    rows = frame.top + (torch.arange(40) + 0.5) * frame.box[0] / 40 - 0.5
    columns = frame.left + (torch.arange(48) + 0.5) * frame.box[1] / 48 - 0.5
    expected = torch.complex(*torch.meshgrid(rows, columns, indexing="ij"))
    middle = slice(8, -8), slice(8, -8)  # beyond the edge of the box, and of the image, nothing is known
    torch.testing.assert_close(framed[middle], expected[middle], rtol=0, atol=0.01)


def test_symmetries_keep_the_matrix():
    wide = drawn((32, 64)).of(IMAGE)
    assert all(turned(wide, symmetry).shape == (32, 64) for symmetry in range(8))
    assert len({turned(IMAGE, symmetry).numpy().tobytes() for symmetry in range(8)}) == 8
