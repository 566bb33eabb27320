import pytest
import torch

import smug
from smug.data.simulate import Acquisition
from smug.evaluation.datasets import simulated_set
from smug.models.classical import CGSense, ZeroFilled
from smug.models.total_variation import TotalVariation
from smug.zoo import SHIPPED, shipped


def test_classical_names():
    assert smug.load("cg-sense") == CGSense()
    assert smug.load("cg-sense:0.2") == CGSense(0.2)
    assert smug.load("tv") == TotalVariation()
    assert smug.load("tv:0.2") == TotalVariation(0.2)
    assert smug.load("zero-filled") == ZeroFilled()


def test_shipped_weights_are_small_and_halved():
    assert sum(shipped(name).stat().st_size for name in SHIPPED) < 8e6
    for name in SHIPPED:
        assert smug.load(name).config.method == name


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_models_beat_cg_sense_on_unseen_phantoms(name):
    scans = simulated_set("phantom", "test", 128, Acquisition(), count=2).scans
    model, cg = smug.load(name), smug.CGSense(0.01)
    with torch.no_grad():
        for scan in scans:
            seeds = torch.tensor([1])
            gain = smug.metrics.psnr(model(scan.y, scan.A, seeds), scan.truth) - smug.metrics.psnr(
                cg(scan.y, scan.A), scan.truth
            )
            assert float(gain) > 1


def test_a_function_from_a_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("def f(y, A, generator=None):\n    return A.H(y)\n\nvalue = 3\n")
    assert callable(smug.load(f"{path}:f"))
    with pytest.raises(ValueError, match="has no function 'value'"):
        smug.load(f"{path}:value")


def test_unknown_names():
    with pytest.raises(FileNotFoundError, match="expected one of modl, rs-e2e, smug, weighted-smug, cg-sense"):
        smug.load("modl2")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cg-sense:many", "cg-sense:LAM expects a number"),
        ("tv:", "tv:LAM expects a number"),
        ("cg-sense:-1", "cg-sense:LAM expects a number: lam: expected"),
        ("tv:0", "tv:LAM expects a number: lam: expected"),
        ("tv:nan", "lam: expected"),
    ],
)
def test_bad_lam(name, message):
    with pytest.raises(ValueError, match=message):
        smug.load(name)
