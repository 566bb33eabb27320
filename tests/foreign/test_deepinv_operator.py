"""Physics of DeepInverse as operators: stand-ins with its interface, compared with what the same is here.

``tests/foreign/deepinv_real.py`` tries the package itself, in an environment of its own.
"""

import sys

import pytest
import torch
from torch import Tensor, nn

import smug
from smug.foreign import deepinv
from tests.properties import assert_refused
from tests.scans import tiny_scan

SIZE = (12, 10)


def as_complex(channels: Tensor) -> Tensor:
    return torch.complex(channels[:, 0], channels[:, 1])


def as_channels(values: Tensor) -> Tensor:
    return torch.stack((values.real, values.imag), dim=1)


def fourier(values: Tensor, transform) -> Tensor:
    shifted = torch.fft.ifftshift(values, dim=(-2, -1))
    return torch.fft.fftshift(transform(shifted, dim=(-2, -1), norm="ortho"), dim=(-2, -1))


class GaussianNoise(nn.Module):
    def __init__(self, sigma, rng=None):
        super().__init__()
        self.sigma, self.rng = sigma, rng

    def forward(self, y):
        return y + self.sigma * torch.empty_like(y).normal_(generator=self.rng)


class Physics(nn.Module):
    def __init__(self, noise_model=None, **buffers):
        super().__init__()
        for name, value in buffers.items():
            self.register_buffer(name, value)
        self.noise_model = noise_model or GaussianNoise(0.01)

    def A_adjoint_A(self, x):  # noqa: N802
        return self.A_adjoint(self.A(x))


class MultiCoilMRI(Physics):
    def A(self, x):
        return self.mask[:, :, None] * as_channels(fourier(self.coil_maps * as_complex(x)[:, None], torch.fft.fft2))

    def A_adjoint(self, y):  # noqa: N802
        images = fourier(as_complex(self.mask[:, :, None] * y), torch.fft.ifft2)
        return as_channels((self.coil_maps.conj() * images).sum(1))


class MRI(Physics):
    def A(self, x):
        return self.mask * as_channels(fourier(as_complex(x), torch.fft.fft2))

    def A_adjoint(self, y):  # noqa: N802
        return as_channels(fourier(as_complex(self.mask * y), torch.fft.ifft2))

    def noise(self, y):
        return self.noise_model(y) * self.mask


class Inpainting(Physics):
    def A(self, x):
        return self.mask * x

    A_adjoint = A


class Blur(Physics):
    """Its filter may differ between images."""

    def A(self, x):
        return torch.fft.ifft2(torch.fft.fft2(x) * torch.fft.fft2(self.filter, s=SIZE)).real

    def A_adjoint(self, y):  # noqa: N802
        return torch.fft.ifft2(torch.fft.fft2(y) * torch.fft.fft2(self.filter, s=SIZE).conj()).real


class Tomography(Physics):
    """Two angles: sums over rows and columns, as detectors x angles."""

    def A(self, x):
        return torch.stack((x.sum(-1)[..., : SIZE[1]], x.sum(-2)), -1)

    def A_adjoint(self, y):  # noqa: N802
        rows = nn.functional.pad(y[..., 0], (0, SIZE[0] - SIZE[1]))
        return rows[..., :, None] + y[..., 1][..., None, :]


def mask(batch=2, channels=2):
    drawn = torch.rand(batch, 1, *SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) < 0.5
    drawn[..., 4:8, 3:7] = True
    return drawn.double().repeat(1, channels, 1, 1)


PHYSICS = {
    "MultiCoilMRI": (lambda: multi_coil(tiny_scan(2, 3, *SIZE)), torch.complex128),
    "MRI": (lambda: MRI(mask=mask()), torch.complex128),
    "Inpainting": (lambda: Inpainting(mask=mask(1, 1)), torch.float64),
    "Blur": (lambda: Blur(filter=torch.rand(1, 1, 3, 3, dtype=torch.float64) / 9), torch.float64),
    "Blur of each": (lambda: Blur(filter=torch.rand(2, 1, 3, 3, dtype=torch.float64) / 9), torch.float64),
    "Tomography": (lambda: Tomography(), torch.float64),
}


def multi_coil(scan):
    points = scan.A.sampled.expand(-1, 1, *SIZE).to(scan.y.real.dtype)
    return MultiCoilMRI(mask=points.repeat(1, 2, 1, 1), coil_maps=scan.A.maps)


@pytest.mark.parametrize("name", PHYSICS)
def test_every_physics_is_an_operator(name):
    build, dtype = PHYSICS[name]
    A = deepinv.operator(build())
    smug.check_operator(A, SIZE, dtype, tolerance=1e-10)
    x = torch.ones(2, *SIZE, dtype=dtype)
    y = A.measure(x, torch.tensor([1, 2]))
    assert y.dtype == A(x).dtype
    assert 0.002 < float((y - A(x)).abs().mean()) < 0.05
    assert not bool(y[~A.support(y)].any())
    for f in (smug.CGSense(0.1), smug.TotalVariation(0.01, iterations=5), smug.MoDL(lambda x: x, steps=2)):
        assert f(y, A).dtype == dtype
    found = smug.attacks.fast(smug.CGSense(0.1), smug.Scan(y, A, x, ("one", "two")))
    assert bool((found.objective > found.clean_objective).all())


def test_noise_is_of_its_seed_alone_and_leaves_generators_as_they_are():
    rng = torch.Generator().manual_seed(5)
    for noise in (GaussianNoise(0.1), GaussianNoise(0.1, rng)):
        A, x = deepinv.operator(MRI(mask=mask(), noise_model=noise)), torch.ones(2, *SIZE, dtype=torch.complex128)
        before = torch.get_rng_state(), rng.get_state()
        y = A.measure(x, torch.tensor([3, 4]))
        assert torch.equal(A[1].measure(x[1:], torch.tensor([4])), y[1:])
        assert not torch.equal(y[0] - A(x)[0], y[1] - A(x)[1])
        assert torch.equal(torch.get_rng_state(), before[0])
        assert torch.equal(rng.get_state(), before[1])


def methods():
    torch.manual_seed(0)
    network = smug.UNet(channels=4)
    for parameter in network.parameters():
        parameter.data += 0.02 * torch.randn_like(parameter)
    smoothing = smug.Smoothing(sigma=0.05, num_samples=2)
    return {
        "modl": smug.MoDL(network, steps=3),
        "smug": smug.SMUG(network, smoothing, steps=3),
        "weighted smug": smug.WeightedSMUG(network, smug.WeightEncoder(), smoothing, steps=3),
        "rs-e2e": smug.RSE2E(network, smoothing, steps=3),
        "cg": smug.CGSense(0.01),
        "tv": smug.TotalVariation(iterations=20),
        "ridge": smug.Ridge(smug.RidgeRegulariser(filters=3, widths=(2,)), lam=0.05, sigma=0.05, tau=0.1),
        "normalised": smug.normalised(smug.MoDL(network, steps=3)),
    }


@pytest.mark.parametrize("name", methods())
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_multi_coil_mri_is_sense(name, dtype, monkeypatch):
    scan = tiny_scan(2, 3, *SIZE, dtype=dtype)
    f, y = methods()[name], scan.y.clone().requires_grad_()
    expected = f(y, scan.A)
    (slope,) = torch.autograd.grad(expected.abs().square().sum(), y)

    def gram(self, image):
        raise AssertionError("Sense.gram was called")

    monkeypatch.setattr(smug.Sense, "gram", gram)
    A = deepinv.operator(multi_coil(scan))
    found = f(y, A)
    assert (found - expected).norm() < 1e-5 * expected.norm()
    (other,) = torch.autograd.grad(found.abs().square().sum(), y)
    assert (other - slope).norm() < 1e-4 * slope.norm()


def test_moving_copies_the_physics():
    physics = MRI(mask=mask())
    A = deepinv.operator(physics)
    assert A.to("cpu") is A
    assert A.to(torch.complex64).physics.mask.dtype == torch.float32
    assert physics.mask.dtype == torch.float64
    assert repr(A) == "MRI of DeepInverse"


def test_a_model_gets_the_physics_itself():
    physics = Tomography()
    A, seen = deepinv.operator(physics), []

    def model(y, given):
        seen.append(given)
        return given.A_adjoint(y)

    y = A(torch.ones(2, *SIZE))
    torch.testing.assert_close(deepinv.deepinv_model(model)(y, A), A.H(y))
    assert all(type(given) is Tomography for given in seen)


def test_what_is_no_linear_physics_is_refused():
    for wrong in (None, Tomography, nn.Identity(), 3):
        assert_refused(lambda: deepinv.operator(wrong), "physics: expected a linear physics of DeepInverse")


def test_nothing_imports_the_package():
    assert "deepinv" not in sys.modules
    assert deepinv.operator(Tomography()).complex_images is False
    assert deepinv.operator(Tomography(), complex_images=True).complex_images
