import pytest

from smug.paper import figures_8_9_10_13
from smug.paper.conditions import pgd
from smug.paper.curves import Sweep
from smug.paper.figures_8_9_10_13 import EPSILONS, FIG8, FIG13, STRENGTHS, TARGETS
from smug.paper.runs import METHODS
from smug.paper.sweeps import ALL


@pytest.fixture
def shorter(monkeypatch):
    """Figures of two strengths and few methods: an attack takes its time."""
    monkeypatch.setattr(figures_8_9_10_13, "STRENGTHS", Sweep({0.0: pgd(0.0), 0.02: pgd(0.02)}))
    monkeypatch.setattr(figures_8_9_10_13, "ALL", ("modl", "smug"))
    monkeypatch.setattr(figures_8_9_10_13, "TARGETS", ("smug", "smug-target"))


def test_strengths_begin_at_clean_data_and_are_the_authors_attack():
    assert tuple(STRENGTHS.conditions) == EPSILONS == (0.0, 0.01, 0.02, 0.03, 0.05)
    assert STRENGTHS.conditions[0.0].name == "clean"
    assert STRENGTHS.conditions[0.02].name == "PGD linf 0.02"


def test_recipes_are_those_of_any_process():
    # They are the address of stored rows: with the place of a function in memory nothing would be found again.
    assert not any("0x" in condition.recipe for condition in STRENGTHS.conditions.values())
    assert "gaussian" in STRENGTHS.conditions[0.02].recipe


def test_methods_are_the_papers_and_ours_and_all_targets():
    assert {"modl", "rs-e2e", "smug", "weighted-smug", "jitter", "adversarial", "cg-sense"} == {*ALL}
    assert set(TARGETS) == {method for method in METHODS if method.startswith("smug")}


def test_figure_8_is_worse_the_stronger_the_attack(experiment, tmp_path, shorter, make):
    result = make.exhibit(FIG8, experiment, tmp_path)
    assert (tmp_path / "fig8.png").exists() and len(result.records) == 2 * 2 * 2
    psnr = {(r["method"], r["slice"], r["epsilon"]): r["psnr"] for r in result.records}
    assert all(psnr[method, name, 0.02] < psnr[method, name, 0.0] for method, name, _ in psnr)


def test_figure_13_takes_smug_from_figure_8(experiment, tmp_path, shorter, monkeypatch, make):
    make.exhibit(FIG8, experiment, tmp_path)
    rows = set((experiment.out / "rows").rglob("*.json"))
    result = make.exhibit(FIG13, experiment, tmp_path)
    new = len(set((experiment.out / "rows").rglob("*.json")) - rows)
    assert new <= 4  # two strengths, two slices, of smug-target alone
    assert {r["method"] for r in result.records} == {"smug", "smug-target"}
    assert "difference to SMUG (dB)" in {axes.get_ylabel() for axes in result.figure.axes}
    assert any("What UStab pulls towards" in note for note in result.notes)
