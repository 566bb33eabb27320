import pytest
import torch

from smug.models.unet import UNet

from .conftest import seeded


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_levels(levels, device):
    network = seeded(lambda: UNet(channels=4, levels=levels), device, torch.complex64)
    shapes = []
    for encoder in network.encoders:
        encoder.register_forward_hook(lambda layer, inputs, output: shapes.append(tuple(output.shape)))
    network(torch.zeros(1, 32, 48, dtype=torch.complex64, device=device))
    assert shapes == [(1, 4 * 2**k, 16 // 2**k, 24 // 2**k) for k in range(levels)]


def test_every_level_contributes(device):
    network = seeded(lambda: UNet(channels=4, levels=3), device)
    network.tail[0].weight.data.normal_(generator=torch.Generator(device).manual_seed(0))
    x = torch.ones(1, 16, 16, dtype=torch.complex128, device=device)
    network(x).abs().sum().backward()
    for level in range(3):
        assert all(p.grad.any() for p in network.encoders[level].parameters())
        assert all(p.grad.any() for p in network.decoders[level].parameters())


def test_it_is_small():
    with torch.device("meta"):
        assert sum(p.numel() for p in UNet().parameters()) < 1e6
