import json
import math
from dataclasses import replace

import pytest
import torch

from smug.data.simulate import Acquisition
from smug.evaluation import certificates
from smug.evaluation.certificates import RATIOS, SHOWN, Certification, certify, seconds_per_reconstruction
from smug.evaluation.datasets import simulated_set
from smug.metrics import psnr
from smug.models.classical import CGSense, ZeroFilled
from smug.reports.certificate_views import lines, table, write
from smug.system.documents import plainly

from ..gradients import Tenfold

pytest.importorskip("matplotlib")

TINY = Certification(noise=0.02, levels=(1.0, 4.0), draws=20, attacked=SHOWN, scores=64)


@pytest.fixture(scope="module")
def test_set():
    return simulated_set("phantom", "test", 24, Acquisition(noise=0.02), count=2)


@pytest.fixture(scope="module")
def result(test_set, device):
    return certify({"zero-filled": ZeroFilled(), "cg-sense": CGSense(0.1)}, test_set, TINY, device=device)


def test_one_row_per_model_slice_level_and_size(result):
    cells = {(row.model, row.slice, row.level, row.ratio) for row in result.rows}
    assert len(result.rows) == len(cells) == 2 * 2 * 2 * len(RATIOS)
    assert {(row.model, row.slice) for row in result.gains} == {cell[:2] for cell in cells}


def test_what_20_draws_reach(result):
    for row in result.rows:
        assert row.vacuous == (row.ratio > 1)  # 18 draws reach one sigma, 44 one and a half
        assert math.isnan(row.attacked_psnr) == (row.vacuous or row.ratio not in SHOWN)
        assert row.eps == row.ratio * row.sigma == pytest.approx(row.ratio * row.level * 0.02)
        if not row.vacuous:
            assert not row.contradicted(0.5)


@pytest.mark.parametrize("factor", [1e-4, 1e3])
def test_certificates_do_not_depend_on_the_unit(factor, test_set):
    few = Certification(attacked=(), draws=18)
    scans = [replace(scan, y=factor * scan.y, target=factor * scan.truth) for scan in test_set.scans]
    one, other = (certify({"cg": CGSense(0.1)}, replace(test_set, scans=some), few) for some in (test_set.scans, scans))
    for here, there in zip(one.rows, other.rows, strict=True):
        assert there.eps == pytest.approx(factor * here.eps)
        assert there.certified_psnr == pytest.approx(here.certified_psnr, abs=1e-3)
    for before, after in zip(one.gains, other.gains, strict=True):
        assert after.worst == pytest.approx(before.worst, rel=1e-4)


def test_certified_falls_with_eps(result):
    for row in result.rows:
        larger = [other for other in result.rows if other.ratio > row.ratio and same(row, other)]
        assert all(other.certified_psnr <= row.certified_psnr for other in larger)
        assert row.vacuous or row.certified_psnr <= row.clean_psnr + 0.5


def same(row, other):
    return (row.model, row.slice, row.level) == (other.model, other.slice, other.level)


def test_clean_psnr_is_that_of_the_release(result, test_set, device):
    scan, row = test_set.scans[0].to(device), result.rows[0]
    seen = [
        psnr(scan.A.H(scan.y + 0.02 * torch.randn_like(scan.y)), scan.truth, "complex")[0] for _ in range(200)
    ]  # A.H masks the noise; torch's complex noise has half the variance per part
    assert row.clean_psnr < float(psnr(scan.A.H(scan.y), scan.truth, "complex"))
    assert row.clean_psnr == pytest.approx(float(torch.stack(seen).mean()), abs=0.3)


def test_zero_filled_never_amplifies(result):
    for row in result.gains:
        assert 0 < row.average < row.worst
        assert row.model != "zero-filled" or row.worst <= 1 + 1e-5
        assert row.attack == pytest.approx(row.local, rel=0.1)  # both models are linear


def test_joint_certificates_need_more(test_set):
    joint = Certification(noise=0.02, levels=(1.0, 4.0), draws=20, joint=True)
    assert joint.statements(2) == 2 * 2 * len(RATIOS)
    assert [joint.needed(ratio, 2) > TINY.needed(ratio, 2) for ratio in SHOWN] == [True] * 3
    rows = certify({"zero-filled": ZeroFilled()}, test_set, joint).rows
    assert [row.vacuous for row in rows] == [row.ratio > 0.5 for row in rows]


def test_progress_counts_the_cost(test_set):
    told = []
    certify({"zero-filled": ZeroFilled()}, test_set, TINY, advance=told.append)
    assert sum(told) == TINY.cost(2) * 2


def test_the_same_again(test_set, result, device):
    again = certify({"zero-filled": ZeroFilled()}, test_set, TINY, device=device)
    assert plainly(again.document["rows"]) == [
        row for row in plainly(result.document["rows"]) if row["model"] == "zero-filled"
    ]


def test_document_is_json(result):
    document = json.loads(json.dumps(plainly(result.document), allow_nan=False))
    assert document["schema"] == "smug-certify-1"
    assert document["kspace"] == "simulated"
    assert document["certification"]["draws"] == 20
    assert {"statement", "assumptions", "certified_psnr"} <= document["rows"][0].keys()
    assert all("kind" in bound for gain in document["gains"] for bound in gain["bounds"])


def test_words_and_pictures(result, tmp_path):
    write(tmp_path, result, "A title")
    text = (tmp_path / "certificates.md").read_text(encoding="utf-8")
    assert text.count("\n| ") == 2 + 2 * 2 * len(SHOWN)
    assert "vacuous: needs 131 draws" in text
    assert "mean over 2 slices" in text
    assert "None of 8 attacks, scored on 64 draws each, contradicts its certificate." in text
    assert "cg-sense itself, without ζ, amplifies random noise" in text
    assert (tmp_path / "certificates.png").read_bytes()[:4] == b"\x89PNG"


def test_a_table_names_every_model_once_and_shows_what_was_attacked(test_set):
    asked = Certification(noise=0.02, draws=44, attacked=(1.5,), scores=4)
    result = certify(
        {"first": ZeroFilled(), "second": CGSense(0.1)}, replace(test_set, scans=test_set.scans[:1]), asked
    )
    cells = [line for group in table(result).groups for line in group.rows]
    assert [line[0] for line in cells] == ["first", "", "", "", "second", "", "", ""]
    assert [line[2] for line in cells[:4]] == ["1 σ_k", "1.5 σ_k", "2 σ_k", "3 σ_k"]
    assert [line[-1] == "—" for line in cells[:4]] == [True, False, True, True]
    one = replace(result, rows=tuple(row for row in result.rows if row.model == "first"))
    assert "The one attack, scored on 4 draws, does not contradict its certificate." in table(one).notes[0]


def test_lines_are_means(result):
    line = lines(result.rows)[1]
    rows = [r for r in result.rows if (r.model, r.level, r.ratio) == (line.model, line.level, line.ratio)]
    assert len(rows) == 2
    assert line.certified == pytest.approx(sum(row.certified_psnr for row in rows) / 2)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"noise": 0}, "noise"),
        ({"levels": ()}, "levels"),
        ({"levels": (1.0, -1.0)}, "levels"),
        ({"draws": 0}, "draws"),
        ({"p": 1.0}, "p:"),
        ({"alpha": 0}, "alpha"),
    ],
)
def test_values_out_of_range(values, message):
    with pytest.raises(ValueError, match=message):
        Certification(**values)


@pytest.mark.parametrize(
    ("inside", "contradicted"), [(1.0, False), (0.5, False), (0.4, False), (0.3, True), (math.nan, False)]
)
def test_what_contradicts_a_certificate(result, inside, contradicted):
    assert replace(result.rows[0], inside=inside, scores=64).contradicted(0.5) == contradicted


def test_the_default_takes_few_reconstructions_and_certifies_what_it_attacks():
    usual = Certification()
    assert usual.cost(1) <= 130
    assert all(usual.draws >= usual.needed(ratio, 1) for ratio in usual.attacked)
    assert usual.draws == usual.needed(1, 1)  # the fewest
    earlier = Certification(levels=(1.0, 2.0, 5.0), draws=200, attacked=SHOWN, scores=64)
    assert earlier.cost(1) > 4 * usual.cost(1)
    with pytest.raises(ValueError, match=r"attacked: expected multiples of sigma_k among .*, got 1.2"):
        Certification(attacked=(1.2,))


def test_what_is_told_adds_up_to_the_cost(test_set):
    told = []
    asked = Certification(noise=0.02, draws=20, attacked=(1.0,), scores=4)
    certify({"zero-filled": ZeroFilled()}, test_set, asked, advance=told.append)
    assert sum(told) == 2 * asked.cost(2)


def test_a_model_without_gradient_is_certified_without_gains(test_set):
    asked = Certification(noise=0.02, draws=20, attacked=())
    result = certify({"cut": lambda y, A: A.H(y).detach()}, test_set, asked)
    assert result.gains == ()
    assert any(not row.vacuous for row in result.rows)


def test_a_model_with_another_gradient_than_its_own_is_certified_without_gains(test_set):
    with pytest.warns(RuntimeWarning, match="tenfold, slice .*: no gains: the gradient is not that of the image"):
        result = certify({"tenfold": lambda y, A: Tenfold.apply(A.H(y))}, test_set, Certification())
    assert result.rows
    assert not result.gains


def test_a_model_of_single_slices_is_told_before_anything_is_certified(test_set):
    def single(y, A):
        return A.H(y[:1])

    with pytest.raises(ValueError, match=r"model single: expected images of shape \(2, 24, 24\).*slicewise"):
        certify({"single": single}, test_set)


def test_how_long_it_takes_is_measured(test_set):
    assert 0 < seconds_per_reconstruction(ZeroFilled(), test_set.scans[0]) < 5


class Slow:
    """The adjoint, for which a clock that stands still goes on: by one with each call, and by more with a gradient."""

    def __init__(self, gradient):
        self.now, self.gradient = 0.0, gradient

    def __call__(self, y, A):
        self.now += 1
        x = A.H(y)
        if x.requires_grad:
            x.register_hook(self.backward)
        return x

    def backward(self, gradient):
        self.now += self.gradient


@pytest.mark.parametrize("gradient", [0.0, 0.5, 3.0])
def test_the_time_that_is_told_is_of_so_many_reconstructions_and_gradients(gradient, test_set, monkeypatch):
    f, asked = Slow(gradient), Certification()
    monkeypatch.setattr(certificates, "perf_counter", lambda: f.now)
    one, whole = certificates.expected_seconds(f, test_set.scans[0], asked, 1)
    assert one == 1
    gradients = 5 + 2 + 12  # of the attack without noise, of that with noise, of the gains
    assert whole == pytest.approx(asked.cost(1) - 3 * gradients + gradient * gradients)


def test_a_model_without_gradient_takes_no_time_for_it(test_set, monkeypatch):
    f = Slow(0.0)
    monkeypatch.setattr(certificates, "perf_counter", lambda: f.now)
    _, whole = certificates.expected_seconds(lambda y, A: f(y, A).detach(), test_set.scans[0], Certification(), 1)
    assert whole == Certification().cost(1) - 3 * 19
