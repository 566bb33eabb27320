"""DeepInverse: the real package where it is installed, else a stand-in with the interface of its version 0.5."""

import sys
import types

import pytest
import torch
from torch import nn

from smug.foreign import deepinv_model, deepinv_physics
from smug.foreign.adapted import returned_image, stacked_parts
from smug.physics.sense import Sense

from .conftest import convolution


class StandIn:
    """MultiCoilMRI as its documentation tells: channels second, centred and orthonormal transforms."""

    def __init__(self, mask, coil_maps, device, noise_model=None):
        self.mask, self.coil_maps, self.noise_model = mask.to(device), coil_maps.to(device), noise_model

    def A(self, x):
        images = self.coil_maps * torch.view_as_complex(x.moveaxis(1, -1).contiguous())[:, None]
        kspace = torch.fft.fftn(torch.fft.ifftshift(images, dim=(-2, -1)), dim=(-2, -1), norm="ortho")
        return self.mask[:, :, None] * stacked_parts(torch.fft.fftshift(kspace, dim=(-2, -1)))

    def A_adjoint(self, y):  # noqa: N802
        kspace = torch.fft.ifftshift(as_image_of_coils(self.mask[:, :, None] * y), dim=(-2, -1))
        images = torch.fft.fftshift(torch.fft.ifftn(kspace, dim=(-2, -1), norm="ortho"), dim=(-2, -1))
        return stacked_parts((self.coil_maps.conj() * images).sum(1))


class GaussianNoise:
    def __init__(self, sigma):
        self.sigma = torch.as_tensor(sigma)


def as_image_of_coils(channels):
    return torch.complex(channels[:, 0], channels[:, 1])


@pytest.fixture(params=["stand-in", "deepinv"])
def package(request, monkeypatch):
    """Deepinv itself, or modules of its name."""
    if request.param == "deepinv":
        return pytest.importorskip("deepinv", reason="needs deepinv", exc_type=Exception)
    physics = types.ModuleType("deepinv.physics")
    physics.MultiCoilMRI, physics.GaussianNoise = StandIn, GaussianNoise
    package = types.ModuleType("deepinv")
    package.physics = physics
    monkeypatch.setitem(sys.modules, "deepinv", package)
    monkeypatch.setitem(sys.modules, "deepinv.physics", physics)
    return package


class Descent(nn.Module):
    """Two steps of gradient descent and a residual convolution, written for deepinv."""

    def __init__(self):
        super().__init__()
        self.network = convolution(2, 2)

    def forward(self, y, physics):
        x = physics.A_adjoint(y)
        for _ in range(2):
            x = x - 0.5 * physics.A_adjoint(physics.A(x) - y)
        return x + self.network(x)


def masks(A):
    points = A.mask[:, None, :].repeat(1, A.maps.shape[-2], 1)
    points[:, 0] = False
    return [A, Sense(A.mask[:1], A.maps), Sense(A.mask, A.maps[:1]), Sense(points, A.maps)]


def test_physics_measures_as_the_operator_does(measured, package):
    y, A, target = measured
    for B in masks(A):
        physics = deepinv_physics(y, B)
        torch.testing.assert_close(physics.A(stacked_parts(target)), stacked_parts(B(target)))
        torch.testing.assert_close(physics.A_adjoint(stacked_parts(y)), stacked_parts(B.H(y)))


def test_a_single_coil_without_maps(measured, package):
    _, A, target = measured
    single = Sense(A.mask)
    y = single(target.to(torch.complex64))
    physics = deepinv_physics(y, single)
    torch.testing.assert_close(physics.A_adjoint(stacked_parts(y)), stacked_parts(single.H(y)))


def test_physics_knows_the_noise(measured, package):
    y, A, _ = measured
    assert float(deepinv_physics(y, A, noise_sigma=0.25).noise_model.sigma) == 0.25


def test_a_model_is_called_as_deepinv_calls_it(measured, package, promises):
    y, A, _ = measured
    model = Descent().to(y.device)
    x = A.H(y)
    for _ in range(2):
        x = x - 0.5 * A.H(A(x) - y)
    f = deepinv_model(model)
    torch.testing.assert_close(f(y, A), x + returned_image(model.network(stacked_parts(x))))
    promises(f)


def test_slices_do_not_meet(measured, package, promises):
    """A model that mixes what it is given at once, as a solver does that stops for the whole batch."""

    def model(y, physics):
        x = physics.A_adjoint(y)
        return x / x.norm()

    promises(deepinv_model(model))


def test_a_magnitude_stays_real(measured, package, promises):
    f = deepinv_model(lambda y, physics: physics.A_adjoint(y).norm(dim=1, keepdim=True))
    assert not f(*measured[:2]).is_complex()
    promises(f)


def test_another_shape_is_refused(measured, package):
    y, A, _ = measured
    with pytest.raises(ValueError, match=r"expected it to return real \(batch, 2, y, x\),.*\(1, 2, 3, 12, 10\)"):
        deepinv_model(lambda y, physics: y)(y, A)


@pytest.mark.filterwarnings("default")
def test_models_of_deepinv(measured, promises):
    models = pytest.importorskip("deepinv.models", reason="needs deepinv", exc_type=Exception)
    torch.manual_seed(0)
    network = models.DnCNN(in_channels=2, out_channels=2, pretrained=None, depth=3).double()
    removal = models.ArtifactRemoval(network).to(measured[0].device)
    y, A, _ = measured
    torch.testing.assert_close(deepinv_model(removal)(y, A), returned_image(network(stacked_parts(A.H(y)))))
    promises(deepinv_model(models.MoDL(network).double().to(y.device)))
