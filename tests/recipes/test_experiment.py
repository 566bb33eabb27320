"""The experiment on the smallest inputs: arms that train, go on and are told apart."""

import functools
import itertools
import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

import smug
from recipes.experiment import front, image_attack, look, run, score, table
from smug.cli import main as cli
from smug.training.configured import build
from smug.training.runs import save_weights


def configured(name, updates=100, base=run.BASE):
    """The configuration that the command of an arm trains."""
    arguments = run.command(run.Path("runs"), name, 0, updates, run.Place(base))
    changes = [value for key, value in itertools.pairwise(arguments) if key == "--set"]
    config = smug.training.load_config(arguments[arguments.index("--config") + 1], changes)
    return replace(config, method=arguments[arguments.index("--method") + 1])


@pytest.mark.parametrize("name", run.ARMS)
def test_every_arm_is_a_configuration_and_starts_from_an_arm_that_fits(name):
    config, arm = configured(name), run.ARMS[name]
    assert config.optimizer.updates == round(100 * arm.share)
    assert config.data.sources == ("openms", "phantom") and config.data.acquisition.noise == 0
    assert config.data.acquisition.fixed_mask != ("many-masks" in name)
    assert (config.network.start == "identity") == (config.network.kind != "unet" or name == "modl")
    assert "--threads 1" in " ".join(run.command(run.Path("runs"), name, 0, 100))
    if arm.init:
        start, names = build(configured(arm.init)).networks(), list(run.ARMS)
        build(config).networks()["denoiser"].load_state_dict(start["denoiser"].state_dict())
        assert names.index(arm.init) < names.index(name)


def test_a_larger_matrix_changes_nothing_else():
    larger = configured("modl-random", base=run.BASE.with_name("base-128.toml"))
    base = configured("modl-random")
    assert larger == replace(base, data=replace(base.data, size=128))


def test_what_the_gpu_trains_and_scores_runs_at_toy_size(tmp_path, monkeypatch, capsys):
    text = (run.BASE.parents[1] / "gpu/base.toml").read_text()
    toy = {"size = 256": "size = 32", '"openms", ': "", "count = 480": "count = 2", "validation = 16": "validation = 1"}
    toy |= {
        "channels = 64, depth = 3": "channels = 4, depth = 1",
        "coils = 12": "coils = 2",
        "training_samples = 10": "",
    }
    assert all(text.count(old) == 1 for old in toy)
    base = tmp_path / "base.toml"
    base.write_text(functools.reduce(lambda t, pair: t.replace(*pair), toy.items(), text))
    monkeypatch.setattr(run, "train", lambda arguments: cli(arguments) or 0)
    options = ("--base", str(base), "--updates", "2", "--seeds", "0", "--arms", "smug-1")
    run.main([str(tmp_path / "runs"), *options])
    people = replace(smug.load_images("phantom", "test", 32, count=6), subjects=tuple("abcdef"))
    monkeypatch.setattr(score, "SLICES", 6)
    monkeypatch.setattr(score, "images", lambda regime: people)
    monkeypatch.setattr(score, "FIRST", {"clean": score.plain})
    monkeypatch.setattr(score, "THEN", {})
    monkeypatch.setattr(score, "REFERENCES", ())
    score.main(str(tmp_path / "runs/2"), str(tmp_path / "scores.json"), str(base), "cpu")
    assert set(json.loads((tmp_path / "scores.json").read_text())["arms"]) == {"identity-0", "smug-1-0"}
    score.scan.cache_clear()


def test_arms_differ_in_what_their_name_says():
    assert configured("smug-10-noiseless") == replace(configured("smug-10"), training_samples=0)
    assert configured("smug-10-label") == replace(configured("smug-10"), stability_target="target")
    assert configured("smug-10-random-steps") == replace(configured("smug-10"), training_steps=(4, 12))
    assert configured("smug-100") == replace(configured("smug-1"), reconstruction_weight=100.0)
    assert configured("adversarial-0.005").perturbation.threat == smug.Threat(0.005)


@pytest.fixture
def small(monkeypatch, tmp_path):
    """A base of phantoms of 32 x 32, trained in this process."""
    base = tmp_path / "base.toml"
    text = run.BASE.read_text().replace('["openms", "phantom"]', '["phantom"]').replace("size = 64", "size = 32")
    text = text.replace("count = 240", "count = 2").replace("validation = 16", "validation = 1")
    base.write_text(text.replace("steps = 8", "steps = 2").replace("channels = 16", "channels = 4"))
    trained = []
    monkeypatch.setattr(run, "train", lambda arguments: trained.append(arguments) or cli(arguments) or 0)
    return base, trained


def test_arms_are_trained_once_with_what_they_start_from_and_their_cost_is_told(small, tmp_path, capsys):
    base, trained = small
    options = [
        str(tmp_path / "runs"),
        "--base",
        str(base),
        "--updates",
        "2",
        "--seeds",
        "0",
        "--arms",
        "jitter-0.02",
        "modl",
    ]
    run.main(options)
    assert [run.Path(arguments[-1]).name for arguments in trained] == ["pretrain-0", "jitter-0.02-0", "modl-0"]
    assert json.loads((tmp_path / "runs/2/jitter-0.02-0/run.json").read_text())["updates"] == 3
    run.main(options)
    assert len(trained) == 3
    run.main([*options, "--updates", "4", "--cost"])
    assert len(trained) == 3
    lines = capsys.readouterr().out.splitlines()
    table = [line for line in lines if line.startswith("| jitter-0.02-0 | 3 |")]
    assert len(table) == 2 and lines[-1] == "| all | | | 0.00 | |"


def test_the_processor_time_of_all_parts_of_a_run_is_its_cost(tmp_path):
    (tmp_path / "modl-0").mkdir()
    document = {"timing": {"seconds": 99999.0}, "updates": 100, "validations": [{"psnr_db": 21.0}]}
    (tmp_path / "modl-0" / "run.json").write_text(json.dumps(document))
    (tmp_path / run.PROCESSOR).write_text("modl-0,3600.0\nsmug-1-0,50.0\nmodl-0,1800.0\n")
    assert list(run.costs(tmp_path))[1:] == ["| modl-0 | 100 | 54.00 | 1.50 | 21.00 |", "| all | | | 1.50 | |"]


def test_a_training_that_fails_ends_the_script_and_its_time_is_noted(tmp_path, capfd):
    with pytest.raises(SystemExit, match="2"):
        run.train_arm(tmp_path, "modl", 0, 5, run.Place(run.Path("nothing.toml")))
    assert run.processor_seconds(tmp_path)["modl-0"] > 0.1


# ---- scores ----


ARMS = ("modl", "smug-10", "rs-e2e", "weighted-smug-10")


@pytest.fixture
def scored(small, tmp_path, monkeypatch):
    """The folder of four runs of random networks, and six small people to score them on."""
    monkeypatch.setattr(score, "SLICES", 6)
    people = replace(smug.load_images("phantom", "test", 32, count=6), subjects=tuple("abcdef"))
    monkeypatch.setattr(score, "images", lambda regime: people)
    score.scan.cache_clear()
    for name in ARMS:
        config = configured(name, base=small[0])
        save_weights(tmp_path / "runs" / f"{name}-0" / "model.safetensors", build(config), config)
        (tmp_path / "runs" / f"{name}-0" / "run.json").write_text("{}")
    yield tmp_path / "runs", score.Regime(str(small[0]))
    score.scan.cache_clear()


@pytest.mark.parametrize("name", ARMS)
def test_the_loop_on_images_is_the_reconstructor(scored, name):
    runs, regime = scored
    core, scan = score.models(runs)[f"{name}-0"].reconstructor, score.scan(regime)
    aliased, seeds = scan.A.H(scan.y), torch.arange(6) * 1000
    image = image_attack.reconstruct(core, aliased, aliased, scan.A, seeds)
    torch.testing.assert_close(image, core(scan.y, scan.A, generator=seeds), atol=0.02, rtol=0.02)


def test_only_the_adaptive_attack_on_images_sees_what_the_solves_pass_on(scored):
    _, regime = scored
    f, scan = smug.MoDL(lambda x: 0 * x, steps=2), score.scan(regime)
    deltas = [image_attack.attack(f, scan, 0.02, adaptive=adaptive) for adaptive in (False, True)]
    parts = [torch.view_as_real(delta).abs() / scan.truth.abs().amax((1, 2))[:, None, None, None] for delta in deltas]
    assert all(part.max() <= 0.02 * 1.0001 for part in parts)
    assert (parts[0] < 0.0199).float().mean() > 0.1  # where it began
    assert (parts[1] > 0.0199).float().mean() > 0.95
    perturbed = [scan.A.H(scan.y) + delta for delta in (0, *deltas)]
    images = [image_attack.reconstruct(f, a, a, scan.A, torch.arange(6)) for a in perturbed]
    errors = [(image - scan.truth).norm() for image in images]
    assert errors[0] < errors[1] < errors[2]


def test_the_blind_attack_knows_no_smoothing_noise(scored):
    runs, regime = scored
    f = score.models(runs)["smug-10-0"].reconstructor.replace(sigma=0.5)
    blind, other = (image_attack.attack(g, score.scan(regime), 0.02, adaptive=False) for g in (f, f.replace(sigma=1.0)))
    assert torch.equal(blind, other)
    adaptive = [image_attack.attack(g, score.scan(regime), 0.02, adaptive=True) for g in (f, f.replace(sigma=1.0))]
    assert not torch.equal(*adaptive)


def test_a_slice_is_drawn_of_every_arm(scored, tmp_path, monkeypatch):
    runs, regime = scored
    monkeypatch.setattr(look, "Regime", lambda: regime)
    figures, close = [], look.plt.close
    monkeypatch.setattr(look.plt, "close", figures.append)
    look.main([str(runs), str(tmp_path / "look.png"), "identity", "modl"])
    close(figures[0])
    titles = [axis.get_title().split()[0] for axis in figures[0].axes if axis.get_title()]
    assert titles[:3] == ["reference", "identity", "modl"]
    clean, attacked = ([float(axis.get_title().split()[-2]) for axis in figures[0].axes[i : i + 2]] for i in (1, 4))
    assert all(a < b for a, b in zip(attacked, clean, strict=True)) and (tmp_path / "look.png").stat().st_size > 1000


def test_arms_are_scored_once_unless_their_weights_change(scored, tmp_path, monkeypatch, capsys):
    runs, regime = scored
    for name, kept in (("FIRST", ["clean", "PGD 0.02"]), ("THEN", ["image, blind", "steps 4", "rate 2"])):
        monkeypatch.setattr(score, name, {key: getattr(score, name)[key] for key in kept})
    monkeypatch.setattr(score, "REFERENCES", ("cg-sense",))
    out = str(tmp_path / "out.json")
    score.main(str(runs), out, regime.base)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 28 and said[0].startswith("identity-0, clean") and "image" not in " ".join(said[:12])
    assert [line.split(": ")[0] for line in said if line.startswith("cg-sense")] == [
        f"cg-sense-0, {condition}" for condition in ("clean", "PGD 0.02", "rate 2")
    ]
    score.main(str(runs), out, regime.base)
    assert not capsys.readouterr().err
    other = replace(configured("modl", base=run.Path(regime.base)), seed=1)
    save_weights(runs / "modl-0" / "model.safetensors", build(other), other)
    score.main(str(runs), out, regime.base)
    assert len(capsys.readouterr().err.splitlines()) == 5
    gains = json.loads((tmp_path / "out.json").read_text())["arms"]["identity-0"]["scores"]["PGD 0.02"]["gain"]
    assert len(gains) == 6 and 0 < min(gains) < max(gains) < 2
    table.main(out)
    printed = capsys.readouterr().out
    assert "6 slices of 6 subjects" in printed and re.search(r"\| smug-10 \| 0 \| \d+\.\d\d \([+-]\d\.\d\d ±", printed)
    monkeypatch.setattr(score, "images", lambda regime: smug.load_images("phantom", "val", 32, count=6))
    with pytest.raises(SystemExit, match="expected scores of these slices"):
        score.main(str(runs), out, regime.base)


def made(**arms):
    """A document of arms ``(clean, attacked)``, a difference of 0.1 dB between its six subjects."""
    around = np.linspace(-0.25, 0.25, 6)
    runs = {}
    for name, (clean, hit) in arms.items():
        scores = {"clean": {"psnr": [*(clean + around)]}, "PGD 0.02": {"psnr": [*(hit + around)]}}
        runs[f"{name.replace('_', '-')}-0"] = {"scores": scores}
    return table.Found({"subjects": list("abcdef"), "arms": runs})


def test_the_front_is_what_rivals_reach_at_the_same_clean_quality_and_never_beyond():
    found = made(modl=(30, 20), jitter_1=(29, 24), jitter_2=(28.5, 21), smug=(29.5, 23), weak=(28, 22), best=(31, 30))
    assert found.front("smug", "PGD 0.02").mean() == pytest.approx(22)  # halfway from MoDL to jitter
    assert found.front("weak", "PGD 0.02").mean() == pytest.approx(24)  # jitter is cleaner and more robust
    assert found.front("best", "PGD 0.02") is None
    assert table.over_front(found, "smug", "PGD 0.02") == "+1.00 ±0.00"
    assert table.over_front(found, "best", "PGD 0.02") == "beyond"
    assert table.cell(found, "smug", "PGD 0.02") == "23.00 (+3.00 ±0.00)"
    assert table.cell(found, "modl", "PGD 0.02") == "20.00"


def test_differences_are_to_the_best_modl_and_intervals_are_of_subjects():
    found = made(modl=(30, 20), modl_pre=(29, 21), smug=(29, 22))
    assert (found.best("clean"), found.best("PGD 0.02")) == ("modl", "modl-pre")
    assert table.cell(found, "smug", "PGD 0.02").startswith("22.00 (+1.00")
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    low, high = stats.t.interval(0.95, 5, values.mean(), stats.sem(values))
    assert found.half_width(values) == pytest.approx((high - low) / 2)


def test_several_lengths_are_columns_of_one_table():
    short, long = made(modl=(30, 20), smug=(29, 20)), made(modl=(31, 20), smug=(31, 22), jitter=(30, 21))
    head, *lines = table.curve({"100": short, "300": long})
    assert head.startswith("| arm | | 100 | 300 |")
    assert "| smug | PGD 0.02 | 20.00 (+0.00 ±0.00) | 22.00 (+2.00 ±0.00) |" in lines
    assert "| jitter | clean |  | 30.00 (-1.00 ±0.00) |" in lines


def test_how_a_difference_grows_is_of_the_seeds_that_all_lengths_have():
    short, long = made(smug_1=(29, 20), modl_random=(28, 17)), made(smug_1=(30, 21), modl_random=(31, 21.5))
    long.seeds["smug-1"].append("1")
    long.runs["smug-1-1"] = {"clean": {"psnr": [0.0] * 6}}
    title, head, *lines = table.growth({"100": short, "300": long})
    assert title == "modl-random; smug-1 minus modl-random, seeds 0\n" and head.startswith("| condition | 100 | 300 |")
    assert lines[:2] == [
        "| clean | 28.00; +1.00 ±0.00 | 31.00; -1.00 ±0.00 |",
        "| PGD 0.02 | 17.00; +3.00 ±0.00 | 21.50; -0.50 ±0.00 |",
    ]
    assert lines[-1] == "| steps 16 |  |  |"


def test_what_a_difference_is_worth_is_that_of_its_two_arms():
    subjects, (arm, other) = list("abcdef"), next(iter(table.PAIRS.values()))
    psnr = {arm: [21.0, 22, 23, 24, 25, 26], other: [20.0, 20, 20, 20, 20, 20]}
    arms = {f"{name}-0": {"scores": {"clean": {"psnr": values}}} for name, values in psnr.items()}
    lines = list(table.shares(table.Found({"subjects": subjects, "arms": arms})))
    half = stats.t.ppf(0.975, 5) * np.std([1, 2, 3, 4, 5, 6], ddof=1) / 6**0.5
    first = next(line for line in lines if line.startswith(f"| {next(iter(table.PAIRS))} |"))
    assert [cell.strip() for cell in first.split("|")[2:4]] == ["0", f"+3.50 ±{half:.2f}"]
    more = {"scores": {"clean": {"psnr": [9.0] * 6}}}  # of a seed that the other arm lacks
    again = list(table.shares(table.Found({"subjects": subjects, "arms": {**arms, f"{arm}-1": more}})))
    assert again == lines
    assert {name for pair in table.PAIRS.values() for name in pair} <= set(run.ARMS)


def test_every_arm_has_its_place_in_the_picture(tmp_path, monkeypatch):
    kinds = {name: front.family(name) for name in ("identity", *run.ARMS)}
    assert {name for name, kind in kinds.items() if kind == "SMUG"} == {name for name in run.ARMS if "smug" in name}
    assert kinds["modl-random"] == kinds["jitter-0.02"] == kinds["modl-pre-longer"] == "MoDL, jitter, adversarial"
    assert kinds["identity"] == kinds["rs-e2e"] == kinds["modl-convex-ridge"] == "other"
    scored = {name: {c: {"psnr": [20.0 + i] * 6} for c in ("clean", *front.CONDITIONS)} for i, name in enumerate(kinds)}
    del scored["rs-e2e"]["PGD 0.02"]  # not scored yet
    document = {"subjects": list("abcdef"), "arms": {f"{name}-0": {"scores": each} for name, each in scored.items()}}
    (tmp_path / "scores.json").write_text(json.dumps(document))
    figures, close = [], front.plt.close
    monkeypatch.setattr(front.plt, "close", figures.append)
    front.main(str(tmp_path / "scores.json"), str(tmp_path / "front.png"))
    close(figures[0])
    drawn = [{text.get_text() for text in axis.texts} for axis in figures[0].axes]
    assert drawn == [set(kinds) - {"rs-e2e"}, set(kinds)]
    assert front.front([(1, 3), (2, 2), (1, 2), (3, 0)]) == [(1, 3), (2, 2), (3, 0)]
    assert (tmp_path / "front.png").read_bytes().startswith(b"\x89PNG")
