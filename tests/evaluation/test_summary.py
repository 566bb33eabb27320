import io
import json
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from smug.evaluation.conditions import PROTOCOLS
from smug.evaluation.protocol import Row
from smug.evaluation.summary import markdown, per_cent, plainly, summarise, table, to_json
from smug.files import write_json

DATA = {"source": "phantom", "split": "test", "sha256": "0" * 16, "kspace": "simulated"}


def row(model="a", condition="clean", slice="one", psnr=30.0, relative_l2=0.0) -> Row:
    return Row(model, condition, slice, psnr, 0.9, 0.01, psnr - 1, relative_l2)


def document(rows, **changes):
    fixed = {"configuration": {"steps": 8}, "seeds": [0], "data": DATA}
    return to_json(rows, PROTOCOLS["demo"], **(fixed | changes))


def shown(*args, width=100, **options) -> str:
    console = Console(width=width, file=io.StringIO())
    with console.capture() as capture:
        console.print(table(*args, **options))
    return capture.get()


@given(st.lists(st.floats(0, 60), min_size=2, max_size=20))
def test_mean_and_sd_are_numpys(values):
    (summary,) = summarise([row(slice=str(i), psnr=value) for i, value in enumerate(values)])
    assert summary.n == len(values)
    assert summary.psnr.mean == pytest.approx(np.mean(values))
    assert summary.psnr.sd == pytest.approx(np.std(values, ddof=1), abs=1e-6)
    assert summary.psnr_complex.mean == pytest.approx(np.mean(values) - 1)


def test_every_metric_is_summarised(outcomes):
    rows = [outcome.row for outcome in outcomes()]
    summaries = summarise(rows)
    assert [(s.model, s.condition) for s in summaries] == [
        (m, c) for m in ("cg", "modl") for c in ("clean", "PGD 0.05")
    ]
    for summary in summaries:
        own = [r for r in rows if (r.model, r.condition) == (summary.model, summary.condition)]
        for metric in ("psnr", "ssim", "nmse", "psnr_complex"):
            values = np.array([getattr(r, metric) for r in own])
            spread = getattr(summary, metric)
            assert (spread.mean, spread.sd) == pytest.approx((values.mean(), values.std(ddof=1)))
        assert summary.relative_l2 == pytest.approx(np.mean([r.relative_l2 for r in own]))


def test_difference_to_the_reference():
    rows = [row("a", psnr=30), row("b", psnr=33), row("b", "noise", psnr=20)]
    assert [s.psnr_difference for s in summarise(rows)][:2] == [0, 3]
    assert [s.psnr_difference for s in summarise(rows, "b")] == [-3, 0, 0]
    assert math.isnan(summarise(rows)[2].psnr_difference)  # a was not tested under noise
    with pytest.raises(ValueError, match="got reference 'c', expected one of the models a, b"):
        summarise(rows, "c")


def test_no_rows():
    assert summarise([]) == []
    with pytest.raises(ValueError, match="none"):
        summarise([], "a")


def test_one_slice_has_no_sd():
    (summary,) = summarise([row()])
    assert math.isnan(summary.psnr.sd)
    assert "30.00 " in shown([summary], kspace="measured")
    assert "±nan" not in markdown([summary], kspace="measured")


def test_infinite_psnr_is_no_warning():
    (summary,) = summarise([row(psnr=math.inf), row(slice="two")])
    assert summary.psnr.mean == math.inf
    assert "inf / 0.900" in markdown([summary], kspace="measured")


@pytest.mark.parametrize("width", [80, 140])
def test_table_holds_every_number(outcomes, width):
    summaries = summarise([outcome.row for outcome in outcomes(models=("cg-sense", "weighted-smug"))])
    text = shown(summaries, kspace="measured", title="A title", notes="A note.", width=width)
    for summary in summaries:
        line = next(line for line in text.splitlines() if summary.model in line)
        assert f"{summary.psnr.mean:.2f}" in line
        assert f"±{summary.psnr.sd:.2f}" in line
        assert f"{summary.ssim.mean:.3f}" in line
    for expected in ("A title", "A note.", "relative l2", "5.0 %", "Magnitude-slice PSNR", "2 slices"):
        assert expected in " ".join(text.split())


def test_markup_in_names_is_text():
    assert "[red]a[/red]" in shown(summarise([row("[red]a[/red]")]), kspace="measured")


def test_what_every_table_states():
    summaries = summarise([row(slice="one"), row(slice="two")])
    one = markdown(summaries, kspace="simulated", subjects={"one": "anna", "two": "anna"})
    assert "Magnitude-slice PSNR" in one
    assert "within one subject" in one
    assert "data crime" in one
    two = markdown(summaries, kspace="measured", subjects={"anna", "ben"})
    assert "2 slices of 2 subjects" in two
    assert "data crime" not in two
    assert "subject" not in markdown(summaries, kspace="measured")


def test_markdown():
    rows = [
        row("a|b", psnr=30),
        row("a|b", slice="two", psnr=32),
        row("c", psnr=31),
        row("c", "noise", relative_l2=0.05),
    ]
    lines = markdown(summarise(rows), kspace="measured").splitlines()
    assert lines[:5] == [
        "| model | clean | noise |",
        "| --- | ---: | ---: |",
        "| a\\|b | 31.00 ±1.41 / 0.900 | — / — |",
        "| c | 31.00 / 0.900 | 30.00 / 0.900 |",
        "| *relative l2* | 0 % | 5.0 % |",
    ]
    assert lines[-1].startswith("PSNR (dB) / SSIM. Magnitude-slice PSNR in dB, mean ± SD over 1 to 2 slices")


def test_sizes_in_per_cent():
    assert per_cent([0, 0]) == "0 %"
    assert per_cent([0.0025]) == "0.25 %"
    assert per_cent([0.19, 0.05]) == "5.0 to 19.0 %"


def test_json_round_trip(outcomes, tmp_path):
    rows = [outcome.row for outcome in outcomes()]
    path = tmp_path / "out.json"
    write_json(path, document(rows, subjects={"one": "anna", "two": "ben"}, command="smug evaluate"))
    read = json.loads(path.read_text(encoding="utf-8"))
    assert read["schema"] == "smug-evaluation-1"
    assert read["kspace"] == "simulated"
    assert read["subjects"] == ["anna", "ben"]
    assert read["seeds"] == [0]
    assert [c["name"] for c in read["conditions"]] == [c.name for c in PROTOCOLS["demo"]]
    assert [Row(**values) for values in read["rows"]] == rows
    assert [s["psnr"]["mean"] for s in read["summaries"]] == [s.psnr.mean for s in summarise(rows)]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_json_has_null_for_what_is_not_finite(value):
    made = document([replace(row(), psnr=value)], configuration={"bad": [value]})
    text = json.dumps(made, allow_nan=False)
    assert json.loads(text)["rows"][0]["psnr"] is None
    assert json.loads(text)["configuration"]["bad"] == [None]


def test_json_of_paths_and_tuples(tmp_path):
    assert plainly({"path": tmp_path, 1: (1, True, None, "x")}) == {"path": str(tmp_path), "1": [1, True, None, "x"]}


def test_data_must_be_described():
    with pytest.raises(ValueError, match="got data described by source, expected sha256, kspace too"):
        document([row()], data={"source": "x"})
    with pytest.raises(ValueError, match="got kspace 'guessed', expected one of measured, simulated"):
        document([row()], data=DATA | {"kspace": "guessed"})


def test_imports_stay_light():
    code = """
import sys, smug.evaluation.summary, smug.evaluation.figure, smug.evaluation.report
print([name for name in ("matplotlib", "rich", "jinja2") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
