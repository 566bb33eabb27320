import json
import shutil
from dataclasses import asdict, replace

import pytest
import torch

import smug
from smug import zoo
from smug.cli import main
from smug.data.simulate import Acquisition
from smug.evaluation.datasets import simulated_set
from smug.model_card import ModelCard, ModelResult, sha256_of
from smug.models.classical import CGSense, TotalVariation, ZeroFilled
from smug.training.config_file import from_dict
from smug.zoo import REFINING, RIDGES, SHIPPED, card, shipped


def test_classical_names():
    assert smug.load("cg-sense") == CGSense()
    assert smug.load("cg-sense:0.2") == CGSense(0.2)
    assert smug.load("tv") == TotalVariation()
    assert smug.load("tv:0.2") == TotalVariation(0.2)
    assert smug.load("zero-filled") == ZeroFilled()


def test_shipped_weights_are_small_and_halved():
    assert sum(shipped(name).stat().st_size for name in SHIPPED) < 24e6
    for name in SHIPPED:
        assert smug.load(name).config.method == (
            "ridge" if name in RIDGES else name.removesuffix("-4x").removesuffix("-ridge")
        )


@pytest.mark.parametrize("name", RIDGES)
def test_ridge_regularisers_serve_any_scan_and_are_as_convex_as_their_names_say(name):
    model = smug.load(name)
    assert shipped(name).stat().st_size < 100_000
    assert model.training_range() is None and model.unscaled().regulariser.convex == (name == "convex-ridge")
    assert smug.load(f"{name}:0.25").settings()["lam"] == 0.25
    with pytest.raises(ValueError, match=f"{name}:LAM expects a number"):
        smug.load(f"{name}:much")


@pytest.mark.parametrize("name", SHIPPED)
def test_cards_are_those_of_the_weights(name):
    found, model = card(name), smug.load(name)
    assert found.name == name and found.sha256 == sha256_of(shipped(name))
    assert from_dict(found.configuration) == model.config and found.seeds == (model.config.seed,)
    assert json.dumps(found.training_range) == json.dumps(
        asdict(trained_on) if (trained_on := model.training_range()) else {}
    )
    assert {data.source for data in found.training_data} == set(model.config.data.sources)
    assert all(data.about and data.licence in ("MIT", "CC BY") for data in found.training_data)
    assert "research use only" in found.use


def test_the_readme_of_the_weights_cites_what_the_cards_do():
    readme = " ".join(shipped("smug").with_name("README.md").read_text().replace("*", "").split())
    [openms] = (data for data in card("smug").training_data if data.source == "openms")
    assert openms.about.split("Lesjak")[1] in readme and f"({openms.licence})" in readme


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder of shipped weights that may be spoiled."""
    for suffix in (".safetensors", ".json"):
        shutil.copy(shipped("modl").with_suffix(suffix), tmp_path)
    monkeypatch.setattr(zoo, "shipped", lambda name: tmp_path / f"{name}.safetensors")
    return tmp_path


@pytest.mark.parametrize("spoilt", [lambda b: b[:-1], lambda b: b[:-1] + bytes([b[-1] ^ 1]), lambda b: b""])
def test_weights_that_are_not_those_of_the_card_are_refused(spoilt, own):
    file = own / "modl.safetensors"
    expected, content = sha256_of(file), spoilt(file.read_bytes())
    file.write_bytes(content)
    with pytest.raises(ValueError, match=f"{file}: expected the weights of modl, sha256 {expected}, got") as error:
        smug.load("modl")
    assert sha256_of(file) in str(error.value) and "\n" not in str(error.value)


def test_what_is_missing(own):
    (own / "modl.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="the weights of modl are missing: install smug again"):
        smug.load("modl")
    (own / "modl.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"modl\.json: the card of a shipped model is missing"):
        smug.load("modl")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "smug-model-9"}, "expected JSON of schema smug-model-2"),
        ({"sha256": 3}, "sha256: expected str, got int"),
        ({"licence": None}, "licence: expected str"),
        ({"more": 1}, "more: unknown"),
        ({"results": [{"psnr": 30}]}, r"results\[0\].data: is missing"),
    ],
)
def test_what_is_no_card(change, message, own):
    path = own / "modl.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match=f"modl.json: not the card of a model: {message}"):
        smug.load("modl")


def test_a_card_with_results(own, capsys):
    found = replace(
        card("modl"),
        results=(
            ModelResult("6 people, simulated", "worst 1.0% found", 25.123, "python -m one"),
            ModelResult("some file, measured", "4 cases", 33.3, "python -m other", over_best_tv=-1.25),
        ),
    )
    found.write(own / "modl.json")
    assert ModelCard.read(own / "modl.json") == found
    assert main(["models", "modl", "--json", str(own / "printed.json")]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "6 people, simulated worst 1.0% found: PSNR 25.12 dB" in told and "scored by python -m other" in told
    assert "4 cases: PSNR 33.30 dB, -1.25 dB over the best total variation" in told
    assert found.sha256 in told and "CC BY" in told
    printed = json.loads((own / "printed.json").read_text())
    assert printed.pop("command") and printed == json.loads((own / "modl.json").read_text())


@pytest.mark.parametrize("name", ["ridge", "convex-ridge", "modl", "rs-e2e", "smug-ridge"])
def test_a_card_says_only_what_its_method_has(name, capsys):
    assert main(["models", name]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert ("32 filters" in told) == ("unrolling steps" not in told) == (name in RIDGES)
    assert ("weakly convex" in told) == (name == "ridge")
    assert ("any matrix, coils and sampling" in told) == (name in RIDGES)
    assert ("samples" in told) == (name in ("rs-e2e", "smug-ridge"))
    assert ("from the image of ridge" in told) == (name == "smug-ridge")
    shown = ("112 x 128, 112 x 144", "coils: 1 to 16", "accelerations: 2 to 6", "acceleration spans: 2 to 6")
    assert all((each in told) == (name not in RIDGES) for each in shown)


def test_only_shipped_models_have_cards(capsys):
    assert main(["models", "tv"]) == 2
    assert f"expected one of {', '.join(SHIPPED)}, which have cards, got 'tv'" in capsys.readouterr().err


@pytest.fixture(scope="module")
def unseen():
    """A phantom that is in no training set, and the PSNR of CG-SENSE on it."""
    scan = simulated_set("phantom", "test", 128, Acquisition(), count=1).scans[0]
    return scan, float(smug.metrics.psnr(CGSense(0.01)(scan.y, scan.A), scan.truth))


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_models_beat_cg_sense_on_an_unseen_phantom(name, unseen):
    scan, linear = unseen
    with torch.no_grad():
        image = smug.load(name)(scan.y, scan.A, torch.tensor([1]))
    gain = float(smug.metrics.psnr(image, scan.truth)) - linear
    assert gain > (0.5 if name == "rs-e2e" else 1)  # whose noise the solver amplifies by 1 / lam


def test_a_function_from_a_file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("def f(y, A, generator=None):\n    return A.H(y)\n\nvalue = 3\n")
    assert callable(smug.load(f"{path}:f"))
    with pytest.raises(ValueError, match=r"value in .*mine.py is no function, got int"):
        smug.load(f"{path}:value")


def test_unknown_names():
    with pytest.raises(FileNotFoundError, match=f"expected one of {', '.join(SHIPPED)}, cg-sense"):
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


@pytest.mark.parametrize("name", REFINING)
def test_a_refined_image_is_better_than_the_one_it_starts_from(name, unseen):
    scan, _ = unseen
    with torch.no_grad():
        first, image = (smug.load(each)(scan.y, scan.A, torch.tensor([1])) for each in ("ridge", name))
    assert smug.metrics.psnr(image, scan.truth) > smug.metrics.psnr(first, scan.truth) + 0.2


@pytest.mark.parametrize(("name", "meant"), [("modll", "modl"), ("Modl", "modl"), ("smug-ridge:1", "smug-ridge")])
def test_a_name_that_is_nearly_right_is_suggested(name, meant):
    with pytest.raises(FileNotFoundError, match=rf"FILE.py:function.*did you mean {meant}\?"):
        smug.load(name)
