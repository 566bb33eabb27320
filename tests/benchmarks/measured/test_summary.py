from statistics import median

import pytest

from benchmarks.measured.cases import Scores
from benchmarks.measured.oracle import Best
from benchmarks.measured.rows import Row
from benchmarks.measured.summary import by_condition, summaries, table

PSNR = {
    "brain_t1_4ch": {"best tv": [30, 32, 34, 40], "a": [31, 32, 36, 45]},
    "other": {"best tv": [20, 20, 20, 20], "a": [19, 21, 18, 20]},
}


def rows(files=("brain_t1_4ch", "other")):
    made = []
    for file in files:
        for model, values in PSNR[file].items():
            for i, psnr in enumerate(values):
                best = Best(0.01, psnr, at_limit=i == 0, change=-0.013) if model == "best tv" else None
                found = Scores(float(psnr), psnr / 100, psnr - 1.0, 0.1 if best else 0.3, 2.0)
                made.append(Row(file, 3.0 + i // 2, ("random", "equispaced")[i % 2], 0, model, found, best))
    return made


def test_means_medians_and_worst_of_a_file():
    tv, a = summaries(rows())["brain_t1_4ch"]
    assert (a.model, a.cases, a.psnr, a.psnr_median, a.psnr_worst) == ("a", 4, 36, 34, 31)
    assert (a.over, a.over_median, a.over_worst) == (2, 1.5, 0)
    assert (a.ssim, a.psnr_rss, a.ghost, a.seconds) == pytest.approx((0.36, 35, 0.3, 2))
    assert (a.ssim_over, a.ghost_over) == pytest.approx((0.02, 0.2))
    assert (tv.over, tv.over_worst, tv.ghost_over) == (0, 0, 0)


def test_over_files_it_is_the_mean_of_means():
    few = [row for row in rows() if row.file == "other" or (row.acceleration, row.kind) == (4, "equispaced")]
    found = summaries(few)
    a = found[""][1]
    assert list(found) == ["brain_t1_4ch", "other", ""]
    assert a.psnr == (45 + 19.5) / 2 and a.psnr_median == median([45, 19, 21, 18, 20]) and a.psnr_worst == 18
    assert a.over == (5 - 0.5) / 2 and a.over_worst == -2 and a.cases == 5
    assert "" not in summaries(rows(["other"]))


def test_every_case_needs_its_reference():
    without = [row for row in rows() if row.model != "best tv" or row.acceleration == 3]
    with pytest.raises(ValueError, match="expected best tv on every case"):
        summaries(without)


def test_the_table_says_what_is_what():
    shown = str(table(rows(), ["brain_8ch is left out: no reference"]))
    assert max(map(len, shown.splitlines())) <= 120
    assert "brain_t1_4ch, validation, 4 cases" in shown and "other, 4 cases" in shown and "all files, 8 cases" in shown
    (line,) = [line.split() for line in shown.splitlines() if line.startswith(" a ")][:1]
    assert line == ["a", "36.00", "34.00", "31.00", "+2.00", "+1.50", "+0.00", "0.360", "35.00", "0.300", "2"]
    words = " ".join(shown.split())
    assert "at most 0.013 dB" in words and "2 of 8 best lam" in words and "brain_8ch is left out" in words
    found = table(rows()).groups[0].rows
    assert [row[1].strong for row in found] == [False, True]


def test_conditions_side_by_side():
    found = by_condition(rows())
    assert [column.head.split("\n")[0] for column in found.columns] == [
        "model",
        "3x random",
        "3x equispaced",
        "4x random",
        "4x equispaced",
    ]
    assert found.groups[0].rows[1] == ["a", "+0.00, +0.200", "+0.50, +0.200", "+0.00, +0.200", "+2.50, +0.200"]
