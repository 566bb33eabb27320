"""What every denoising network must do, on the two that are here."""

import pytest
import torch
from torch import nn

from smug.models.denoisers import NetworkConfig, build_denoiser
from smug.models.didn import DIDN
from smug.models.layers import convolution, correct, residual, start_at_zero, upsampling
from smug.models.noise import complex_normal
from smug.models.unet import LevelUNet, UNet

from .conftest import seeded

NETWORKS = {
    "didn": lambda: DIDN(channels=8, blocks=2),
    "unet": lambda: UNet(channels=8),
    "level-unet": lambda: LevelUNet(channels=8),
    "unet of one level": lambda: UNet(channels=8, levels=1),
    "unet of four levels": lambda: UNet(channels=4, levels=4),
}
SIZES = [(1, 1), (1, 9), (7, 1), (5, 8), (8, 8), (13, 18), (16, 32), (33, 31)]


@pytest.fixture(params=NETWORKS)
def network(request, device):
    """A new network."""
    return seeded(NETWORKS[request.param], device, torch.complex64)


@pytest.fixture
def trained(network):
    """A network whose last layer is no longer zero."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        for parameter in network.parameters():
            parameter.data += 0.05 * torch.randn(parameter.shape).to(parameter)
    return network


def image(*shape, device, dtype=torch.complex64):
    return complex_normal(torch.tensor(0), shape, dtype, device)


@pytest.mark.parametrize("size", SIZES)
def test_the_identity_at_first_for_any_size(network, size, device):
    x = image(2, *size, device=device)
    assert torch.equal(network(x), x)


@pytest.mark.parametrize("size", SIZES)
def test_images_keep_their_size(trained, size, device):
    x = image(2, *size, device=device)
    y = trained(x)
    assert (y.shape, y.dtype) == (x.shape, x.dtype)
    assert y.isfinite().all()
    assert not torch.equal(y, x)


def test_an_image_alone_is_the_image_in_its_batch(trained, device):
    x = image(3, 13, 18, device=device)
    together = trained(x)
    for i in range(3):
        torch.testing.assert_close(together[i], trained(x[i : i + 1])[0], rtol=1e-5, atol=1e-5)


def test_gradients_reach_the_last_layer_first_and_then_all(network, device):
    x = image(2, 16, 16, device=device)
    *_, last = (layer for layer in network.modules() if isinstance(layer, nn.Conv2d) and not layer.weight.any())
    (network(x) - 1).abs().square().sum().backward()
    assert last.weight.grad.any()
    assert sum(bool(p.grad.any()) for p in network.parameters()) == 2  # all else is behind the zeros
    with torch.no_grad():
        last.weight -= 1e-4 * last.weight.grad
    network.zero_grad()
    (network(x) - 1).abs().square().sum().backward()
    assert all(p.grad.any() for p in network.parameters())


def test_double_precision(trained, device):
    x = image(1, 12, 12, device=device, dtype=torch.complex128)
    double = trained.double()(x)
    assert double.dtype == torch.complex128
    torch.testing.assert_close(double.to(torch.complex64), trained.float()(x.to(torch.complex64)), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("shape", [(4, 4), (2, 1, 4, 4)])
def test_other_shapes_are_refused(network, shape, device):
    with pytest.raises(ValueError, match=r"denoiser: expected images \(batch, y, x\), got torch.complex64"):
        network(image(*shape, device=device))


def test_real_images_stay_real(network, device):
    """Their imaginary channel is zero, and that of the result is dropped."""
    x = image(1, 9, 10, device=device)
    result = network(x.real)
    assert result.dtype == torch.float32
    assert torch.equal(result, network(x.real + 0j).real)


def test_correct_pads_with_zeros_and_crops(device):
    seen = []

    def network(channels):
        seen.append(channels)
        return torch.ones_like(channels)

    x = image(1, 5, 6, device=device)
    torch.testing.assert_close(correct(network, x, multiple=4, dtype=torch.float32), x + (1 + 1j))
    (channels,) = seen
    assert channels.shape == (1, 2, 8, 8)
    assert torch.equal(channels[0, :, :5, :6], torch.stack((x[0].real, x[0].imag)))
    assert not channels[..., 5:, :].any()
    assert not channels[..., 6:].any()


def test_building_blocks(device):
    x = torch.randn(1, 4, 6, 8, generator=torch.Generator().manual_seed(0)).to(device)
    assert convolution(4, 3).to(device)(x).shape == (1, 3, 6, 8)
    assert convolution(4, 3, stride=2).to(device)(x).shape == (1, 3, 3, 4)
    assert upsampling(4, 2).to(device)(x).shape == (1, 2, 12, 16)
    body = residual(4, 2).to(device)
    assert sum(isinstance(layer, nn.Conv2d) for layer in body.modules()) == 2
    torch.testing.assert_close(body(x), x + body.body(x))
    assert not start_at_zero(nn.Conv2d(2, 2, 3, bias=False)).weight.any()


@pytest.mark.parametrize("kind", ["unet", "didn"])
def test_a_random_start_draws_the_last_convolution_as_the_others(kind, device):
    config = NetworkConfig(kind, 8, 1, start="random")
    drawn, again = (seeded(lambda: build_denoiser(config), device, torch.complex64) for _ in range(2))
    identity = seeded(lambda: build_denoiser(NetworkConfig(kind, 8, 1)), device, torch.complex64)
    x = image(2, 16, 16, device=device)
    assert torch.equal(identity(x), x) and not torch.allclose(drawn(x), x, atol=1e-2)
    assert torch.equal(drawn(x), again(x))
    same = identity.state_dict()
    changed = {name for name, value in drawn.state_dict().items() if not torch.equal(value, same[name])}
    assert len(changed) == 2  # weight and bias of the last
    assert all(drawn.state_dict()[name].all() for name in changed)


def test_a_random_start_needs_no_memory_on_the_meta_device():
    with torch.device("meta"):
        assert build_denoiser(NetworkConfig("unet", 8, 1, start="random")).tail[0].weight.is_meta
