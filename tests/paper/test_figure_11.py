from dataclasses import replace

import pytest
import torch

from smug.evaluation.conditions import Perturbed, clean
from smug.evaluation.row import Row
from smug.paper.conditions import pgd
from smug.paper.experiment import sampled
from smug.paper.figure_11 import (
    CLEAN,
    DIFFERENCE,
    FIG11,
    METHODS,
    PERTURBED,
    ROBUSTNESS,
    SIGMAS,
    TRAINED_SIGMA,
    attacked_at_sigma,
    sigma_conditions,
    sigma_curves,
    with_memory,
)
from smug.paper.runs import Run
from smug.shifts import sigma


@pytest.fixture(scope="module")
def smug(experiment, make):
    return sampled(make.model(Run("knee", 4.0, "smug"), experiment), experiment.scale).to(experiment.device)


@pytest.fixture(scope="module")
def scan(experiment):
    return experiment.test("knee", 4.0).scans[0].to(experiment.device)


SEEDS = torch.zeros(1, dtype=torch.int64)


def test_the_perturbation_is_the_same_at_every_sigma(smug, scan):
    _, under = sigma_conditions()
    measured = [c.perturb(c.change(smug), scan, SEEDS).scan.y for c in under.values()]
    assert len(measured) == len(SIGMAS)
    assert all(torch.equal(y, measured[0]) for y in measured)
    assert not torch.equal(measured[0], scan.y)


def test_it_is_that_of_the_reconstructor_at_the_sigma_it_is_attacked_at_sigma(smug, scan):
    base, under = pgd(0.02), sigma_conditions()[1][0.1]
    f = under.change(smug)
    made = under.perturb(f, scan, SEEDS).scan.y
    assert torch.equal(made, base.perturb(sigma(smug, TRAINED_SIGMA), scan, SEEDS).scan.y)
    assert not torch.equal(made, base.perturb(f, scan, SEEDS).scan.y)


def test_the_sigma_under_test_is_set(smug):
    for conditions in sigma_conditions():
        assert {s: c.change(smug).reconstructor.smoothing.sigma for s, c in conditions.items()} == {
            s: s for s in SIGMAS
        }


def test_made_once_and_anew_for_another_reconstructor_scan_or_seed(smug, scan):
    calls = []

    def perturb(f, scan, seeds):
        calls.append(f)
        return Perturbed(scan)

    condition = attacked_at_sigma(TRAINED_SIGMA, replace(clean(), perturb=perturb))
    for s in SIGMAS:
        condition.perturb(sigma(smug, s), scan, SEEDS)
    assert len(calls) == 1
    again = with_memory(perturb)
    for f, which, seeds in (
        (smug, scan, SEEDS),
        (smug, scan, SEEDS + 1),
        (smug, replace(scan), SEEDS),
        (abs, scan, SEEDS),
    ):
        again(f, which, seeds)
        again(f, which, seeds)
    assert len(calls) == 1 + 4


def test_conditions_have_addresses_of_their_own():
    conditions = [c for some in sigma_conditions() for c in some.values()]
    assert len({c.name for c in conditions}) == len({c.recipe for c in conditions}) == 2 * len(SIGMAS)
    assert attacked_at_sigma(0.02, pgd(0.02)).recipe != attacked_at_sigma(0.01, pgd(0.02)).recipe


def test_curves_are_per_cent_and_differences_are_paired():
    conditions = sigma_conditions()
    rows = [
        Row(m, c.name, f"slice-{n}", 20.0, 0.5, (0.1 * (n + 1 - number * 0.5)) ** 2, 20.0, 0.1, robustness_error=0.02)
        for number, m in enumerate(METHODS)
        for some in conditions
        for c in some.values()
        for n in range(5)
    ]
    curves = sigma_curves(rows, *conditions)
    assert {name for _, name in curves} == {CLEAN, PERTURBED, ROBUSTNESS}
    for s in SIGMAS:
        assert curves["rs-e2e", CLEAN][s].mean == pytest.approx(30)
        assert curves["smug", CLEAN][s].mean == pytest.approx(25)
        assert curves["smug", ROBUSTNESS][s].mean == pytest.approx(2)
        difference = curves[DIFFERENCE, PERTURBED][s]
        assert difference.mean == pytest.approx(-5) and difference.high == pytest.approx(difference.low)


def test_the_exhibit(experiment, tmp_path, make):
    result = make.exhibit(FIG11, replace(experiment, scale=replace(experiment.scale, slices=1)), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        f"fig11.{kind}" for kind in ("png", "pdf", "csv", "json", "md")
    }
    cells = {(r["method"], r["sigma"], "PGD" in r["condition"], r["slice"]) for r in result.records}
    assert len(cells) == len(result.records) == len(METHODS) * len(SIGMAS) * 2
    for r in result.records:
        assert r["rmse"] ** 2 == pytest.approx(r["nmse"]) and 0 < r["rmse_per_pixel"] < 1
        assert (r["robustness_error"] is None) == ("PGD" not in r["condition"])
    assert "σ = 0.01" in result.notes[0]
