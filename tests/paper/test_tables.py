from dataclasses import replace

import pytest

from smug.evaluation.row import Row
from smug.evaluation.summary import summarise
from smug.paper import table_text, tables
from smug.paper.cells import CLASSICAL, Found
from smug.paper.table_text import printed
from smug.paper.tables import TABLE1, TABLE2, Matched, columns


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


def lines(text):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def test_the_papers_numbers_stand_below_ours():
    text = table_text.quality(summaries(), paper, lambda s: (s.psnr.mean, s.psnr.sd), lambda p: (p.psnr, p.psnr_sd), 2)
    head, _, *body = lines(text)
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
    _, _, *body = lines(table_text.differences(summaries()))
    assert [row[0] for row in body] == ["SMUG", "total variation"]
    assert body[0][1].startswith("+0.50 [+0.50, +0.50]")


def test_the_identity_reference_is_for_methods_with_a_denoiser():
    _, _, *body = lines(table_text.physics(summaries()))
    assert [row[0] for row in body] == ["MoDL", "SMUG"]


def test_zero_has_no_sign_of_its_own():
    same = [
        replace(s, difference=replace(s.difference, mean=-1e-9, low=-1e-9, high=1e-9))
        for s in summaries()
        if s.difference
    ]
    assert "+0.00 [+0.00, +0.00]" in table_text.differences(same) and "-0.00" not in table_text.differences(same)


def test_what_training_seeds_are_worth():
    rows = [(seed, Row("", "clean", "one", 30.0 + 2 * seed, 0.9, 0.1, 30.0, 0.0)) for seed in (0, 1)]
    found = [Found("brain", 4.0, method, seed, row) for method in ("modl", "smug") for seed, row in rows]
    _, _, *body = lines(table_text.seeds(tables.seed_spreads(found)))
    assert body == [["MoDL", "1.41"], ["SMUG", "1.41"]]
    assert table_text.seeds(tables.seed_spreads(found[:1])) == ""


@pytest.mark.parametrize("level", [0.013, 0.02])
def test_columns_are_different_conditions_and_answer_to_the_papers(level):
    found = columns(level)
    names = [condition.name for condition in found.conditions]
    assert len(set(names)) == len(names) and set(found.printed) <= set(names)
    assert found.printed[f"noise {level:g}"] == "noise"
    assert sorted(found.printed.values()) == ["clean", "noise", "pgd", "pgd"]


def test_table_2_says_what_stands_in(workshop, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "PAPERS", ("modl",))
    monkeypatch.setattr(tables, "OURS", ("zero-filled",))
    monkeypatch.setattr(tables, "matched_noise", lambda *_: Matched(0.03, 1.1, 1.15, 2))
    knee = replace(workshop.scale.knee, note="brain images stand in for the knee")
    result = TABLE2.write(replace(workshop, scale=replace(workshop.scale, knee=knee, slices=1)), tmp_path)
    text = (tmp_path / "table2.md").read_text()
    for rate in ("4x", "8x"):
        assert f"## knee, {rate}: brain images stand in for the knee" in text
    assert "noise 0.03" in text and "bisection" in text
    assert "smoke test, not a result" in text
    assert "data crime" in text and "Smoothed Unrolling" in text
    conditions = {(r["acceleration"], r["condition"]) for r in result.records}
    assert len(conditions) == 2 * 7
    assert len(result.records) == 2 * 7 * 2
    assert {r["method"] for r in result.records} & set(CLASSICAL) == {"zero-filled"}
    assert {path.name for path in tmp_path.iterdir()} == {f"table2.{kind}" for kind in ("md", "csv", "json")}


def test_table_1_is_of_the_brain_at_4x():
    assert (TABLE1.name, TABLE1.title) == ("table1", "Table I: brain, 4x")
