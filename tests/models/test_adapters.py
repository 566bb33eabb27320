import pytest
import torch
from torch import nn

from smug.models.adapters import as_channels, as_complex, as_image, clamped
from smug.models.reconstructors import SMUG, MoDL

from .conftest import SMOOTHING, seeded, toy_denoiser


def test_channels_are_the_real_and_the_imaginary_part(problem):
    x = problem.target
    channels = as_channels(x)
    assert channels.shape == (2, 2, 7, 10)
    assert torch.equal(channels[:, 0], x.real)
    assert torch.equal(channels[:, 1], x.imag)
    assert torch.equal(as_image(channels, x), x)


def test_as_complex_adapts_a_network_of_two_channels(problem, device):
    network = seeded(lambda: nn.Conv2d(2, 2, 3, padding=1), device)
    denoiser = as_complex(network)
    x = problem.target
    y = network(torch.stack((x.real, x.imag), 1))
    torch.testing.assert_close(denoiser(x), torch.complex(y[:, 0], y[:, 1]))
    assert denoiser.network is network
    assert {id(p) for p in denoiser.parameters()} == {id(p) for p in network.parameters()}


def test_as_complex_passes_gradients(problem, device):
    denoiser = as_complex(seeded(lambda: nn.Conv2d(2, 2, 3, padding=1), device))
    x = problem.target.clone().requires_grad_()
    denoiser(x).abs().square().sum().backward()
    assert x.grad.abs().min() > 0
    assert all(p.grad.any() for p in denoiser.parameters())


def test_as_complex_of_the_identity_is_the_identity(problem):
    assert torch.equal(as_complex(nn.Identity())(problem.target), problem.target)


@pytest.mark.parametrize("x", [torch.ones(1, 4, 4).long(), torch.ones(4, 4, dtype=torch.complex64)])
def test_other_images_are_refused(x):
    for denoiser in (as_complex(nn.Identity()), clamped(nn.Identity())):
        with pytest.raises(ValueError, match=r"expected images \(batch, y, x\)"):
            denoiser(x)


def test_a_network_of_another_shape_is_refused():
    denoiser = as_complex(nn.Conv2d(2, 1, 3))
    with pytest.raises(ValueError, match=r"map \(1, 2, 5, 6\) to the same shape, got \(1, 1, 3, 4\)"):
        denoiser(torch.ones(1, 5, 6, dtype=torch.complex64))


def test_clamped_clamps_what_the_denoiser_sees(problem):
    x = 3 * problem.target
    seen = clamped(nn.Identity(), limit=0.5)(x)
    torch.testing.assert_close(seen.real, x.real.clamp(-0.5, 0.5))
    torch.testing.assert_close(seen.imag, x.imag.clamp(-0.5, 0.5))


def test_clamped_does_nothing_to_small_images(problem, device):
    D = toy_denoiser(device)
    x = problem.target / problem.target.abs().max()
    assert torch.equal(clamped(D)(x), D(x))


def test_clamped_is_applied_after_the_noise(problem, device):
    D = clamped(nn.Identity(), limit=0.2)
    f = SMUG(D, SMOOTHING, steps=2)
    for step in f.iterate(problem.y, problem.A):
        assert torch.view_as_real(step.z.samples).abs().max() <= 0.2
    assert f.networks()["denoiser"] is D


def test_clamped_shares_the_weights(problem, device):
    D = toy_denoiser(device)
    f = MoDL(clamped(D, limit=1e6), steps=2)
    assert torch.equal(f(problem.y, problem.A), MoDL(D, steps=2)(problem.y, problem.A))
    assert {id(p) for p in f.networks().parameters()} == {id(p) for p in D.parameters()}


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan")])
def test_limit_out_of_range(limit):
    with pytest.raises(ValueError, match="limit: expected a positive number"):
        clamped(nn.Identity(), limit)
