import pytest
import torch

from smug.models.didn import DIDN, DownUpBlock

from .conftest import seeded


def parameters(network):
    return sum(p.numel() for p in network.parameters())


def test_the_papers_network_has_five_million_parameters():
    with torch.device("meta"):
        assert 5.01e6 < parameters(DIDN(channels=64, blocks=3)) < 5.03e6


def test_it_is_the_papers_network_by_default():
    with torch.device("meta"):
        assert parameters(DIDN()) == parameters(DIDN(channels=64, blocks=3))


@pytest.mark.parametrize("blocks", [1, 2, 4])
def test_blocks(blocks):
    with torch.device("meta"):
        assert len(DIDN(channels=8, blocks=blocks).blocks) == blocks


def test_it_works_at_half_resolution(device):
    network = seeded(lambda: DIDN(channels=8, blocks=1), device, torch.complex64)
    shapes = []
    network.blocks[0].register_forward_hook(lambda block, inputs, output: shapes.append(output.shape))
    network(torch.zeros(1, 24, 32, dtype=torch.complex64, device=device))
    assert shapes == [(1, 8, 12, 16)]


def test_a_down_up_block_keeps_the_shape(device):
    block = seeded(lambda: DownUpBlock(8), device, torch.complex64)
    assert block(torch.zeros(2, 8, 4, 12, device=device)).shape == (2, 8, 4, 12)


def test_the_correction_sees_far(device):
    """A change of one pixel reaches well beyond one convolution, through the coarser levels."""
    network = seeded(lambda: DIDN(channels=8, blocks=1), device)
    network.tail[-1].weight.data.normal_(generator=torch.Generator(device).manual_seed(0))
    x = torch.zeros(1, 48, 48, dtype=torch.complex128, device=device)
    changed = x.clone()
    changed[0, 24, 24] = 1
    reach = (network(changed) - network(x))[0].abs().amax(0).nonzero()
    assert reach.max() - reach.min() > 30


def test_a_block_adds_to_what_it_is_given(device):
    block = seeded(lambda: DownUpBlock(4), device, torch.complex64)
    for parameter in block.out.parameters():
        parameter.data.zero_()
    features = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0)).to(device)
    assert torch.equal(block(features), features)
