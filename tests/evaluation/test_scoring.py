import math

import pytest
import torch

from smug.attacks import relative_l2
from smug.data.simulate import Acquisition
from smug.evaluation.conditions import clean, noisy
from smug.evaluation.datasets import simulated_set
from smug.evaluation.protocols import PROTOCOLS
from smug.evaluation.scoring import score
from smug.models.classical import CGSense, ZeroFilled
from smug.models.reconstructors import SMUG

ACQUISITION = Acquisition(coils=2)


@pytest.fixture(scope="module")
def test_set():
    return simulated_set("phantom", "test", 32, ACQUISITION, count=3)


def test_one_row_per_model_condition_and_slice(test_set):
    kept, ticks = [], []
    models = {"cg": CGSense(), "zero": ZeroFilled()}
    rows = score(models, PROTOCOLS["demo"].conditions, test_set.scans, keep=kept.append, advance=ticks.append)
    assert len(rows) == len(kept) == len(ticks) == 2 * 3 * 3
    assert len({(row.model, row.condition, row.slice) for row in rows}) == len(rows)
    assert all(math.isfinite(row.psnr) and 0 < row.ssim <= 1 for row in rows)


def test_rows_do_not_depend_on_order_or_company(test_set):
    f = SMUG(lambda x: 0.9 * x, steps=2)
    together = score({"zero": ZeroFilled(), "f": f}, PROTOCOLS["demo"].conditions, test_set.scans)
    alone = score({"f": f}, tuple(reversed(PROTOCOLS["demo"].conditions)), test_set.scans[1:2])
    assert {row for row in together if row.model == "f" and row.slice == test_set.scans[1].id[0]} == set(alone)
    other = score({"f": f}, PROTOCOLS["demo"].conditions, test_set.scans[1:2], seed=1)
    assert set(other) != set(alone)


def test_conditions_do_what_they_say(test_set):
    scan = test_set.scans[0]
    seeds = torch.tensor([5])
    assert clean().perturb(ZeroFilled(), scan, seeds).scan is scan
    noise = noisy(0.02).perturb(ZeroFilled(), scan, seeds).scan.y - scan.y
    sampled = scan.A.sampled.expand_as(noise)
    assert not noise[~sampled].any()
    expected = 0.02 * scan.truth.abs().max()
    torch.testing.assert_close(torch.view_as_real(noise[sampled]).std(), expected, rtol=0.1, atol=0)


def test_the_demo_compares_noise_and_attack_of_the_same_size(test_set):
    scan = test_set.scans[0]
    sizes = [
        float(relative_l2(c.perturb(CGSense(), scan, torch.tensor([1])).scan.y - scan.y, scan.y, scan.A))
        for c in PROTOCOLS["demo"].conditions[1:]
    ]
    assert sizes == pytest.approx([0.05, 0.05], rel=1e-4)


def test_attacks_hurt_more_than_noise_of_the_same_size(test_set):
    rows = score({"cg": CGSense()}, PROTOCOLS["demo"].conditions, test_set.scans)
    psnr = {name: sum(r.psnr for r in rows if r.condition == name) for name in {r.condition for r in rows}}
    names = [condition.name for condition in PROTOCOLS["demo"].conditions]
    assert psnr[names[0]] > psnr[names[1]] > psnr[names[2]]


def test_conditions_of_the_same_name_are_refused(test_set):
    with pytest.raises(ValueError, match="different names"):
        score({"zero": ZeroFilled()}, (clean(), clean()), test_set.scans)
