import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from smug.diagnosis.flags import FLAGS
from smug.evaluation.protocols import PROTOCOLS
from smug.evaluation.verdict import verdict
from smug.reports.palette import OWN
from smug.reports.report import write_report

from ..properties import assert_refused
from .conftest import document

LOADS = {"src", "href", "srcset", "data", "poster", "action", "background", "xlink:href"}


def test_states_what_it_must(page, outcomes):
    words = page().words
    told = "A title", "A note.", "For research use only", "data crime", "smug evaluate --model a", "2 slices"
    conditions = (condition.description for condition in PROTOCOLS["demo"].conditions)
    for expected in (*told, *conditions, *(outcome.row.model for outcome in outcomes())):
        assert expected in words
    measured = {"source": "scan.h5", "sha256": "0", "kspace": "measured"}
    assert "data crime" not in page(data=measured).text


def test_table_holds_the_summaries(page, outcomes):
    words = page().words
    for summary in document(outcomes())["summaries"]:
        assert f"{summary['psnr']['mean']:.2f} ±{summary['psnr']['sd']:.2f}" in words
        assert f"{summary['ssim']['mean']:.3f}" in words
        assert f"{summary['psnr_head']['mean']:.2f}" in words
        assert f"{summary['ssim_head']['mean']:.3f}" in words
        if summary["model"] != "cg":
            assert f"{summary['difference']['mean']:+.2f}" in words


def attacked(made, **changes):
    """Make the last condition one of attacks."""
    row = {"attack": "apgd", "gain": 1.5, "identity_psnr": 20.25, "denoiser_calls": 40.0, **changes}
    return [replace(o, row=replace(o.row, **row)) if o.row.condition == "PGD 0.05" else o for o in made]


def test_table_of_perturbations(page, outcomes):
    words = page(attacked(outcomes())).words
    for expected in ("Perturbations", "apgd 2/2", "1.50", "20.25", "Calls: how often the denoiser runs"):
        assert expected in words
    assert "Perturbations" not in page().text


def test_warnings_are_explained(page, outcomes):
    words = page(attacked(outcomes(), flags=("masked-gradient", "a flag of tomorrow"))).words
    assert FLAGS["masked-gradient"].sentence in words
    assert "a flag of tomorrow" in words
    assert "cg under PGD 0.05 (2 of 2 slices); modl under PGD 0.05 (2 of 2 slices)" in words
    assert "modl †" in words
    assert "Warnings" not in page().text


def test_figures_are_svg(page, outcomes):
    figures = page(outcomes(conditions=("clean", "noise 1%", "noise 5%"))).figures
    assert [shows.split(":")[0] for shows, _ in figures] == [
        "PSNR of cg and modl over noise",
        "PSNR under noise 5% against that on clean",
    ]
    for _, svg in figures:
        assert svg.startswith("<?xml")
        assert "<script" not in svg


def test_statistics_are_told(page, outcomes):
    people = [f"{n}" for n in range(5)]
    made = [replace(o, row=replace(o.row, subject=o.row.slice)) for o in outcomes(slices=people)]
    assert "over subjects (5 here): paired cluster bootstrap" in page(made).text
    assert "over slices, of unknown subjects" in page(outcomes(slices=people)).text


def test_few_subjects_have_no_interval_in_text_and_figures(page, outcomes):
    read = page([replace(o, row=replace(o.row, subject=o.row.slice)) for o in outcomes()])
    for content in (read.text, *(svg for _, svg in read.figures)):
        assert "n = 2: no interval" in content
        assert "95 %" not in content


def test_without_a_title_it_says_what_was_compared(page):
    assert "<h1>cg and modl on 2 slices of simulated heads</h1>" in page(title="").html


def test_training_seeds(page, outcomes):
    assert "Training seeds" not in page().text
    made = outcomes(models=("cg-0", "cg-1", "modl"))
    words = page(made, images=False, methods={"cg-0": "cg", "cg-1": "cg"}).words
    means = [s["psnr"]["mean"] for s in document(made)["summaries"] if s["condition"] == "clean"][:2]
    assert f"cg{np.mean(means):.2f} ±{np.std(means, ddof=1):.2f}2" in words


def test_cards_are_embedded(page):
    texts = re.findall(r"Card of \S+\s+(\{.*?\n\})", page().text, re.DOTALL)
    found = [json.loads(text) for text in texts]
    assert [card["model"] for card in found] == ["cg", "modl"]
    assert all(card["schema"] == "smug-card-1" for card in found)


def test_loads_nothing(page):
    read = page()
    for _, attributes in read.tags:
        for name in LOADS & attributes.keys():
            assert (attributes[name] or "").startswith(("#", "data:"))
        assert not any(name.startswith("on") for name in attributes)
    assert not {"link", "iframe", "object", "embed", "base"} & {tag for tag, _ in read.tags}
    assert not re.search(r"https?:|//\w+\.\w|@import|url\(|fetch\(|XMLHttpRequest|import\(", read.html)
    policy = next(a["content"] for tag, a in read.tags if tag == "meta" and "http-equiv" in a)
    assert "default-src 'none'" in policy


def test_names_are_escaped(page, outcomes):
    bad = "</script><script>alert(1)</script><img src=x onerror='alert(1)'>\"&amp;"
    made = outcomes(models=(bad, "b"), conditions=(f"c{bad}", "d"), slices=(f"s{bad}",))
    data = {"source": bad, "sha256": bad, "kspace": "simulated"}
    read = page(made, title=bad, notes=[bad], command=bad, configuration={bad: bad}, data=data)
    assert len(read.scripts) == 2
    assert "alert" not in read.scripts[1]
    assert not any(attributes.get("src") == "x" for _, attributes in read.tags)
    assert read.html.count("<script") == 2
    assert read.viewer["methods"] == ["target", bad, "b"]
    assert read.viewer["slices"] == [f"s{bad}"]
    assert bad in read.text


def test_without_images_there_is_no_viewer_and_without_rows_no_report(page, tmp_path):
    assert page(images=False).scripts == []
    assert_refused(lambda: write_report(tmp_path / "report.html", document([])), "got a document without rows")


def test_report_and_terminal_say_the_same(page, outcomes):
    made = attacked(outcomes())
    words = page(made).words
    assert verdict([o.row for o in made]) in words and "lost least" in words


def test_infinite_psnr(page, outcomes):
    assert "nan" not in page([replace(o, row=replace(o.row, psnr=math.inf)) for o in outcomes()]).text


@pytest.mark.parametrize("model", ["cg-sense", "modl"])
def test_colours_are_the_same_in_table_and_figures(page, outcomes, model):
    read = page(outcomes(models=("cg-sense", "modl", "mine")))
    assert f"background: {OWN[model].colour}" in read.html
    assert OWN[model].colour.lower() in read.figures[0][1].lower()
