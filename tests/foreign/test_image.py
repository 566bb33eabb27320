"""Networks in the image: equal to the same written by hand."""

import pytest
import torch
from torch import nn

from smug import normalised
from smug.foreign import image_network, instance, magnitude_network, peak
from smug.physics.fourier import ifft2c

from .conftest import convolution


def test_two_channels_are_the_parts_of_the_zero_filled_image(measured, promises):
    y, A, _ = measured
    network = convolution(2, 2).to(y.device)
    x = A.H(y)
    expected = network(torch.stack((x.real, x.imag), 1))
    f = image_network(network)
    torch.testing.assert_close(f(y, A), torch.complex(expected[:, 0], expected[:, 1]))
    promises(f)


def test_instance_normalisation_is_removed_and_restored(measured, promises):
    y, A, _ = measured
    network = convolution(2, 2).to(y.device)
    f = image_network(network, instance)
    for x, result in zip(A.H(y), f(y, A), strict=True):
        parts = torch.stack((x.real, x.imag))
        offset, scale = parts.mean((1, 2), keepdim=True), parts.flatten(1).std(1)[:, None, None]
        expected = network(((parts - offset) / scale)[None])[0] * scale + offset
        torch.testing.assert_close(torch.stack((result.real, result.imag)), expected)
    promises(f)


@pytest.mark.parametrize("normalisation", [instance, peak])
def test_normalisation_makes_any_unit_the_same(measured, normalisation):
    y, A, _ = measured
    f = image_network(convolution(2, 2).to(y.device), normalisation)
    torch.testing.assert_close(f(1e4 * y, A), 1e4 * f(y, A))
    assert f(0 * y, A).isfinite().all()


def test_the_peak_is_the_largest_magnitude(measured, promises):
    y, A, _ = measured
    seen = []

    def network(x):
        seen.append(x)
        return x

    x = A.H(y)
    torch.testing.assert_close(image_network(network, peak)(y, A), x)
    torch.testing.assert_close(seen[0].norm(dim=1).amax((1, 2)), torch.ones_like(x.real[:, 0, 0]))
    promises(image_network(convolution(2, 2).to(y.device), peak))


def test_one_channel_is_a_magnitude(measured, promises):
    y, A, _ = measured
    network = nn.Sequential(convolution(2, 1), nn.Softplus()).to(y.device)
    f = image_network(network)
    assert not f(y, A).is_complex()
    promises(f)
    promises(image_network(network, peak))


def test_offsets_of_two_channels_cannot_be_restored_in_one(measured):
    y, A, _ = measured
    with pytest.raises(ValueError, match=r"it made \(2, 1, 12, 10\) of \(2, 2, 12, 10\), for which the normalisation"):
        image_network(convolution(2, 1).to(y.device), instance)(y, A)


def test_magnitude_networks_see_the_root_of_the_sum_of_squares(measured, promises):
    y, A, _ = measured
    network = convolution(1, 1).to(y.device)
    f = magnitude_network(network, instance)
    rss = ifft2c(y).abs().square().sum(1, keepdim=True).sqrt()
    mean, std = rss.mean((-2, -1), keepdim=True), rss.std((-2, -1), keepdim=True)
    torch.testing.assert_close(f(y, A), (network((rss - mean) / std) * std + mean)[:, 0])
    promises(f)


def test_normalised_serves_a_network_that_wants_magnitudes_of_one(measured, promises):
    y, A, _ = measured
    f = normalised(image_network(convolution(2, 2).to(y.device)))
    torch.testing.assert_close(f(100 * y, A), 100 * f(y, A))


def test_what_is_no_tensor_is_refused(measured):
    class Network(nn.Module):
        def forward(self, x):
            return x.cpu().numpy()

    y, A, _ = measured
    with pytest.raises(ValueError, match=r"network: expected it to return a torch tensor, got ndarray"):
        image_network(Network())(y, A)
