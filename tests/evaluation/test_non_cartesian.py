"""Scans along spokes are scored, attacked and certified; what needs lines says so."""

import math

import pytest
import torch

import smug
from smug.physics.maps.simulated import simulated_maps

from ..properties import assert_refused

SIZE, SPOKES, COILS = 16, 9, 2


@pytest.fixture(scope="module")
def scan() -> smug.Scan:
    k, angle = torch.arange(SIZE) + 0.5 - SIZE / 2, torch.pi * torch.arange(SPOKES) / SPOKES
    spokes = torch.stack((torch.outer(angle.sin(), k).flatten(), torch.outer(angle.cos(), k).flatten()))[None]
    A = smug.NonCartesian(spokes, simulated_maps(COILS, SIZE, SIZE, seed=0), (SIZE, SIZE))
    images = torch.stack([smug.head_phantom(seed, SIZE) for seed in (1, 2)])
    return smug.shifts.noise(smug.Scan(A(images), A, images, ("one", "two")), 0.01, torch.arange(2))


def test_clean_and_fast(scan):
    models = {"cg": smug.CGSense(0.05), "adjoint": smug.ZeroFilled()}
    found = smug.evaluate(models, scan, "fast", epsilons=[0.05])
    psnr = {(row.model, row.condition): row.psnr for row in found.rows if row.slice == "one"}
    assert len(found.rows) == 2 * 2 * 4 and all(math.isfinite(value) for value in psnr.values())
    assert psnr["cg", "clean"] > psnr["adjoint", "clean"] + 3
    assert psnr["cg", "fast l2 0.05"] < psnr["cg", "noise 5%"] - 0.5
    assert len(smug.evaluate("cg-sense", scan, "clean").rows) == 2


def test_a_store_keeps_the_rows_of_a_trajectory(scan, tmp_path):
    first = smug.evaluate(smug.CGSense(0.05), scan, "clean", store=tmp_path)
    assert list(tmp_path.rglob("*"))
    assert smug.evaluate(smug.CGSense(0.05), scan, "clean", store=tmp_path).rows == first.rows


def test_a_certificate(scan):
    result = smug.certify(smug.CGSense(0.05), scan, smug.Certification(noise=0.01))
    assert len(result.rows) >= 2 and len(result.gains) == 2
    assert all(0 < gain.worst < math.inf for gain in result.gains)


@pytest.mark.parametrize("protocol", ["shifts", "scanner"])
def test_protocols_of_lines_are_refused_by_name(scan, protocol):
    told = assert_refused(lambda: smug.evaluate(smug.CGSense(0.05), scan, protocol))
    assert "expected Cartesian MRI, measured by a smug.Sense, got NonCartesian" in told


@pytest.mark.parametrize(
    "name",
    [
        "acceleration",
        "mask-kind",
        "mask-redraw",
        "map-error",
        "map-shift",
        "motion",
        "drift",
        "spikes",
        "ghost",
        "gain-drift",
        "off-resonance",
    ],
)
def test_shifts_of_lines_are_refused_by_name(scan, name):
    shift = smug.shifts.SHIFTS[name]
    told = assert_refused(lambda: shift.apply(scan, shift.severities[-1], torch.arange(2)))
    assert "expected Cartesian MRI, measured by a smug.Sense, got NonCartesian" in told


@pytest.mark.parametrize("name", ["noise", "noise-in-range", "rotation", "contrast", "lesion"])
def test_shifts_of_the_object_and_noise_serve_any_trajectory(scan, name):
    shift = smug.shifts.SHIFTS[name]
    shifted = shift.apply(scan, shift.severities[0], torch.arange(2))
    assert shifted.y.shape == scan.y.shape and not torch.equal(shifted.y, scan.y)


@pytest.mark.parametrize("name", sorted(smug.shifts.FAMILIES))
def test_families_of_lines_are_refused_by_name(scan, name):
    found = lambda: smug.attacks.random_of(scan, smug.shifts.FAMILIES[name], 0.1, torch.arange(2))  # noqa: E731
    assert "expected Cartesian MRI" in assert_refused(found)
