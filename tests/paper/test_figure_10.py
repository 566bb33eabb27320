import pytest

from smug.evaluation.conditions import clean
from smug.paper import figures_8_9_10_13
from smug.paper.conditions import at_steps, pgd
from smug.paper.figures_8_9_10_13 import FIG10


@pytest.fixture
def shorter(monkeypatch):
    monkeypatch.setattr(figures_8_9_10_13, "STEPS", (1, 3))
    monkeypatch.setattr(figures_8_9_10_13, "ALL", ("modl", "cg-sense"))


def test_the_number_in_training_is_the_condition_itself():
    assert at_steps(5, 5, clean()).name == "clean"
    assert at_steps(16, 5, clean()).name == "steps 16"
    assert at_steps(16, 5, pgd(0.02)).name == "steps 16, PGD linf 0.02"


def test_figure_10_is_clean_and_attacked_at_every_number_of_steps(experiment, tmp_path, shorter, make):
    result = make.exhibit(FIG10, experiment, tmp_path)
    places = {(record["steps"], bool(record["attack"])) for record in result.records}
    assert places == {(number, attack) for number in (1, 2, 3) for attack in (False, True)}
    assert {record["method"] for record in result.records} == {"modl"}  # CG-SENSE has no steps
    assert len(result.records) == 3 * 2 * 2
    assert [axes.get_title("left") for axes in result.figure.axes] == ["clean", "", "PGD, ε = 0.02", ""]
    assert result.markdown.index("## clean") < result.markdown.index("## PGD, ε = 0.02")


def test_denoisers_are_called_as_often_as_there_are_steps(experiment, tmp_path, shorter, make):
    records = make.exhibit(FIG10, experiment, tmp_path).records
    assert {(record["steps"], record["denoiser_calls"]) for record in records} == {(1, 1), (2, 2), (3, 3)}


def test_the_attack_is_made_anew_for_every_number_of_steps(experiment, tmp_path, shorter, make):
    attacked = [record for record in make.exhibit(FIG10, experiment, tmp_path).records if record["attack"]]
    by_slice = {}
    for record in attacked:
        by_slice.setdefault(record["slice"], set()).add(record["range_fraction"])
    assert all(len(fractions) == 3 for fractions in by_slice.values())
