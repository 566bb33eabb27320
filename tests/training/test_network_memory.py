import pytest
import torch

from smug.models.didn import DIDN
from smug.models.unet import UNet
from smug.models.weight_encoder import WeightEncoder
from smug.training.network_memory import LiveBytes, network_memory


@pytest.mark.parametrize("network", [DIDN(16, 1), UNet(16, 3), WeightEncoder()], ids=["DIDN", "UNet", "encoder"])
def test_a_trial_counts_what_autograd_keeps(network, device):
    network = network.to(device)
    x = torch.zeros(2, 40, 32, dtype=torch.complex64, device=device, requires_grad=True)
    weights = {parameter.untyped_storage()._cdata for parameter in network.parameters()}
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            kept[storage._cdata] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        network(x)
    bytes_kept, temporaries = network_memory(network, x.shape)
    assert bytes_kept == pytest.approx(sum(storage.nbytes() for storage in kept.values()), rel=0.02)
    assert temporaries > 0
    assert all(parameter.grad is None for parameter in network.parameters())


def test_live_bytes(device):
    with LiveBytes() as memory:
        a = torch.zeros(100, dtype=torch.float64, device=device)
        assert (memory.live, memory.peak) == (800, 800)
        view = a[:50]
        a += 1
        b = a + 1
        assert (memory.live, memory.peak) == (1600, 1600)
        del a
        assert memory.live == 1600  # the view holds it
        del view
        assert (memory.live, memory.peak) == (800, 1600)
        del b
    assert (memory.live, memory.peak) == (0, 1600)
