import pytest
import torch
from torch import nn

from smug.models.noise import complex_normal
from smug.models.weight_encoder import WeightEncoder

from .conftest import seeded


@pytest.fixture
def encoder(device):
    return seeded(WeightEncoder, device)


def image(*shape, device):
    return complex_normal(torch.tensor(0), shape, torch.complex128, device)


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (7, 9), (32, 32)])
def test_one_weight_per_image(encoder, size, device):
    weights = encoder(image(5, *size, device=device))
    assert weights.shape == (5,)
    assert not weights.is_complex()


@pytest.mark.parametrize("minimum", [0.05, 0.5])
def test_weights_stay_between_the_minimum_and_one(minimum, device):
    encoder = seeded(lambda: WeightEncoder(minimum=minimum), device)
    with torch.no_grad():
        encoder.linear.weight.mul_(1e4)
        encoder.linear.bias.zero_()
    low_and_high = []
    for sign in (1, -1):
        encoder.linear.weight.data *= sign
        low_and_high.append(encoder(image(20, 8, 8, device=device)))
    weights = torch.cat(low_and_high)
    assert weights.min() >= minimum
    assert weights.max() <= 1
    assert weights.min() < minimum + 1e-6
    assert weights.max() > 1 - 1e-6


def test_an_image_alone_is_the_image_in_its_batch(encoder, device):
    x = torch.cat((image(2, 9, 7, device=device), 100 * image(2, 9, 7, device=device)))
    together = encoder(x)
    assert encoder.training  # also in training mode: nothing normalises over the batch
    for i in range(4):
        torch.testing.assert_close(together[i], encoder(x[i : i + 1])[0], rtol=1e-10, atol=1e-12)


def test_images_of_other_noise_have_other_weights(encoder, device):
    x = image(1, 16, 16, device=device)
    smooth = torch.ones_like(x)
    assert (encoder(smooth + 0.01 * x) - encoder(smooth + x)).abs() > 1e-4


def test_five_convolutions_of_sixteen_channels_the_last_without_norm(encoder):
    layers = list(encoder.features)
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [16] * 5
    assert {layer.kernel_size for layer in convolutions} == {(3, 3)}
    assert sum(isinstance(layer, nn.GroupNorm) for layer in layers) == 4
    assert [type(layer) for layer in layers[-2:]] == [nn.Conv2d, nn.ReLU]


def test_every_parameter_is_trained(encoder, device):
    encoder(image(3, 8, 8, device=device)).sum().backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters())
    assert all(layer.weight.grad.any() for layer in encoder.modules() if isinstance(layer, nn.Conv2d | nn.Linear))


@pytest.mark.parametrize("minimum", [0.0, 1.0, -0.1])
def test_minimum_out_of_range(minimum):
    with pytest.raises(ValueError, match="minimum: expected a weight between 0 and 1"):
        WeightEncoder(minimum=minimum)
