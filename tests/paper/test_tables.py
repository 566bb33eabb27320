from dataclasses import replace

import pytest

from smug.evaluation.conditions import clean
from smug.evaluation.row import Row
from smug.evaluation.summary import summarise
from smug.paper import matched_noise, table_text, tables
from smug.paper.matched_noise import MatchedNoise
from smug.paper.measurement import Results
from smug.paper.printed import printed
from smug.paper.runs import CLASSICAL
from smug.paper.scores import Score, Scores
from smug.paper.tables import TABLE1, TABLE2, conditions, printed_columns


def summaries():
    rows = [
        Row(
            method,
            condition,
            f"slice-{n}",
            30.0 + n / 2 + gain,
            0.9,
            0.1,
            30.0,
            0.1,
            hfen=0.3,
            identity_psnr=25.0,
            subject=f"{n}",
        )
        for method, gain in (("modl", 0.0), ("smug", 0.5), ("tv", -2.0))
        for condition in ("clean", "PGD linf 0.02")
        for n in range(5)
    ]
    return summarise(rows, "modl")


def paper(method, condition):
    return printed("brain", 4, method, "clean") if condition == "clean" else None


def lines(table):
    text = table.markdown().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text if line.startswith("|")]


def test_the_papers_numbers_stand_below_ours():
    head, _, *body = lines(table_text.psnr_table(summaries(), paper))
    assert head == ["", "clean", "PGD linf 0.02"]
    assert body == [
        ["MoDL", "31.00 ±0.79", "31.00 ±0.79"],
        ["MoDL, paper", "32.70 ±2.87", "—"],
        ["SMUG", "+0.50 ±0.79", "+0.50 ±0.79"],
        ["SMUG, paper", "-0.05 ±3.01", "—"],
        ["total variation", "-2.00 ±0.79", "-2.00 ±0.79"],
    ]


def test_the_papers_own_table():
    head, _, *body = lines(table_text.printed_table("knee", 8))
    assert head == ["knee, 8x: PSNR (dB) / SSIM", "clean", "noise", "pgd"]
    assert [row[0] for row in body] == ["MoDL", "RS-E2E", "SMUG", "Weighted SMUG"]
    assert body[0][1] == "30.83 ±3.14 / 0.905 ±0.100" and body[3][3] == "+5.32 ±2.48 / +0.033 ±0.090"


def test_differences_have_intervals_and_the_reference_none():
    _, _, *body = lines(table_text.difference_table(summaries()))
    assert [row[0] for row in body] == ["SMUG", "total variation"]
    assert body[0][1].startswith("+0.50 [+0.50, +0.50]")


def test_the_identity_reference_is_for_methods_with_a_denoiser():
    _, _, *body = lines(table_text.physics_table(summaries()))
    assert [row[0] for row in body] == ["MoDL", "SMUG"]


def test_zero_has_no_sign_of_its_own():
    same = [
        replace(s, difference=replace(s.difference, mean=-1e-9, low=-1e-9, high=1e-9))
        for s in summaries()
        if s.difference
    ]
    text = table_text.difference_table(same).markdown()
    assert "+0.00 [+0.00, +0.00]" in text and "-0.00" not in text


def test_what_training_seeds_are_worth():
    rows = [(seed, Row("", "clean", "one", 30.0 + 2 * seed, 0.9, 0.1, 30.0, 0.0)) for seed in (0, 1)]
    found = [Score("brain", 4.0, method, seed, row) for method in ("modl", "smug") for seed, row in rows]
    _, _, *body = lines(table_text.seed_table(tables.seed_spreads(found)))
    assert body == [["MoDL", "1.41"], ["SMUG", "1.41"]]
    assert not tables.seed_spreads(found[:1])


@pytest.mark.parametrize("level", [0.013, 0.02])
def test_columns_are_different_conditions_and_answer_to_the_papers(level, monkeypatch, experiment):
    noise = MatchedNoise("knee", 4.0)
    found = matched_noise.NoiseLevel(level, 1.1, 1.15, 2)
    monkeypatch.setattr(tables, "EPSILONS", ())  # attacks take their time
    measured = Scores("knee", 4.0, ("zero-filled",), conditions(noise)[:-1])
    scores = measured.score(experiment, Results({noise: found}))
    names = dict.fromkeys(score.row.condition for score in scores)
    assert list(names) == list(dict.fromkeys(["clean", "noise 0.01", "noise 0.02", f"noise {level:g}"]))
    assert len(scores) == len(names) * experiment.scale.slices
    assert printed_columns(noise.level(Results({noise: found}))) == {"clean": "clean", f"noise {level:g}": "noise"}


def test_both_sizes_of_the_attack_answer_to_the_papers():
    printed_of = printed_columns(clean())
    assert sorted(printed_of.values()) == ["noise", "pgd", "pgd"]


def test_table_2_says_what_stands_in(experiment, make, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "PAPERS", ("modl",))
    monkeypatch.setattr(tables, "OURS", ("zero-filled",))
    monkeypatch.setattr(matched_noise, "TUNING_SLICES", 1)
    knee = replace(experiment.scale.knee, note="brain images stand in for the knee")
    few = replace(experiment, scale=replace(experiment.scale, knee=knee, slices=1))
    drawing = make.exhibit(TABLE2, few, tmp_path)
    text = (tmp_path / "table2.md").read_text()
    for rate in ("4x", "8x"):
        assert f"## knee, {rate}: brain images stand in for the knee" in text
    assert text.count("MoDL, paper") == 4 and "validation slices" in text
    assert "smoke test, not a result" in text
    assert "data crime" in text and "Smoothed Unrolling" in text
    conditions = {(r["acceleration"], r["condition"]) for r in drawing.records}
    assert len(conditions) == 2 * 7
    assert len(drawing.records) == 2 * 7 * 2
    assert {r["method"] for r in drawing.records} & set(CLASSICAL) == {"zero-filled"}
    assert {path.name for path in tmp_path.iterdir()} == {f"table2.{kind}" for kind in ("md", "csv", "json")}


def test_table_1_is_of_the_brain_at_4x():
    assert (TABLE1.name, TABLE1.title) == ("table1", "Table I: brain, 4x")
