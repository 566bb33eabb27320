import math
from dataclasses import replace

import numpy as np
import pytest

from smug.evaluation.row import Row
from smug.evaluation.summary import summarise
from smug.reports.curves import curve_figure, families
from smug.reports.palette import OTHERS, OWN, styles

pytest.importorskip("matplotlib")


def row(model, condition, psnr, relative_l2=0.0, slice="1", **more) -> Row:
    return Row(model, condition, slice, psnr, 0.9, 0.01, psnr, relative_l2, **more)


def made(models=("modl", "smug")) -> list[Row]:
    rows = []
    for m, model in enumerate(models):
        for i in range(5):
            where = {"slice": str(i), "subject": str(i)}
            level = 30 + i + 0.1 * m * (1 + i % 2)
            rows.append(row(model, "clean", level, **where))
            for size in (0.01, 0.05, 0.02):
                rows.append(row(model, f"APGD l2 {size:g}", level - 100 * size, 1.1 * size, attack="apgd", **where))
                rows.append(row(model, f"noise {100 * size:g}%", level - 20 * size, size, **where))
            rows += [row(model, f"acceleration {rate}", level - rate / 2, math.nan, **where) for rate in (8, 4)]
            name = "steps {}, APGD l2 0.01"
            rows += [row(model, name.format(n), level - 1, 0.011, attack="apgd", **where) for n in (4, 16)]
            rows.append(row(model, "mask-kind random", level, math.nan, **where))
    return rows


def drawn(figure) -> dict[str, np.ndarray]:
    return {line.get_label(): np.array(line.get_data()) for line in figure.axes[0].lines if len(line.get_xdata())}


def legend(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_families():
    found = {family.name: family for family in families(summarise(made()))}
    assert list(found) == ["APGD l2", "noise", "acceleration", "steps, APGD l2 0.01"]
    attack = found["APGD l2"]
    assert list(attack.severities) == ["clean", "APGD l2 0.01", "APGD l2 0.02", "APGD l2 0.05"]
    assert list(attack.severities.values()) == pytest.approx([0, 1.1, 2.2, 5.5])
    assert attack.axis.endswith("(%)")
    assert found["acceleration"].severities == {"acceleration 4": 4, "acceleration 8": 8}
    assert found["acceleration"].axis == "acceleration (x)"
    assert list(found["steps, APGD l2 0.01"].severities.values()) == [4, 16]  # the norm is the same


def test_no_families():
    assert families(summarise([row("a", "clean", 30), row("a", "PGD 0.05", 20, 0.05, attack="PGD")])) == []
    assert families([]) == []


def test_curves_are_the_means():
    summaries = summarise(made())
    attack = families(summaries)[0]
    figure = curve_figure(attack, summaries)
    lines = drawn(figure)
    np.testing.assert_allclose(lines["modl"], [[0, 1.1, 2.2, 5.5], [32, 31, 30, 27]])
    np.testing.assert_allclose(lines["smug"][1], np.array([32, 31, 30, 27]) + 0.14)
    assert {"modl", "smug", "Gaussian noise, same norm"} <= set(legend(figure))
    assert "difference to modl" in " ".join(legend(figure))
    axis = figure.axes[0]
    assert "(dB)" in axis.get_ylabel()
    assert "(%)" in axis.get_xlabel()


def test_noise_of_the_same_norm_is_beside_attacks_only():
    summaries = summarise(made())
    attack, noise, *_ = families(summaries)
    dotted = [line for line in curve_figure(attack, summaries).axes[0].lines if line.get_linestyle() == ":"]
    np.testing.assert_allclose(dotted[0].get_data(), [[0, 1, 2, 5], [32, 31.8, 31.6, 31]])
    assert "Gaussian noise, same norm" not in legend(curve_figure(noise, summaries))


def test_band_is_the_interval():
    rows = made(("modl",))
    summaries = summarise(rows)
    figure = curve_figure(families(summaries)[0], summaries)
    band = figure.axes[0].collections[0].get_paths()[0].vertices
    clean = summaries[0].psnr_interval
    assert band[:, 1].max() == pytest.approx(clean.high)
    assert "95 % interval" in legend(figure)


def test_few_subjects_have_no_interval_and_the_axis_follows_the_means():
    summaries = summarise([r for r in made() if r.slice in "01"])
    figure = curve_figure(families(summaries)[0], summaries)
    assert "n = 2: no interval" in legend(figure)
    assert not any("95 %" in text for text in legend(figure))
    low, high = figure.axes[0].get_ylim()
    assert 24.5 < low < 25.5  # the lowest mean is 25.5, that of modl under the strongest attack
    assert 30.5 < high < 31.5


def test_a_wide_interval_does_not_press_the_points_together():
    wild = [replace(r, psnr=r.psnr + 100 * int(r.slice) * (r.model == "smug")) for r in made()]
    wild = [replace(r, psnr=r.psnr - 200 * (r.model == "smug")) for r in wild]  # smug's mean stays where it was
    summaries = summarise(wild)
    means = [s.psnr.mean for s in summaries if s.condition in families(summaries)[0].severities]
    low, high = curve_figure(families(summaries)[0], summaries).axes[0].get_ylim()
    assert high - low < 3.3 * (max(means) - min(means))


def test_nan_and_missing_cells():
    rows = [replace(r, psnr=math.nan) if (r.model, r.condition) == ("smug", "APGD l2 0.05") else r for r in made()]
    rows = [r for r in rows if (r.model, r.condition) != ("modl", "acceleration 4")]
    summaries = summarise(rows)
    attack, _, acceleration, _ = families(summaries)
    assert drawn(curve_figure(attack, summaries))["smug"].shape == (2, 3)
    assert drawn(curve_figure(acceleration, summaries))["modl"].shape == (2, 1)


def test_names_are_no_mathematics():
    rows = [replace(r, model="_$x" if r.model == "modl" else r.model) for r in made()]
    summaries = summarise(rows)
    figure = curve_figure(families(summaries)[0], summaries, title="$title")
    figure.canvas.draw()
    assert any("_$x" in text for text in legend(figure))


def test_methods_look_the_same_everywhere():
    assert styles(["smug", "mine"])["smug"] == styles(["yours", "modl", "smug"])["smug"] == OWN["smug"]
    many = [f"m{i}" for i in range(len(OTHERS))]
    looks = styles([*many, *OWN])
    assert len(set(looks.values())) == len(many) + len(OWN)
    assert len(styles([f"m{i}" for i in range(60)])) == 60


def test_own_methods_differ_in_grey():
    assert len({look.marker for look in OWN.values()}) == len(OWN)
    assert len({look.dashes for look in OWN.values()}) == len(OWN)
