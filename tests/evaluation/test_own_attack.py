"""A user's attack is scored beside the presets if the threat allows what it finds."""

from types import SimpleNamespace

import pytest
import torch

from smug import comparison
from smug.attacks import PGD, Threat
from smug.data.simulate import Acquisition
from smug.evaluation.datasets import simulated_set
from smug.evaluation.own_attack import load_attacks, own_attack, try_out, with_attacks
from smug.evaluation.protocols import PROTOCOLS, protocol
from smug.evaluation.scoring import score
from smug.evaluation.store import RowStore
from smug.evaluation.verdict import verdict
from smug.models.classical import CGSense

from ..properties import assert_refused

THREAT = Threat(0.05, "l2", "kspace-l2")


@pytest.fixture(scope="module")
def data():
    return simulated_set("phantom", "test", 16, Acquisition(coils=2), count=1)


def along_y(f, scan, threat, *, generator=None):
    return threat.project(scan.A.sampled * scan.y, threat.radius(scan.y, scan.A, scan.target))


def test_it_has_a_column_of_its_own(data):
    both = with_attacks(PROTOCOLS["demo"], {"mine": along_y, "rule": PGD(steps=1)})
    assert [c.name for c in both.conditions[-2:]] == ["mine l2 0.05", "rule l2 0.05"]
    rows = score({"cg": CGSense(0.01)}, both.conditions, data.scans)
    mine = rows[-2]
    assert mine.attack == "mine"
    assert mine.relative_l2 == pytest.approx(0.05, rel=1e-5)


def test_every_threat_of_the_protocol_is_met():
    names = [c.name for c in with_attacks(protocol("fast", [0.01, 0.02]), {"a": along_y}).conditions if not c.recipe]
    assert names == ["a l2 0.01", "a l2 0.02"]
    names = [c.name for c in with_attacks(PROTOCOLS["paper"], {"a": along_y}).conditions if not c.recipe]
    assert names == ["a linf 0.02", "a linf 0.05"]
    assert_refused(lambda: with_attacks(PROTOCOLS["clean"], {"a": along_y}), "attack a: this protocol has no attack")
    assert with_attacks(PROTOCOLS["clean"], {}).conditions == PROTOCOLS["clean"].conditions


def test_results_of_our_attacks_and_other_precisions_are_taken(data):
    result = own_attack("own", lambda *a, generator: SimpleNamespace(delta=along_y(*a)), Threat(0.02))
    (row,) = score({"cg": CGSense(0.01)}, [result], data.scans)
    assert row.relative_l2 > 0
    double = own_attack("own", lambda *a, generator: along_y(*a).to(torch.complex128), THREAT)
    assert score({"cg": CGSense(0.01)}, [double], data.scans)[0].attack == "own"


BAD = {
    "too large": (lambda f, scan, threat, *, generator: scan.y, "expected a perturbation within l2 0.05 kspace-l2"),
    "a little too large": (lambda *a, generator: along_y(*a) * 1.001, "expected a perturbation within"),
    "off samples": (lambda f, scan, threat, *, generator: 1e-4 + 0 * scan.y, "of measured entries alone"),
    "NaN": (lambda f, scan, threat, *, generator: scan.y * torch.nan, "finite perturbation"),
    "shape": (lambda f, scan, threat, *, generator: scan.y[0], r"expected a perturbation \(1, 2, 16, 16\)"),
    "nothing": (lambda f, scan, threat, *, generator: None, "got NoneType"),
    "integers": (lambda f, scan, threat, *, generator: torch.zeros(1, 2, 16, 16).int(), "got torch.int32"),
    "an error": (lambda f, scan, threat, *, generator: scan.nothing, "AttributeError"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_the_threat_does_not_allow_is_refused_before_anything_is_scored(kind, data):
    bad, match = BAD[kind]
    with pytest.raises(ValueError, match=match) as error:
        try_out({"cg": CGSense(0.01)}, with_attacks(PROTOCOLS["demo"], {"bad": bad}), data.scans[0])
    assert str(error.value).startswith("attack bad: ")


def test_what_is_no_attack_is_refused():
    for bad in (lambda f, scan: 1, 3, PGD):
        assert_refused(lambda: own_attack("bad", bad, THREAT), "attack bad: ...expected")


def test_an_attack_that_works_in_place_harms_nobody(data):
    def spoils(f, scan, threat, *, generator=None):
        scan.y.zero_()
        scan.A.maps.zero_()
        scan.target.zero_()
        generator.zero_()
        return torch.zeros_like(scan.y)

    before = score({"cg": CGSense(0.01)}, PROTOCOLS["demo"].conditions, data.scans)
    both = with_attacks(PROTOCOLS["demo"], {"bad": spoils})
    assert score({"cg": CGSense(0.01)}, both.conditions, data.scans)[:3] == before


def test_its_rows_are_not_stored(data, tmp_path):
    score({"cg": CGSense(0.01)}, [own_attack("own", along_y, THREAT)], data.scans, store=RowStore(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_attacks_of_files(tmp_path):
    text = "from smug.attacks import PGD\nrule = PGD(steps=1)\ndef f(f, scan, threat, *, generator=None): pass\n"
    (tmp_path / "a.py").write_text(text)
    (tmp_path / "b.py").write_text(text)
    names = (f"{tmp_path}/a.py:rule", f"{tmp_path}/b.py:rule", f"{tmp_path}/a.py:f")
    assert list(load_attacks(names)) == [*names[:2], "f"]
    assert_refused(lambda: load_attacks(names[:1] * 2), "--attack: expected each once")
    assert_refused(lambda: load_attacks((f"{tmp_path}/a.py:PGD",)), "attack PGD: is a class")


def test_a_model_without_gradient_wins_no_praise(data):
    said = []
    models = {"cut": lambda y, A: A.H(y).detach(), "cg": CGSense(0.01)}
    result = comparison.evaluate(models, data, "demo", warn=said.append)
    assert "cut is not differentiable" in said[0]
    assert verdict(result.rows).endswith("but this is unreliable: warnings say that attacks may be too weak for cut.")
