from dataclasses import replace

import pytest
import torch

import smug
from smug.attacks import relative_l2
from smug.data.scan import Scan
from smug.physics.sense import Sense
from smug.shifts import noise, noise_in_range

from ..scans import dense, tiny_scan

SIZES = [1e-4, 0.01, 0.5]


@pytest.mark.parametrize("shift", [noise, noise_in_range])
@pytest.mark.parametrize("size", SIZES)
def test_the_norm_is_exactly_as_asked(scan, seeds, shift, size):
    scan = Scan(scan.y.to(torch.complex128), scan.A, scan.truth, scan.id)
    delta = shift(scan, size, seeds).y - scan.y
    torch.testing.assert_close(
        relative_l2(delta, scan.y, scan.A), torch.full_like(scan.y[:, 0, 0, 0].real, size), rtol=1e-6, atol=0
    )


def test_white_and_only_where_sampled(scan):
    deltas = torch.cat([noise(scan[0], 0.1, torch.tensor([seed])).y - scan.y[:1] for seed in range(30)])
    sampled = scan.A.mask[0]
    assert not deltas[..., ~sampled].any()
    energy = deltas[..., sampled].abs().square()
    for dims in ((0, 2, 3), (0, 1, 3), (0, 1, 2)):  # as much in every coil, row and line
        mean = energy.mean(dims)
        assert (mean / mean.mean() - 1).abs().max() < 0.15


def test_it_is_not_the_receiver_noise_of_the_same_seeds():
    images, A = smug.head_phantom(seed=1, size=32)[None].expand(3, -1, -1), smug.Acquisition(noise=0.05)
    scan, clean = (smug.simulate(images, replace(A, noise=noise)) for noise in (0.05, 0.0))
    received, added = scan.y - clean.y, noise(scan, 0.1, torch.arange(3)).y - scan.y
    for one, other in zip(received, added, strict=True):
        correlation = (one.conj() * other).sum().abs() / (one.norm() * other.norm())
        assert correlation < 0.1


def test_in_range_is_fixed_by_the_exact_projection():
    tiny = tiny_scan(1, 3, 8, 6, noise=0)
    matrix_A = dense(tiny.A)
    delta = (noise_in_range(tiny, 0.1, torch.tensor([3])).y - tiny.y).flatten()
    white = (noise(tiny, 0.1, torch.tensor([3])).y - tiny.y).flatten()
    project = matrix_A @ torch.linalg.pinv(matrix_A)
    torch.testing.assert_close(project @ delta, delta, rtol=1e-9, atol=1e-12)
    assert torch.linalg.vector_norm(project @ white - white) > 0.3 * torch.linalg.vector_norm(white)
    # where A is well conditioned the regularisation is nothing but that projection
    expected = project @ white
    expected = expected * (torch.linalg.vector_norm(delta) / torch.linalg.vector_norm(expected))
    assert torch.linalg.vector_norm(expected - delta) < 0.02 * torch.linalg.vector_norm(delta)


def test_more_of_it_is_seen_than_of_white_noise(scan, seeds):
    white, inside = (shift(scan, 0.1, seeds).y - scan.y for shift in (noise, noise_in_range))
    ratio = scan.A.H(inside).norm(dim=(-2, -1)) / scan.A.H(white).norm(dim=(-2, -1))
    assert (ratio > 1.2).all()


def test_a_single_coil_sees_all(scan, seeds):
    single = Sense(mask=scan.A.mask)
    scan = Scan(single(scan.truth), single, scan.truth, scan.id)
    torch.testing.assert_close(noise(scan, 0.1, seeds).y, noise_in_range(scan, 0.1, seeds).y, rtol=1e-4, atol=1e-5)
