"""What holds for every shift of a scan."""

from dataclasses import replace

import pytest
import torch

from smug.data.scan import Scan
from smug.shifts import SHIFTS

NEUTRAL = {"contrast": 1.0, "acceleration": 2.5}
TARGETLESS = {"noise", "noise-in-range", "map-error", "map-shift", "spikes", "ghost", "gain-drift"}
WITH_NEUTRAL = sorted(SHIFTS.keys() - {"mask-kind"})
SIGNED_OR_NAMED = {"mask-kind", "acceleration", "rotation", "contrast", "lesion"}
CASES = [(name, severity) for name, shift in SHIFTS.items() for severity in (shift.severities[0], shift.severities[-1])]


def same(a: Scan, b: Scan) -> bool:
    return all(
        torch.equal(x, y)
        for x, y in ((a.y, b.y), (a.truth, b.truth), (a.A.mask, b.A.mask), (a.A.maps, b.A.maps.expand_as(a.A.maps)))
    )


def test_names_and_severities():
    for name, shift in SHIFTS.items():
        assert shift.name == name
        assert shift.description
        assert shift.unit
        assert shift.severities


@pytest.mark.parametrize("name", WITH_NEUTRAL)
def test_without_severity_the_scan_stays_bit_for_bit(scan, seeds, name):
    assert same(SHIFTS[name].apply(scan, NEUTRAL.get(name, 0), seeds), scan)


@pytest.mark.parametrize(("name", "severity"), CASES)
def test_a_shift_shifts_by_its_seed_and_nothing_else(scan, seeds, name, severity):
    before = scan.y.clone(), scan.truth.clone(), scan.A.maps.clone(), scan.A.mask.clone()
    shifted = SHIFTS[name].apply(scan, severity, seeds)
    assert not same(shifted, scan)
    assert same(SHIFTS[name].apply(scan, severity, seeds), shifted)
    after = scan.y, scan.truth, scan.A.maps, scan.A.mask
    assert all(torch.equal(x, y) for x, y in zip(before, after, strict=True))
    if name not in ("rotation", "contrast"):
        assert not same(SHIFTS[name].apply(scan, severity, seeds + 1), shifted)


@pytest.mark.parametrize(("name", "severity"), CASES)
def test_in_a_batch_as_alone(scan, seeds, name, severity):
    together = SHIFTS[name].apply(scan, severity, seeds)
    for i in range(2):
        alone = SHIFTS[name].apply(scan[i], severity, seeds[i : i + 1])
        assert torch.equal(alone.A.mask[0], together.A.mask[i])
        assert alone.id == together.id[i : i + 1]
        for a, b in ((alone.y, together.y), (alone.truth, together.truth), (alone.A.maps, together.A.maps)):
            torch.testing.assert_close(a[0], b[i], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("name", "severity"), CASES)
def test_what_comes_out_is_a_scan(scan, seeds, name, severity):
    shifted = SHIFTS[name].apply(scan, severity, seeds)
    assert shifted.y.shape == scan.y.shape
    assert shifted.y.dtype == scan.y.dtype
    assert shifted.truth.dtype == scan.truth.dtype
    assert shifted.y.device == scan.y.device
    assert shifted.y.isfinite().all()
    assert torch.equal(shifted.y, shifted.A.sampled * shifted.y)
    assert shifted.A.maps.abs().square().sum(1).max() <= 1 + 1e-5


@pytest.mark.parametrize(("name", "severity"), CASES)
def test_the_target_is_asked_for_where_it_is_needed(scan, seeds, name, severity):
    scan = replace(scan, target=None)
    if name in TARGETLESS:
        assert SHIFTS[name].apply(scan, severity, seeds).target is None
    else:
        with pytest.raises(ValueError, match="scan slice 0: expected a fully sampled target, got none"):
            SHIFTS[name].apply(scan, severity, seeds)


@pytest.mark.parametrize("name", sorted(SHIFTS.keys() - {"mask-kind"}))
def test_severities_out_of_range_are_refused(scan, seeds, name):
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="expected a finite"):
            SHIFTS[name].apply(scan, bad, seeds)


@pytest.mark.parametrize("name", sorted(SHIFTS.keys() - {"rotation", "contrast"}))
def test_one_seed_per_slice(scan, name):
    with pytest.raises(ValueError, match=r"int64 seeds of shape \(2,\)"):
        SHIFTS[name].apply(scan, SHIFTS[name].severities[-1], torch.tensor([1, 2, 3]))


@pytest.mark.parametrize(
    "name", sorted(SHIFTS.keys() - {"mask-kind", "acceleration", "rotation", "contrast", "lesion"})
)
def test_nothing_negative(scan, seeds, name):
    with pytest.raises(ValueError, match=">= 0, got -1"):
        SHIFTS[name].apply(scan, -1, seeds)
