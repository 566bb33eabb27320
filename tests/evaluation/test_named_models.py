import pytest

import smug
from smug.data.simulate import Acquisition
from smug.evaluation import tuning
from smug.evaluation.datasets import simulated_set
from smug.evaluation.named_models import check_unseen, named_models
from smug.evaluation.settings import settings_of
from smug.evaluation.tuning import tuned
from smug.models.classical import CGSense, TotalVariation

ACQUISITION = Acquisition(coils=2)


@pytest.mark.parametrize(("name", "family"), [("cg-sense", CGSense), ("tv", TotalVariation)])
def test_regularised_methods_are_tuned_on_validation_slices(name, family, monkeypatch):
    monkeypatch.setattr(tuning, "TUNING_SLICES", 2)
    models = named_models((name, f"{name}:0.5"), "phantom", 16, ACQUISITION)
    assert models[name] == tuned(family, simulated_set("phantom", "val", 16, ACQUISITION, count=2).scans)
    assert models[f"{name}:0.5"] == family(0.5)
    assert settings_of(models)[f"{name}:0.5"] == repr(family(0.5))


def test_models_are_labelled_by_the_last_part_of_their_name(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.py").write_text("def f(y, A):\n    return A.H(y)\n")
    one, other = (f"{tmp_path}/{folder}/mine.py:f" for folder in ("a", "b"))
    assert set(named_models((one, "zero-filled"), "phantom", 32, ACQUISITION)) == {"mine.py:f", "zero-filled"}
    assert set(named_models((one, other), "phantom", 32, ACQUISITION)) == {one, other}
    with pytest.raises(ValueError, match="each once"):
        named_models((one, one), "phantom", 32, ACQUISITION)


def test_all_slices_are_for_models_that_have_seen_none():
    models = {"modl": smug.load("modl"), "mine": lambda y, A: A.H(y)}
    check_unseen(models, "siat")
    with pytest.raises(ValueError, match=r"split all: modl was trained on openms; expected models that have not seen"):
        check_unseen(models, "openms")
