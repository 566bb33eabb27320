from dataclasses import FrozenInstanceError, replace

import pytest
import torch

import smug
from smug.data.phantom import head_phantom
from smug.data.scan import Scan, padded, stacked
from smug.data.simulate import Acquisition, simulate
from smug.models.classical import CGSense, ZeroFilled
from smug.models.normalised import normalised
from smug.models.reconstructors import MoDL
from smug.models.unet import UNet
from smug.physics.scale import measurement_scale
from smug.physics.sense import Sense
from smug.threat import Threat


@pytest.fixture
def scan(device):
    """Three slices of 40 x 32."""
    images = torch.stack([head_phantom(seed, (40, 32)) for seed in range(3)])
    return simulate(images, Acquisition(coils=2), [5, 6, 7], ["a", "b", "c"]).to(device)


def test_normalised_divides_measurements_and_target_by_one_scale(scan):
    scale = measurement_scale(scan.y, scan.A)
    result = scan.normalised()
    torch.testing.assert_close(scale.unsqueeze(-3) * result.y, scan.y)
    torch.testing.assert_close(scale * result.target, scan.target)
    assert result.A is scan.A
    assert result.id == scan.id


def test_normalised_forgets_the_unit(scan):
    other = Scan(1e4 * scan.y, scan.A, 1e4 * scan.truth, scan.id).normalised()
    torch.testing.assert_close(other.y, scan.normalised().y)
    torch.testing.assert_close(other.truth, scan.normalised().truth)
    torch.testing.assert_close(other.normalised().y, other.y)  # and once is enough


def test_normalised_images_have_a_magnitude_of_about_one(scan):
    peaks = scan.normalised().truth.abs().amax((-2, -1))
    assert peaks.min() > 0.3
    assert peaks.max() < 4


def test_training_units_are_those_of_normalised_reconstructors(scan):
    """f on the normalised scan is normalised(f) on the scan itself, but for the unit."""

    def f(y, A, generator=None):
        return torch.tanh(CGSense(0.1)(y, A).abs()) + 0j

    inside = measurement_scale(scan.y, scan.A) * f(scan.normalised().y, scan.A)
    torch.testing.assert_close(normalised(f)(scan.y, scan.A), inside)


@pytest.mark.parametrize("index", [0, 1, 2, -1])
def test_indexing_gives_a_batch_of_one(scan, index):
    one = scan[index]
    assert one.id == (scan.id[index],)
    assert torch.equal(one.y, scan.y[index][None])
    assert torch.equal(one.truth, scan.truth[index][None])
    assert torch.equal(one.A.mask, scan.A.mask[index][None])
    assert torch.equal(one.A.maps, scan.A.maps[index][None])
    torch.testing.assert_close(one.normalised().y, scan.normalised()[index].y)


def test_indexing_ends(scan):
    assert [one.id for one in scan] == [("a",), ("b",), ("c",)]
    for index in (3, -4):
        with pytest.raises(IndexError):
            scan[index]


def test_indexing_with_a_shared_operator(device):
    A = Sense(torch.ones(1, 8, dtype=torch.bool, device=device))
    scan = Scan(torch.ones(2, 1, 4, 8, dtype=torch.complex64, device=device), A, None, ("a", "b"))
    assert scan[1].A.mask.shape == (1, 8)
    assert scan[1].target is None


def test_to_moves_everything(scan, device):
    moved = scan.to("cpu").to(device)
    for part in (moved.y, moved.truth, moved.A.mask, moved.A.maps):
        assert part.device.type == device.type
    assert torch.equal(moved.y, scan.y)
    assert Scan(scan.y, scan.A, None, scan.id).to(device).target is None


def test_truth_is_there_or_missed_by_name(scan):
    assert scan.truth is scan.target
    with pytest.raises(ValueError, match="scan a: expected a fully sampled target, got none"):
        _ = Scan(scan.y, scan.A, None, scan.id).truth


def test_without_a_target_it_still_normalises(scan):
    assert Scan(scan.y, scan.A, None, scan.id).normalised().target is None


def test_it_is_frozen(scan):
    with pytest.raises(FrozenInstanceError):
        scan.y = scan.y * 2


@pytest.fixture
def network(device):
    """A small network with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = UNet(4, 2)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
    return network.to(device)


@pytest.mark.parametrize("mask", ["random", "poisson"])
@pytest.mark.parametrize("method", ["zero-filled", "cg-sense", "modl"])
def test_coils_that_saw_nothing_change_no_reconstruction(device, network, mask, method):
    f = {"zero-filled": ZeroFilled(), "cg-sense": CGSense(0.01), "modl": MoDL(network, steps=3)}[method]
    images = torch.stack([head_phantom(seed, (40, 32)) for seed in range(2)])
    scan = simulate(images, Acquisition(3, mask=mask, acceleration=2.0), [5, 6], ["a", "b"]).to(device).normalised()
    more = padded(scan, 7)
    assert more.y.shape == more.A.maps.shape == (2, 7, 40, 32)
    assert more.id == scan.id and more.target is scan.target and more.A.mask is scan.A.mask
    assert not more.y[:, 3:].any() and not more.A.maps[:, 3:].any()
    expected = f(scan.y, scan.A)
    assert (f(more.y, more.A) - expected).abs().max() < 1e-6 * expected.abs().max()


def test_coils_that_saw_nothing_change_no_scale_and_no_gradient(scan, network):
    scan = scan.normalised()
    more = padded(scan, 8)
    torch.testing.assert_close(measurement_scale(more.y, more.A), measurement_scale(scan.y, scan.A), rtol=1e-6, atol=0)
    for each in (scan, more):
        network.zero_grad()
        (MoDL(network, steps=2)(each.y, each.A) - each.truth).abs().square().mean().backward()
        gradients = torch.cat([parameter.grad.flatten() for parameter in network.parameters()])
        if each is scan:
            expected = gradients
    assert (gradients - expected).abs().max() < 1e-5 * expected.abs().max()


def test_coils_that_saw_nothing_count_in_the_sizes_of_attacks_that_are_spread_over_entries(scan):
    """Why scans are padded for training only."""
    more = padded(scan, 8)
    for norm, unit, factor in [
        ("linf", "image-max", 1),
        ("linf", "kspace-max", 1),
        ("l2", "kspace-l2", 1),
        ("linf", "kspace-l2", (2 / 8) ** 0.5),
    ]:
        radius, padded_radius = (Threat(0.1, norm, unit).radius(each.y, each.A, each.truth) for each in (scan, more))
        torch.testing.assert_close(padded_radius, factor * radius)


def test_padding_fits_scans_together(scan):
    one = Scan(scan.y[:1, :1], Sense(scan.A.mask[:1]), scan.truth[:1], ("one",))
    both = stacked([padded(one, 2), scan])
    assert both.y.shape == both.A.maps.shape == (4, 2, 40, 32)
    assert torch.equal(both.A.maps[0, 0], torch.ones_like(both.A.maps[0, 0])) and not both.A.maps[0, 1].any()
    torch.testing.assert_close(both.A.H(both.y)[:1], one.A.H(one.y))
    assert padded(scan, 2) is scan
    with pytest.raises(ValueError, match="coils: expected at least 2, got 1"):
        padded(scan, 1)


@pytest.mark.parametrize("name", ["y", "target"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused(scan, name, value):
    spoilt = getattr(scan, name).clone()
    spoilt.flatten()[:3] = value
    with pytest.raises(ValueError, match=f"{name}: expected finite numbers, got 3 that are NaN or infinite"):
        replace(scan, **{name: spoilt})
    if name == "y":
        centre = torch.full_like(scan.y, value)
        with pytest.raises(ValueError, match="y: expected finite numbers, got NaN or infinity in the centre"):
            smug.load("modl")(centre, scan.A)
