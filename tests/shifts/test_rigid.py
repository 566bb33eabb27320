import math

import pytest
import torch
from scipy import ndimage
from skimage.transform import rotate

from smug.shifts.rigid import moved, rotated

SIZE = 65


@pytest.fixture
def image(generator, device) -> torch.Tensor:
    """Smooth, complex, and zero towards the edge; odd sizes have one centre for everybody."""
    white = torch.randn(2, SIZE, SIZE, dtype=torch.complex64, generator=generator, device=device).cpu().numpy()
    smooth = ndimage.gaussian_filter(white.real, (0, 3, 3)) + 1j * ndimage.gaussian_filter(white.imag, (0, 3, 3))
    r = torch.hypot(*torch.meshgrid(*[torch.arange(SIZE) - SIZE / 2 + 0.5] * 2, indexing="ij"))
    return (torch.from_numpy(smooth) * torch.sigmoid((20 - r) / 1.5)).to(torch.complex64).to(device)


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize("degrees", [1.0, 5.0, -30.0, 44.9, 45.1, 100.0, 180.0, 271.0])
def test_like_scipy(image, degrees):
    x = image[0].cpu().numpy()
    expected = sum(
        unit * ndimage.rotate(part, degrees, reshape=False, order=5) for unit, part in ((1, x.real), (1j, x.imag))
    )
    assert relative(rotated(image, degrees)[0].cpu(), torch.from_numpy(expected)) < 2e-3


def test_like_skimage(image):
    x = image.real[0].cpu().numpy()
    assert relative(rotated(image, 12.0)[0].real.cpu(), torch.from_numpy(rotate(x, 12.0, order=5))) < 5e-3


@pytest.mark.parametrize("degrees", [5.0, 37.0, 45.0, 133.0])
def test_there_and_back(image, degrees):
    assert relative(rotated(rotated(image, degrees), -degrees), image) < 1e-3


def test_once_around(image):
    assert torch.equal(rotated(image, 360.0), image)
    x = image
    for _ in range(8):
        x = rotated(x, 45.0)
    assert relative(x, image) < 3e-3


@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 8), (7, 12), (1, 5)])
def test_quarter_turns_are_exact(generator, device, height, width):
    x = torch.randn(2, height, width, dtype=torch.complex64, generator=generator, device=device)
    half = rotated(x, 180.0)
    for y in range(height):
        for column in range(width):
            there = 2 * (height // 2) - y, 2 * (width // 2) - column
            inside = 0 <= there[0] < height and 0 <= there[1] < width
            assert torch.equal(half[:, y, column], x[:, *there] if inside else 0 * x[:, 0, 0])
    if height == width == 9:
        assert torch.equal(rotated(x, 90.0), torch.rot90(x, 1, (-2, -1)))


def test_counterclockwise(image):
    torch.testing.assert_close(rotated(image, 90.0), torch.rot90(image, 1, (-2, -1)))


def test_nothing_wraps_around(device):
    x = torch.zeros(1, 40, 40, dtype=torch.complex64, device=device)
    x[:, 15:25, 34:] = 1  # at the right edge
    turned = rotated(x, 20.0)
    assert turned[:, :, :20].abs().max() < 0.06
    assert rotated(torch.ones_like(x), 45.0)[:, :3, :3].abs().max() < 0.06  # the corners are empty


def test_double_precision_is_kept(image):
    assert rotated(image.to(torch.complex128), 3.0).dtype == torch.complex128


def test_a_shift_by_whole_pixels_is_a_roll():
    image = torch.zeros(1, 20, 24, dtype=torch.complex128)
    image[0, 8, 9] = 1
    shifted = moved(image, torch.zeros(1), torch.tensor([[3.0, -2.0]]))
    torch.testing.assert_close(shifted, image.roll((3, -2), (1, 2)), atol=1e-12, rtol=0)


def test_what_leaves_the_field_of_view_does_not_come_back():
    image = torch.zeros(1, 16, 16, dtype=torch.complex128)
    image[0, 1, 8] = 1
    assert moved(image, torch.zeros(1), torch.tensor([[-4.0, 0.0]])).abs().max() < 1e-9


def test_a_turn_by_radians_is_that_by_degrees(full):
    turned = moved(full.truth, torch.tensor([math.radians(7.0)]))
    torch.testing.assert_close(turned, rotated(full.truth, 7.0))
