"""What all adapters share: precision, shapes, modes, devices."""

import pytest
import torch
from torch import nn

from smug.foreign import Adapted, image_network
from smug.foreign.adapted import returned_image, stacked_parts
from smug.reconstructor import moved

from .conftest import convolution


def adjoint(network, y, A):
    return stacked_parts(A.H(y))


def test_channels_and_image_are_inverse(measured):
    _, _, target = measured
    assert torch.equal(returned_image(stacked_parts(target)), target)
    assert torch.equal(returned_image(target.abs()[:, None]), target.abs())
    assert torch.equal(returned_image(target.abs()), target.abs())
    y = measured[0]
    assert torch.equal(stacked_parts(y), torch.stack((y.real, y.imag), 1))


def test_a_network_works_in_its_own_precision(measured):
    y, A, _ = measured
    seen = []

    class Watched(nn.Conv2d):
        def forward(self, x):
            seen.append(x.dtype)
            return super().forward(x)

    f = image_network(Watched(2, 2, 1).to(y.device))
    assert f(y, A).dtype == torch.complex128
    assert f(y.to(torch.complex64), A).dtype == torch.complex64
    assert f.to(y.device) is f
    assert moved(f, torch.device("cpu")) is f
    f.network.double().to(y.device)
    f(y.to(torch.complex64), A)
    assert seen == [torch.float32, torch.float32, torch.float64]


def test_a_function_without_parameters_works_in_the_precision_of_the_measurements(measured):
    y, A, _ = measured
    f = Adapted(abs, adjoint)
    assert torch.equal(f(y, A), A.H(y))
    assert f.to("cpu") is f


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), nn.Dropout2d(0.5), nn.BatchNorm2d(2)])
def test_a_network_in_training_is_refused(layer):
    network = nn.Sequential(nn.Conv2d(2, 2, 1), layer)
    with pytest.raises(ValueError, match=rf"evaluation mode, got {type(layer).__name__} in training; call \.eval\(\)"):
        image_network(network)
    image_network(network.eval())


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (torch.ones(2, 3, 12, 10), r"expected it to return real \(batch, 2, y, x\), .*float32 \(2, 3, 12, 10\)"),
        (torch.ones(12, 10), r"expected it to return real \(batch, 2, y, x\), .*float32 \(12, 10\)"),
        (torch.ones(2, 2, 11, 10), r"an image for every slice, \(2, 12, 10\), got \(2, 11, 10\)"),
        (torch.ones(1, 12, 10), r"an image for every slice, \(2, 12, 10\), got \(1, 12, 10\)"),
    ],
)
def test_other_results_are_refused(measured, result, message):
    y, A, _ = measured
    with pytest.raises(ValueError, match=message):
        Adapted(abs, lambda network, y, A: result)(y, A)


def test_the_parameters_are_left_alone(measured, promises):
    network = convolution(2, 2).to(measured[0].device)
    before = [p.clone() for p in network.parameters()]
    promises(image_network(network))
    for p, q in zip(network.parameters(), before, strict=True):
        assert torch.equal(p, q)
        assert p.grad is None
