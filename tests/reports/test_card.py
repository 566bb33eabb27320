import json
from dataclasses import replace

import pytest

from smug.evaluation.protocols import PROTOCOLS
from smug.evaluation.summary import to_json
from smug.reports.card import cards, write_card

DATA = {"source": "phantom", "split": "test", "sha256": "0" * 16, "kspace": "simulated"}


@pytest.fixture
def made(outcomes):
    """Cards of two models; the second was attacked with a warning, and its gain is unknown on one slice."""
    rows = [outcome.row for outcome in outcomes()]
    rows[-1] = replace(rows[-1], attack="apgd", flags=("not-monotone",), gain=1.5, denoiser_calls=40.0)
    configuration = {"modl": {"config": {"steps": 5}, "range": json.dumps({"coils": [4]})}, "cg": "CGSense(lam=0.1)"}
    document = to_json(
        rows,
        PROTOCOLS["demo"].conditions,
        configuration=configuration,
        seeds=[0],
        data=DATA,
        command="smug evaluate",
        reference="cg",
    )
    return cards(document, {"modl": "abc"})


def test_what_a_card_says(made):
    cg, modl = made
    assert (cg.model, cg.weights, cg.training_range, cg.configuration) == ("cg", "", None, "CGSense(lam=0.1)")
    assert (modl.weights, modl.training_range, modl.seeds) == ("abc", {"coils": [4]}, (0,))
    assert [result.condition for result in modl.results] == ["clean", "PGD 0.05"]
    assert modl.conditions == {"clean": "the measurements as they are"}
    assert (cg.unreliable, modl.unreliable, modl.flags) == (False, True, ("not-monotone",))
    assert modl.results[1].attacks == {"apgd": 1}


def test_json_tells_readers_without_this_library(made, tmp_path):
    write_card(tmp_path / "card.json", made[1])
    read = json.loads((tmp_path / "card.json").read_text(encoding="utf-8"))
    assert read["schema"] == "smug-card-1"
    assert read["unreliable"] is True
    assert read["flags"] == ["not-monotone"]
    assert read["lowest_psnr"]["PGD 0.05"] == read["results"][1]["psnr"]["mean"]
    assert read["results"][0]["gain"] is None
    assert "For research use only" in read["use"]
    assert {"mean", "low", "high", "unit", "units"} <= read["results"][0]["psnr_interval"].keys()
    keys = "schema version use unreliable flags denoiser_calls lowest_psnr model command seeds configuration weights"
    assert read.keys() == {*keys.split(), "training_range", "data", "conditions", "results", "external"}
