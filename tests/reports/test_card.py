import json
import math
from dataclasses import replace

import pytest

from smug.evaluation.protocols import PROTOCOLS
from smug.evaluation.summary import to_json
from smug.reports.card import External, card_json, cards, read_card, with_external, write_card

DATA = {"source": "phantom", "split": "test", "sha256": "0" * 16, "kspace": "simulated"}
OTHER = External("PGD 0.05", 20.0, "a stronger attack", "somebody's report", "0" * 16)


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


def same(one, other) -> bool:
    """NaN is not equal to itself."""
    return repr(one) == repr(other)


def test_what_a_card_says(made):
    cg, modl = made
    assert (cg.model, cg.weights, cg.training_range, cg.configuration) == ("cg", "", None, "CGSense(lam=0.1)")
    assert (modl.weights, modl.training_range, modl.seeds) == ("abc", {"coils": [4]}, (0,))
    assert [result.condition for result in modl.results] == ["clean", "PGD 0.05"]
    assert modl.conditions == {"clean": "the measurements as they are"}
    assert (cg.unreliable, modl.unreliable, modl.flags) == (False, True, ("not-monotone",))
    assert modl.results[1].attacks == {"apgd": 1}


def test_round_trip(made, tmp_path):
    for card in made:
        path = tmp_path / f"{card.model}.json"
        write_card(path, card)
        assert same(read_card(path), card)


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


def test_the_lowest_external_evaluation_is_kept(made):
    card = with_external(made[1], OTHER)
    assert card.external == (OTHER,)
    assert card.lowest()["PGD 0.05"] == 20
    assert card.lowest()["clean"] == card.results[0].psnr.mean
    assert with_external(card, replace(OTHER, psnr=21.0)).external == (OTHER,)
    lower = replace(OTHER, psnr=19.0)
    assert with_external(card, lower).external == (lower,)
    assert with_external(made[1], replace(OTHER, psnr=99.0)).lowest() == made[1].lowest()
    assert card_json(card)["lowest_psnr"]["PGD 0.05"] == 20


def test_diverged_counts_as_lowest(made):
    first, second = made[1].results
    diverged = replace(made[1], results=(first, replace(second, psnr=replace(second.psnr, mean=math.nan))))
    assert math.isnan(with_external(diverged, OTHER).lowest()["PGD 0.05"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"condition": "PGD 9"}, r"condition: expected one of PGD 0\.05, clean, got 'PGD 9'"),
        ({"data": "1" * 16}, "data: expected the card's, 0000000000000000, got '1111111111111111'"),
        ({"psnr": math.nan}, "psnr: expected a finite number of dB, got nan"),
    ],
)
def test_external_evaluations_must_be_of_the_same(made, changes, message):
    with pytest.raises(ValueError, match=message):
        with_external(made[0], replace(OTHER, **changes))


def test_external_evaluations_may_be_added_by_hand(made, tmp_path):
    path = tmp_path / "card.json"
    document = card_json(made[0])
    document["external"] = [vars(OTHER), {**vars(OTHER), "psnr": 18}]
    path.write_text(json.dumps(document))
    assert [other.psnr for other in read_card(path).external] == [18]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "smug-card-9"}, "expected schema smug-card-1, got 'smug-card-9'"),
        ({"seeds": [0.5]}, r"seeds\[0\]: expected int, got float"),
        ({"results": []}, "results: expected at least one condition, got none"),
        ({"model": "other"}, "results: expected those of other, got those of cg"),
        ({"data": {}}, "data: expected their sha256"),
        ({"external": [{"psnr": 1.0}]}, r"external\[0\]\.condition: is missing"),
        ({"external": 3}, "external: expected list, got int"),
    ],
)
def test_what_is_no_card(made, tmp_path, change, message):
    path = tmp_path / "card.json"
    path.write_text(json.dumps(card_json(made[0]) | change))
    with pytest.raises(ValueError, match=f"card.json: {message}"):
        read_card(path)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "\udcff"])
def test_other_files(tmp_path, text):
    path = tmp_path / "card.json"
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(ValueError, match=r"card\.json: expected"):
        read_card(path)
    with pytest.raises(FileNotFoundError):
        read_card(tmp_path / "none.json")


def test_a_missing_key(made, tmp_path):
    document = card_json(made[0])
    del document["results"][0]["psnr"]
    path = tmp_path / "card.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match=r"card\.json: results\[0\]\.psnr: is missing"):
        read_card(path)
