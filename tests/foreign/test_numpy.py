"""Programs of numpy: what they get, what they may return, and an attack without gradients."""

import numpy as np
import pytest
import torch

from smug.attacks import pgd
from smug.data.scan import Scan
from smug.foreign import numpy_function
from smug.physics.fourier import ifft2c
from smug.physics.sense import Sense

from .conftest import COILS, HEIGHT, THREAT, WIDTH


def adjoint(kspace, mask, maps):
    assert kspace.shape == maps.shape == (COILS, HEIGHT, WIDTH)
    assert mask.shape == (HEIGHT, WIDTH)
    assert mask.dtype == bool
    assert not kspace[:, ~mask].any()
    images = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(kspace, axes=(1, 2)), norm="ortho"), axes=(1, 2))
    return (maps.conj() * images).sum(0)


def test_a_function_sees_one_slice_at_a_time(measured):
    y, A, _ = measured
    f = numpy_function(adjoint)
    torch.testing.assert_close(f(y + ~A.sampled, A), A.H(y))
    torch.testing.assert_close(f(y, Sense(A.mask[:1], A.maps[:1])), Sense(A.mask[:1], A.maps[:1]).H(y))
    assert f(y.to(torch.complex64), A).dtype == torch.complex64


def test_magnitudes_stay_real(measured):
    y, A, _ = measured
    f = numpy_function(lambda kspace, mask, maps: abs(adjoint(kspace, mask, maps)))
    torch.testing.assert_close(f(y, A), A.H(y).abs())


def test_there_is_no_gradient(measured):
    y, A, target = measured
    result = pgd(numpy_function(adjoint), Scan(y, A, target, ("a", "b")), THREAT, steps=2)
    assert not result.gradient_norm.any()


def test_what_is_returned_is_copied(measured):
    y, A, _ = measured
    buffer = np.zeros((HEIGHT, WIDTH), complex)
    buffer.flags.writeable = False
    assert not numpy_function(lambda *parts: buffer)(y, A).any()


def test_another_shape_is_refused(measured):
    y, A, _ = measured
    with pytest.raises(ValueError, match=r"function: expected an image of shape \(12, 10\), got \(3, 12, 10\)"):
        numpy_function(lambda kspace, mask, maps: ifft2c(torch.from_numpy(kspace)).numpy())(y, A)
