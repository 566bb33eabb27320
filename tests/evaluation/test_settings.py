import pytest

from smug import zoo
from smug.evaluation.settings import with_settings
from smug.models.classical import CGSense
from smug.models.normalised import normalised
from smug.models.reconstructors import SMUG, MoDL


def test_every_model_gets_the_settings_that_it_has():
    models = {"smug": zoo.load("smug"), "modl": normalised(MoDL(lambda x: x)), "cg": CGSense()}
    changed = with_settings(models, ["num_samples=2", "noise=antithetic", "steps=3"])
    inner = changed["smug"].reconstructor
    assert (inner.smoothing.num_samples, inner.smoothing.noise, inner.steps) == (2, "antithetic", 3)
    assert changed["modl"].reconstructor.steps == 3
    assert changed["cg"] is models["cg"]
    assert with_settings(models, []) == models


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("samples=2", "--set samples: expected a setting of a model: .*num_samples"),
        ("num_samples", "--set num_samples: expected KEY=VALUE, such as num_samples=0"),
        ("num_samples=-1", "num_samples: expected an integer of at least 0, got -1"),
    ],
)
def test_wrong_settings_are_refused(override, message):
    with pytest.raises(ValueError, match=message):
        with_settings({"f": SMUG(lambda x: x)}, [override])
