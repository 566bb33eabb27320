import math
import shutil
from dataclasses import asdict

import pytest
import torch

from benchmarks import maps as bench
from benchmarks.maps import MapsTiming, available_methods, time_maps


@pytest.fixture(scope="module")
def rows():
    return {row.name: row for row in time_maps(coils=3, size=64, repeats=2)}


def test_every_installed_program_is_timed(rows):
    assert list(rows) == list(available_methods())
    for row in rows.values():
        assert 0 < row.seconds_min <= row.seconds_median <= row.seconds_max
        assert all(isinstance(value, str | float | None) for value in asdict(row).values())


def test_maps_agree_with_each_other_and_with_the_truth(rows):
    for row in rows.values():
        assert row.agreement_mean > 0.9999
        assert 0.99 < row.agreement_min <= row.agreement_mean <= 1 + 1e-6
        assert 0.999 < row.truth < 1
    assert rows["smug"].agreement_min == pytest.approx(1, abs=1e-5)


def test_speedup_is_relative_to_sigpy(rows):
    pytest.importorskip("sigpy.mri")
    assert rows["sigpy"].speedup == 1
    assert rows["smug"].speedup == rows["sigpy"].seconds_median / rows["smug"].seconds_median


def test_bart_is_timed_where_it_is_installed(rows):
    if shutil.which("bart") is None:
        pytest.skip("needs BART (bart ecalib)")
    assert "bart" in rows


def test_others_may_be_missing(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(bench, "find_spec", lambda name: None)
    (row,) = time_maps(coils=2, size=48, repeats=1)
    assert row.name == "smug"
    assert row.speedup is None


def test_programs_take_turns_and_disagreement_shows(monkeypatch):
    calls = []

    def method(name, maps):
        def run(kspace):
            calls.append((name, kspace.shape[-1]))
            return maps(kspace), float(len(calls))

        return run

    def alike(kspace):
        return torch.ones_like(kspace)

    def other(kspace):
        return torch.ones_like(kspace) * torch.tensor([1, -1]).reshape(2, 1, 1)

    monkeypatch.setattr(
        bench, "available_methods", lambda: {"smug": method("smug", alike), "sigpy": method("sigpy", other)}
    )
    ours, theirs = time_maps(coils=2, size=64, repeats=3)
    assert calls == [("smug", 48), ("sigpy", 48), *[("smug", 64), ("sigpy", 64)] * 3]
    assert ours == MapsTiming("smug", 3, 5, 7, 6 / 5, ours.agreement_mean, ours.agreement_min, ours.truth)
    assert (theirs.seconds_median, theirs.speedup) == (6, 1)
    assert theirs.agreement_mean == pytest.approx(0, abs=1e-6)
    assert ours.agreement_mean == pytest.approx(1, abs=1e-6)
    assert math.isfinite(theirs.truth)


@pytest.mark.parametrize(("values", "message"), [({"repeats": 0}, "repeats"), ({"coils": 0}, "coils")])
def test_refuses(values, message):
    with pytest.raises(ValueError, match=message):
        time_maps(**{"coils": 2, "size": 48, **values})
