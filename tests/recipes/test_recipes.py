"""The scripts behind the results, on the smallest inputs that they take."""

import importlib
import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import smug
from recipes import (
    against_tv,
    attack_strength,
    denoising,
    leave_one_out_table,
    regimes,
    ridge_certificates,
    robustness,
    samplers,
    ship,
    validation,
)
from smug.cli import main
from smug.system.documents import plainly
from smug.training.config_file import to_dict
from smug.training.configured import build
from smug.training.runs import save_weights

SCRIPTS = sorted(path.stem for path in (Path(__file__).parents[2] / "recipes").glob("*.py"))


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_a_script_imports_is_there(name):
    importlib.import_module(f"recipes.{name}")


@pytest.fixture
def small(monkeypatch):
    """Regimes of phantoms of 32 x 32, with an update of each method."""
    monkeypatch.setattr(regimes, "SOURCE", "phantom")
    monkeypatch.setattr(regimes, "SIZE", 32)
    monkeypatch.setattr(regimes, "WARM", 1)
    monkeypatch.setattr(regimes, "REGIMES", {"quick": regimes.Regime(noise=0.0, sigma=0.05, updates=1)})
    values = ("data.size=32", "data.count=2", "data.validation=1")
    monkeypatch.setattr(regimes, "TRAINING", ("--config", "small", *(p for v in values for p in ("--set", v))))


def test_regimes_are_trained_once(small, tmp_path, monkeypatch):
    monkeypatch.setattr(regimes, "METHODS", ("smug",))
    here = SimpleNamespace(run=lambda command, **_: main(command[3:]))  # python -m smug, in this process
    monkeypatch.setattr(regimes, "subprocess", here)
    regime = regimes.REGIMES["quick"]
    models = regimes.train(tmp_path / "quick", regime)
    assert models["smug"].settings()["noise"] == "antithetic"
    config = models["smug"].config
    assert config.data.acquisition.noise == 0 and config.smoothing.sigma == 0.05 and config.method == "smug"
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    regimes.train(tmp_path / "quick", regime)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")} == before


def test_regimes_are_scored(small, tmp_path, capsys, monkeypatch):
    denoisers = {"modl": lambda x: 0.9 * x, "smug": lambda x: 0.8 * x}
    models = {name: smug.MoDL(denoiser, steps=2) for name, denoiser in denoisers.items()}
    monkeypatch.setattr(regimes, "train", lambda folder, regime: models)
    regimes.main(str(tmp_path), "1")
    lines = capsys.readouterr().out.splitlines()
    number, gains = r"[+]?-?\d+\.\d\d", r" \(\d+\.\d / \d+\.\d\)"
    for line, name in zip(lines[-2:], models, strict=True):
        cells = (number, number, number + gains, number + gains)
        assert re.fullmatch(rf"\| quick \| {name} \| {' [|] '.join(cells)} \|", line)


def test_antithetic_samples_are_nearer_to_the_expectation():
    f = smug.load("smug").reconstructor.replace(steps=2)
    scans = [scan.normalised() for scan in smug.load_scans("phantom", size=32, count=1)]
    reference = smug.Smoothing(0.05, 64, noise="antithetic", seed=1)
    samples = (smug.Smoothing(0.05, 2, noise="iid"), smug.Smoothing(0.05, 2, noise="antithetic"))
    iid, antithetic = (samplers.distances(f, scans, sampler, reference) for sampler in samples)
    assert antithetic[0] < 0.5 * iid[0] and antithetic[1] < 0.5 * iid[1]
    assert samplers.distances(f, scans, reference, reference) == (0.0, 0.0)


def test_the_share_of_an_attack(monkeypatch):
    f = smug.load("smug").reconstructor.replace(steps=2)
    monkeypatch.setattr(smug, "load", lambda name: f)
    (scan,) = smug.load_scans("phantom", "val", 32, count=1)
    threat = smug.Threat(0.01, "l2", "kspace-l2")
    said = attack_strength.shares("smug", scan, threat, torch.tensor([0]), steps=2)
    assert 0.9 < float(re.search(r": ([\d.]+) of the damage", said)[1]) <= 1


def test_folds_are_put_together(tmp_path, capsys):
    for number in (1, 2):
        scans = smug.load_scans("phantom", size=32, count=2)[number - 1]
        folds = smug.evaluate({"modl": smug.ZeroFilled(), "cg": smug.CGSense()}, scans, "demo")
        (tmp_path / f"{number}.json").write_text(json.dumps(folds.document))
    leave_one_out_table.main(str(tmp_path))
    assert "2 slices of given scans" in capsys.readouterr().out


def test_the_cards_of_shipped_weights_are_what_the_recipe_writes(tmp_path):
    ship.write_cards(tmp_path)
    for path in sorted(tmp_path.iterdir()):
        written, shipped = (json.loads(each.read_text()) for each in (path, ship.WEIGHTS / path.name))
        assert {**written, "version": 0} == {**shipped, "version": 0}
        assert written["configuration"] == plainly(to_dict(smug.load(path.stem).config))


def test_runs_are_shipped_in_half_precision(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ship, "WEIGHTS", tmp_path / "weights")
    (tmp_path / "runs" / "modl").mkdir(parents=True)
    smug.load("modl").save(tmp_path / "runs" / "modl" / "model.safetensors")
    ship.store(tmp_path / "runs")
    assert "in half precision" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "weights").iterdir()] == ["modl.safetensors"]
    assert ship.card_of("modl")["training_data"] == [ship.TRAINING_SETS["phantom"], ship.TRAINING_SETS["openms"]]


def test_a_lam_that_was_learned_is_replaced_by_the_chosen_one_and_a_suffix_names_another_set(tmp_path, monkeypatch):
    monkeypatch.setattr(ship, "WEIGHTS", tmp_path / "weights")
    config = replace(smug.training.PRESETS["tiny"], lam=0.3, learn_lam=True)
    run = tmp_path / "runs" / "modl" / "model.safetensors"
    run.parent.mkdir(parents=True)
    save_weights(run, build(config), config)
    ship.store(tmp_path / "runs", "-4x")
    kept = smug.load(tmp_path / "weights" / "modl-4x.safetensors")
    assert kept.config.learn_lam and kept.settings()["lam"]().item() == pytest.approx(0.3, rel=1e-3)
    ship.store(tmp_path / "runs")
    chosen = smug.load(tmp_path / "weights" / "modl.safetensors")
    assert (chosen.config.lam, chosen.config.lam_times, chosen.config.learn_lam) == (10.0, "residual", False)
    assert chosen.settings()["lam"].factor == 10.0


def test_models_are_compared_on_the_scans_of_a_configuration(tmp_path, capsys):
    config = tmp_path / "small.toml"
    config.write_text('preset = "tiny"\n[data]\nsize = 32\nvalidation = 2\n')
    validation.main(str(config), ["zero-filled", "cg-sense:0.01"])
    zero, cg, best = (float(line.split(": ")[1].split(" dB")[0]) for line in capsys.readouterr().out.splitlines())
    assert best >= max(zero, cg) and cg > zero


def test_denoisers_are_compared_with_the_noisy_images(tmp_path, capsys):
    config = tmp_path / "small.toml"
    config.write_text('preset = "tiny"\n[data]\nsize = 32\nvalidation = 1\n')
    path = tmp_path / "level.safetensors"
    tiny = smug.training.PRESETS["tiny"]
    told = replace(tiny, network=replace(tiny.network, kind="level-unet"))
    save_weights(path, build(told), told)
    denoising.main(str(config), ["ridge", str(path)])
    _, *lines = (line.split(": ") for line in capsys.readouterr().out.splitlines())
    values = {name: [float(value) for value in row.split()] for name, row in lines}
    noisy, ridge, new = values["noisy"], values["ridge"], values[str(path)]
    assert noisy == sorted(noisy, reverse=True) and new == noisy  # a new network is the identity
    assert all(better > worse for better, worse in zip(ridge[1:], noisy[1:], strict=True))


def test_robustness_counts_the_strongest_attack_and_goes_on(tmp_path, capsys, monkeypatch):
    options = [
        str(tmp_path),
        "zero-filled",
        "--source",
        "phantom",
        "--split",
        "test",
        "--size",
        "32",
        "--changes",
        "0.05",
    ]
    monkeypatch.setattr(robustness, "BASELINE", "cg-sense")
    monkeypatch.setattr(robustness, "TRANSFERRED", ("cg-sense",))
    robustness.main(options)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| cg-sense", "| zero-filled"]
    assert "0 of 6" in lines[2] and " ±" in lines[3]
    found = json.loads((tmp_path / "scores.json").read_text())
    own, transferred = (found["zero-filled"][f"0.05 {name}"] for name in ("zero-filled", "cg-sense"))
    assert robustness.strongest(found["zero-filled"], 0.05) == [
        min(pair) for pair in zip(own, transferred, strict=True)
    ]
    assert all(a < b for a, b in zip(own, found["zero-filled"]["clean"], strict=True))
    robustness.main([*options, "--more", "3"])
    longer = json.loads((tmp_path / "scores.json").read_text())["cg-sense"]
    assert all(b < a + 0.1 for a, b in zip(longer["0.05 cg-sense"], longer["0.05 cg-sense +3"], strict=True))
    lines = capsys.readouterr().out.splitlines()
    monkeypatch.setattr(robustness, "save_file", None)  # nothing is attacked twice
    robustness.main(options)
    assert capsys.readouterr().out.splitlines() == lines and (tmp_path / "front.png").stat().st_size > 10000


def test_robustness_attacks_a_ridge_regulariser_with_its_level_held():
    scan = smug.simulate(smug.head_phantom(seed=1, size=32)[None])
    f = robustness.load("ridge tau 0.01 lam 2")
    settings = robustness.stand_in(f, scan).settings()
    assert f.settings()["tau"] == settings["tau"] == 0.01
    assert f.settings()["lam"] == settings["lam"] == 2.0
    assert f.settings()["sigma"] is None and settings["sigma"].shape == (1,)
    refined = robustness.load("modl-ridge")
    first = robustness.stand_in(refined, scan).settings()["first"]
    assert first.sigma.shape == (1,) and refined.settings()["first"].sigma is None
    attacked = smug.attacks.pgd(robustness.stand_in(refined, scan), scan, smug.Threat(0.01, "l2", "kspace-l2"), steps=1)
    (clean,), (after,) = (robustness.psnr(refined, scan, delta) for delta in (0.0, attacked.delta))
    assert after < clean - 0.01


def test_models_are_compared_with_tuned_total_variation(capsys, monkeypatch):
    monkeypatch.setattr(against_tv, "LAMS", (1e-3, 1e-1))
    monkeypatch.setattr(against_tv, "TUNING", 1)
    small = ["against_tv.py", "phantom", "32", "--rates", "4", "--slices", "2", "--models", "cg-sense", "tv:0.001"]
    monkeypatch.setattr("sys.argv", small)
    against_tv.main()
    line = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(r"\| 32 x 32, 4x \| 0.001 \| \d+.\d\d \| .* \(-\d.\d\d ±.*\) \| .* \(\+0.00 ±0.00\) \|", line)


def test_results_go_into_the_cards(tmp_path):
    ship.write_cards(tmp_path)
    scores = {"ridge": {"clean": [30.0, 28.0], "0.05 ridge": [25.0, 21.0], "0.05 tv": [24.0, 22.0]}}
    (tmp_path / "scores.json").write_text(json.dumps(scores))

    def bench(name, psnr, **models):
        summaries = {"a": [{"model": model, "cases": 4, "psnr": psnr, "over": over} for model, over in models.items()]}
        (tmp_path / name).write_text(json.dumps({"summaries": summaries}))
        return tmp_path / name

    documents = [bench("one.json", 33.333, ridge=1.25), bench("two.json", 30.0, ridge=9.0, modl=-2.0)]
    ship.write_results(tmp_path / "scores.json", documents, tmp_path)
    ridge, modl, smug = (json.loads((tmp_path / f"{n}.json").read_text())["results"] for n in ("ridge", "modl", "smug"))
    assert [(r["condition"], r["psnr"]) for r in ridge[:2]] == [("clean", 29.0), ("worst 5 % found", 22.5)]
    assert (ridge[2]["data"], ridge[2]["psnr"], ridge[2]["over_best_tv"]) == ("a, measured", 33.33, 1.25)
    assert len(ridge) == 3 and [r["over_best_tv"] for r in modl] == [-2.0] and smug == []


def test_certificates_hold_and_go_on(tmp_path, capsys, monkeypatch):
    image = smug.head_phantom(seed=0, size=24)[None]
    scan = smug.simulate(image, smug.Acquisition(noise=0.01), names=["a"]).normalised()
    for name, value in (("scans", lambda source: [scan]), ("TAUS", (0.01,)), ("SIZES", (0.005, 0.01))):
        monkeypatch.setattr(ridge_certificates, name, value)
    out = tmp_path / "out.json"
    ridge_certificates.main(str(out), "phantom")
    text, rows = capsys.readouterr().out, json.loads(out.read_text())
    assert text.count("| phantom | 0.01 |") == 2 and [row["size"] for row in rows] == [0.005, 0.01]
    for row in rows:
        assert row["certified"] < row["attacked"] < row["clean"] < row["clean without tau"]
        assert row["certified CG-SENSE"] < row["clean CG-SENSE"]
    monkeypatch.setattr(ridge_certificates, "figures", None)  # nothing is computed twice
    ridge_certificates.main(str(out), "phantom")
    assert capsys.readouterr().out == text
