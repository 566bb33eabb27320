import numpy as np
import pytest
import torch

from smug.physics.fourier import fft2c, ifft2c

SIZES = [(8, 8), (7, 9), (1, 6), (5, 1)]


@pytest.mark.parametrize("size", SIZES)
def test_against_numpy(size, device):
    image = torch.randn(2, *size, dtype=torch.complex128, device=device)
    axes = (-2, -1)
    expected = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(image.cpu().numpy(), axes=axes), norm="ortho"), axes=axes)
    np.testing.assert_allclose(fft2c(image).cpu().numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_inverse_and_isometry(size, device):
    image = torch.randn(3, *size, dtype=torch.complex128, device=device)
    torch.testing.assert_close(ifft2c(fft2c(image)), image)
    torch.testing.assert_close(fft2c(image).norm(), image.norm())


def test_constant_image_is_the_centre_of_kspace(device):
    kspace = fft2c(torch.ones(1, 5, 6, dtype=torch.complex128, device=device))
    assert kspace[0, 2, 3].real.item() == pytest.approx(np.sqrt(30))
    assert kspace.abs().sum().item() == pytest.approx(np.sqrt(30))
