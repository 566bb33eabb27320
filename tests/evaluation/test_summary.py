import json
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smug.evaluation.protocols import PROTOCOLS
from smug.evaluation.row import Row
from smug.evaluation.summary import error_bar, error_bar_label, few, per_cent, summarise, to_json
from smug.system.documents import plainly
from smug.system.files import write_json

DATA = {"source": "phantom", "split": "test", "sha256": "0" * 16, "kspace": "simulated"}


def row(model="a", condition="clean", slice="one", psnr=30.0, relative_l2=0.0) -> Row:
    return Row(model, condition, slice, psnr, 0.9, 0.01, psnr - 1, relative_l2)


def document(rows, **changes):
    fixed = {"configuration": {"steps": 8}, "seeds": [0], "data": DATA}
    return to_json(rows, PROTOCOLS["demo"].conditions, **(fixed | changes))


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
        for metric in ("psnr", "ssim", "nmse", "psnr_complex", "psnr_head", "ssim_head"):
            values = np.array([getattr(r, metric) for r in own])
            spread = getattr(summary, metric)
            assert (spread.mean, spread.sd) == pytest.approx((values.mean(), values.std(ddof=1)))
        assert summary.relative_l2 == pytest.approx(np.mean([r.relative_l2 for r in own]))


def test_difference_to_the_reference():
    rows = [row("a", psnr=30), row("b", psnr=33), row("b", "noise", psnr=20)]
    assert [s.difference.mean for s in summarise(rows)[:2]] == [0, 3]
    assert [s.difference.mean for s in summarise(rows, "b")] == [-3, 0, 0]
    assert summarise(rows)[2].difference is None  # a was not tested under noise
    assert {s.reference for s in summarise(rows, "b")} == {"b"}
    with pytest.raises(ValueError, match="got reference 'c', expected one of the models a, b"):
        summarise(rows, "c")


def test_no_rows():
    assert summarise([]) == []
    with pytest.raises(ValueError, match="none"):
        summarise([], "a")


def test_one_slice_has_no_sd():
    (summary,) = summarise([row()])
    assert math.isnan(summary.psnr.sd)
    assert math.isnan(summary.psnr_interval.low)


def test_infinite_psnr_is_no_warning():
    (summary,) = summarise([row(psnr=math.inf), row(slice="two")])
    assert summary.psnr.mean == math.inf
    assert summary.psnr_interval.mean == math.inf


def test_attacks_and_flags_are_counted():
    changes = ({"attack": "apgd"}, {"attack": "square", "flags": ("masked-gradient",)}, {"attack": "apgd"}, {})
    (summary,) = summarise([replace(row(slice=str(i)), **change) for i, change in enumerate(changes)])
    assert summary.attacks == {"apgd": 2, "square": 1}
    assert summary.flags == {"masked-gradient": 1}
    assert summary.unreliable
    assert not summarise([row()])[0].unreliable


def test_means_of_what_has_no_spread():
    rows = [replace(row(slice=str(i)), gain=float(i), denoiser_calls=5.0) for i in range(3)]
    (summary,) = summarise(rows)
    assert (summary.gain, summary.denoiser_calls) == (1, 5)
    assert math.isnan(summary.identity_psnr)
    assert math.isnan(summarise([*rows, row(slice="diverged")])[0].gain)


def test_intervals_are_over_subjects():
    rows = [
        replace(row(model, slice=f"{who}{i}", psnr=30 + i + (model == "b")), subject=who)
        for model in "ab"
        for who in ("anna", "ben", "cleo", "dan", "eve")
        for i in range(3)
    ]
    a, b = summarise(rows)
    assert (b.difference.mean, b.difference.unit, b.difference.units) == (1, "subject", 5)
    assert a.psnr_interval.unit == "subject"


def test_error_bars_are_those_of_the_difference():
    rows = [row(m, slice=str(i), psnr=30.0 + 10 * i + (m == "b") * (1 + i % 2)) for m in "ab" for i in range(6)]
    a, b = summarise(rows)
    low, high = error_bar(b)
    assert (low, high) == pytest.approx((b.psnr.mean - 1.5 + b.difference.low, b.psnr.mean - 1.5 + b.difference.high))
    assert high - low < b.psnr_interval.high - b.psnr_interval.low
    assert all(map(math.isnan, error_bar(a)))
    assert error_bar(a, alone=True) == pytest.approx((a.psnr_interval.low, a.psnr_interval.high))
    assert error_bar_label([a]) == "95 % interval"
    assert "difference to a" in error_bar_label([a, b])
    assert few([a, b]) == ""
    two = summarise([r for r in rows if r.slice in "01"])
    assert error_bar_label(two) == ""
    assert few(two) == "n = 2: no interval"


def test_no_interval_is_null():
    rows = [replace(row(m, slice=str(i), psnr=30.0 + i), subject=str(i)) for m in "ab" for i in range(4)]
    for summary in document(rows)["summaries"]:
        for name in ("psnr_interval", "difference"):
            assert [summary[name][end] for end in ("low", "high", "p")] == [None] * 3
            assert summary[name]["units"] == 4


def test_sizes_in_per_cent():
    assert per_cent([0, 0]) == "0 %"
    assert per_cent([0.0025]) == "0.25 %"
    assert per_cent([0.19, 0.05, math.nan]) == "5.0 to 19.0 %"
    assert per_cent([math.nan]) == "—"


def test_json_round_trip(outcomes, tmp_path):
    rows = [outcome.row for outcome in outcomes()]
    path = tmp_path / "out.json"
    write_json(path, document(rows, subjects={"one": "anna", "two": "ben"}, command="smug evaluate"))
    read = json.loads(path.read_text(encoding="utf-8"))
    assert read["schema"] == "smug-evaluation-1"
    assert read["kspace"] == "simulated"
    assert read["subjects"] == ["anna", "ben"]
    assert read["seeds"] == [0]
    assert [c["name"] for c in read["conditions"]] == [c.name for c in PROTOCOLS["demo"].conditions]
    assert [Row.from_json(values) for values in read["rows"]] == rows
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
import sys, smug.reports.report, smug.reports.card
print([name for name in ("matplotlib", "rich", "jinja2") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
