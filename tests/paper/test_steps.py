import pytest

from smug.evaluation.conditions import clean
from smug.paper import figures_8_to_13
from smug.paper.figures_8_to_13 import FIG10, pgd, unrolled


@pytest.fixture
def shorter(monkeypatch):
    monkeypatch.setattr(figures_8_to_13, "STEPS", (1, 3))
    monkeypatch.setattr(figures_8_to_13, "ALL", ("modl", "cg-sense"))


def test_the_number_in_training_is_the_condition_itself():
    assert unrolled(5, 5, clean()).name == "clean"
    assert unrolled(16, 5, clean()).name == "steps 16"
    assert unrolled(16, 5, pgd(0.02)).name == "steps 16, PGD linf 0.02"


def test_figure_10_is_clean_and_attacked_at_every_number_of_steps(workshop, tmp_path, shorter):
    result = FIG10.write(workshop, tmp_path)
    places = {(record["steps"], bool(record["attack"])) for record in result.records}
    assert places == {(number, attack) for number in (1, 2, 3) for attack in (False, True)}
    assert {record["method"] for record in result.records} == {"modl"}  # CG-SENSE has no steps
    assert len(result.records) == 3 * 2 * 2
    assert [axes.get_title("left") for axes in result.figure.axes] == ["clean", "", "PGD, ε = 0.02", ""]
    assert result.text.index("## clean") < result.text.index("## PGD, ε = 0.02")


def test_denoisers_are_called_as_often_as_there_are_steps(workshop, tmp_path, shorter):
    records = FIG10.write(workshop, tmp_path).records
    assert {(record["steps"], record["denoiser_calls"]) for record in records} == {(1, 1), (2, 2), (3, 3)}


def test_the_attack_is_made_anew_for_every_number_of_steps(workshop, tmp_path, shorter):
    attacked = [record for record in FIG10.write(workshop, tmp_path).records if record["attack"]]
    by_slice = {}
    for record in attacked:
        by_slice.setdefault(record["slice"], set()).add(record["range_fraction"])
    assert all(len(fractions) == 3 for fractions in by_slice.values())
