import io
import math
from dataclasses import replace

import pytest
from rich.console import Console

from smug.evaluation.row import Row
from smug.evaluation.statistics import SeedSpread
from smug.evaluation.summary import summarise
from smug.reports.tables import attack_table, flagged, headline, markdown, seed_table, significant, table
from smug.system.table import Cell


def row(model="a", condition="clean", slice="one", psnr=30.0, relative_l2=0.0, **more) -> Row:
    return Row(model, condition, slice, psnr, 0.9, 0.01, psnr - 1, relative_l2, **more)


@pytest.fixture
def rows():
    """Three methods, six subjects: b is better than a everywhere, c now and then."""
    d = {
        "psnr_head": 25.5,
        "ssim_head": 0.8,
        "range_fraction": 0.9,
        "gain": 1.4,
        "identity_psnr": 23.5,
        "identity_gain": 0.8,
        "spurious": 0.3,
    }
    made = []
    for person in range(6):
        for i in range(2):
            where = {"slice": f"{person} {i}", "subject": f"person {person}"}
            for model, better in (("modl", 0.0), ("weighted-smug", 1.0 + 0.01 * person), ("c", (-1) ** person)):
                level, calls = 30 + person + better, {"denoiser_calls": 50.0 if model == "weighted-smug" else math.nan}
                made.append(row(model, psnr=level, **where, **calls))
                attack = {"attack": "square" if i else "apgd", "optimism": 0.02, "psnr_sd": 0.013}
                flags = {"flags": ("masked-gradient",)} if (model, person) == ("c", 0) else {}
                made.append(
                    row(model, "APGD 1%", psnr=level - 3, relative_l2=0.01, **where, **calls, **d, **attack, **flags)
                )
    return made


def shown(made, width=120) -> str:
    console = Console(width=width, file=io.StringIO())
    with console.capture() as capture:
        console.print(made)
    return capture.get()


def heads(made) -> list[str]:
    return [column.head.replace("\n", " ") for column in made.columns]


def text(cell) -> str:
    return cell.text if isinstance(cell, Cell) else cell


def lines(made, condition) -> list[dict[str, str]]:
    """The rows of a condition, by the heads of the columns."""
    (group,) = (group for group in made.groups if group.name == condition)
    return [dict(zip(heads(made), map(text, cells), strict=True)) for cells in group.rows]


def test_headline(rows):
    made = headline(summarise(rows), {"clean": "as they are"})
    assert heads(made)[:3] == ["model", "PSNR (dB)", "SSIM"]
    assert [(group.name, group.about) for group in made.groups] == [("clean", "as they are"), ("APGD 1%", "")]
    line = lines(made, "APGD 1%")[1]
    assert line["model"] == "weighted-smug"
    assert line["PSNR (dB)"].startswith("30.53 ±")  # 30 + 2.5 + 1.025 - 3
    assert (line["head PSNR (dB)"], line["head SSIM"]) == ("25.50", "0.800")
    assert line["physics only (dB)"] == "23.50"
    assert line["minus modl [95 %] (dB)"].startswith("*+1.02 [+1.0")
    assert line["relative l2"] == "1.0 %"
    assert line["calls"] == "50"
    reference = lines(made, "clean")[0]
    assert [reference[name] for name in ("minus modl [95 %] (dB)", "physics only (dB)", "calls")] == ["—", "—", "—"]


def test_the_best_is_strong_where_there_are_several(rows):
    made = headline(summarise(rows))
    strong = [(group.name, text(cells[0])) for group in made.groups for cells in group.rows if cells[1].strong]
    assert strong == [("clean", "weighted-smug"), ("APGD 1%", "weighted-smug")]
    assert "highest mean PSNR" in " ".join(made.notes)
    alone = headline(summarise([row()]))
    assert not alone.groups[0].rows[0][1].strong
    assert "highest" not in " ".join(alone.notes)


def test_fewer_than_five_subjects_have_no_interval_anywhere(rows):
    few = summarise([r for r in rows if r.subject in ("person 0", "person 1")])
    assert "minus modl (dB)" in heads(headline(few))
    both = table(few, kspace="measured", subjects={"a": "1", "b": "2"})
    for made in (str(both), both.markdown(), both.html()):
        assert "n = 2: no interval" in made
        assert "[" not in made
        assert "95 %" not in made


def test_only_what_survives_holms_correction_is_marked(rows):
    summaries = summarise(rows)
    assert significant(summaries) == {("weighted-smug", "clean"), ("weighted-smug", "APGD 1%")}
    assert any("Holm's correction for 4 comparisons" in note for note in headline(summaries).notes)
    one = summarise([replace(r, subject="person") for r in rows])
    assert significant(one) == set()
    assert not any("Holm" in note for note in headline(one).notes)


def test_flags_are_marked_and_explained(rows):
    summaries = summarise(rows)
    assert flagged(summaries) == ["c under APGD 1%: masked-gradient (2 of 12 slices)"]
    for made in (headline(summaries), attack_table(summaries)):
        assert lines(made, "APGD 1%")[2]["model"] == "c †"
        assert "† unreliable" in made.notes[-1]
        assert "masked-gradient (2 of 12 slices)" in made.notes[-1]
    assert lines(headline(summaries), "clean")[2]["model"] == "c"


def test_attack_table(rows):
    made = attack_table(summarise(rows))
    assert [group.name for group in made.groups] == ["APGD 1%"]  # clean measurements are not perturbed
    assert lines(made, "APGD 1%")[0] == {
        "model": "modl",
        "relative l2": "1.0 %",
        "in range": "0.90",
        "gain": "1.40",
        "physics gain": "0.80",
        "false feature": "0.30",
        "strongest attack": "apgd 6/12",
        "optimism (dB)": "0.02",
        "over draws (dB)": "0.013",
        "calls": "—",
    }
    assert not attack_table(summarise([row()])).groups


def test_columns_that_say_nothing_are_left_out_but_the_calls():
    assert heads(headline(summarise([row()]))) == ["model", "PSNR (dB)", "SSIM", "relative l2", "calls"]


@pytest.mark.parametrize("width", [120, 80])
def test_terminal_holds_every_number(rows, width):
    summaries = summarise(rows)
    text = shown(table(summaries, kspace="measured", title="A title"), width)
    assert max(map(len, text.splitlines())) <= width
    for summary in summaries:
        for number in (f"{summary.psnr.mean:.2f}", f"±{summary.psnr.sd:.2f}", f"{summary.ssim.mean:.3f}"):
            assert number in text
    for expected in (
        "A title",
        "calls",
        "1.0 %",
        "Magnitude-slice PSNR",
        "12 slices",
        "over subjects (6 here)",
    ):
        assert expected in " ".join(text.split())


def test_terminal_of_many_conditions_keeps_one_line_per_model(rows):
    many = [replace(r, condition=f"{r.condition} {n}") for n in range(10) for r in rows]
    printed = shown(table(summarise(many), kspace="measured"), 130).splitlines()
    told = [line for line in printed if line.startswith(" weighted-smug")]
    assert len(told) == 20
    assert all("[" in line and "±" in line and line.rstrip().endswith("50") for line in told)


def test_markup_in_names_is_text():
    assert "[red]a[/red]" in shown(table(summarise([row("[red]a[/red]")]), kspace="measured"))


def test_what_every_table_states():
    summaries = summarise([row(slice="one"), row(slice="two"), row("b", slice="one"), row("b", slice="two", psnr=31)])
    one = markdown(summaries, kspace="simulated", subjects={"one": "anna", "two": "anna"})
    assert "Magnitude-slice PSNR" in one
    assert "2 slices of 1 subject; SSIM" in one
    assert "data crime" in one
    assert "Calls: how often the denoiser runs" in one
    two = markdown(summaries, kspace="measured", subjects={"anna", "ben"})
    assert "2 slices of 2 subjects" in two
    assert "data crime" not in two
    assert "Head:" not in two
    assert "mean ± SD over 1 slice;" in markdown(summarise([row()]), kspace="measured")


def test_markdown():
    rows = [
        row("a|b", psnr=30),
        row("a|b", slice="two", psnr=32),
        row("c", psnr=31.5),
        row("c", "noise", relative_l2=0.05, denoiser_calls=5.0),
    ]
    printed = markdown(summarise(rows), kspace="measured").splitlines()
    assert printed[:5] == [
        "| condition | model | PSNR (dB) | SSIM | minus a\\|b (dB) | relative l2 | calls |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
        "| clean | a\\|b | 31.00 ±1.41 | 0.900 | — | 0 % | — |",
        "|  | c | **31.50** | 0.900 | +1.50 | 0 % | — |",
        "| noise | c | 30.00 | 0.900 | — | 5.0 % | 5 |",
    ]
    assert printed[6].startswith("Magnitude-slice PSNR in dB, mean ± SD over 1 to 2 slices")


def test_markdown_of_attacks_comes_second(rows):
    text = markdown(summarise(rows), kspace="measured")
    assert text.index("| physics only (dB) |") < text.index("| strongest attack |")
    assert "\\*+1.0" in text  # no emphasis


def test_nan_and_inf_are_told():
    summaries = summarise([row(psnr=math.inf), row("b", psnr=math.nan), row("c", relative_l2=math.nan)])
    text = markdown(summaries, kspace="measured")
    assert "| clean | a | inf | 0.900 | 0 % | — |" in text
    assert "|  | b | — | 0.900 | 0 % | — |" in text
    assert "|  | c | **30.00** | 0.900 | — | — |" in text


def test_seeds():
    made = seed_table([SeedSpread("smug", "clean", 30.123, 0.05, 3)])
    assert "| clean | smug | 30.12 ±0.05 | 3 |" in made.markdown()
    assert "30.12 ±0.05" in shown(made)


def test_zero_has_no_minus():
    made = headline(summarise([row("a", psnr=30.001), row("b", psnr=30.0)]))
    assert lines(made, "clean")[1]["minus a (dB)"] == "+0.00"


def test_no_rows():
    assert "0 slices" in markdown([], kspace="measured")
    assert "calls" in shown(table([], kspace="measured"))
