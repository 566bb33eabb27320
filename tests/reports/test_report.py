import io
import json
import math
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from smug.evaluation.protocols import PROTOCOLS
from smug.evaluation.summary import summarise, to_json
from smug.evaluation.verdict import UNATTACKED, contest, verdict
from smug.reports.description import comparison_title, rows_of, seen
from smug.reports.report import write_report
from smug.reports.viewer import png

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
LOADS = {"src", "href", "srcset", "data", "poster", "action", "background", "xlink:href"}


def document(outcomes, **changes):
    data = {"source": "phantom", "split": "test", "sha256": "0" * 16, "kspace": "simulated"}
    fixed = {"configuration": {"steps": 8}, "seeds": [0], "data": data, "command": "smug evaluate --model a"}
    return to_json([outcome.row for outcome in outcomes], PROTOCOLS["demo"].conditions, **(fixed | changes))


def conclusion(document):
    return verdict(rows_of(document), document["reference"])


class Page(HTMLParser):
    """Tags with their attributes, the text of scripts, and the text that is read."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self.inside = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.inside = tag
            self.scripts += [""] * (tag == "script")

    def handle_endtag(self, tag):
        if tag == self.inside:
            self.inside = ""

    def handle_data(self, data):
        if self.inside == "script":
            self.scripts[-1] += data
        elif not self.inside:
            self.text += data


@pytest.fixture
def page(outcomes, tmp_path):
    """Write a report and read it."""

    def make(made=None, *, title="A title", notes=("A note.",), **changes) -> tuple[Page, str]:
        made = outcomes() if made is None else made
        path = tmp_path / "report.html"
        write_report(path, document(made, **changes), made, title=title, notes=notes)
        assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
        html = path.read_text(encoding="utf-8")
        return Page(html), html

    return make


def viewer(read: Page) -> dict:
    return json.loads(read.scripts[0])


def test_states_what_it_must(page, outcomes):
    read, _ = page()
    text = " ".join(read.text.split())
    for expected in (
        "A title",
        "A note.",
        "For research use only",
        "data crime",
        "smug evaluate --model a",
        "2 slices",
    ):
        assert expected in text
    for outcome in outcomes():
        assert outcome.row.model in text
    for condition in PROTOCOLS["demo"].conditions:
        assert condition.description in text
    measured = {"source": "scan.h5", "sha256": "0", "kspace": "measured"}
    assert "data crime" not in page(data=measured)[0].text


def test_table_holds_the_summaries(page, outcomes):
    made = document(outcomes())
    text = " ".join(page()[0].text.split())
    for summary in made["summaries"]:
        assert f"{summary['psnr']['mean']:.2f} ±{summary['psnr']['sd']:.2f}" in text
        assert f"{summary['ssim']['mean']:.3f}" in text
        assert f"{summary['psnr_head']['mean']:.2f}" in text
        assert f"{summary['ssim_head']['mean']:.3f}" in text
        if summary["model"] != "cg":
            assert f"{summary['difference']['mean']:+.2f}" in text
    assert "n = 2: no interval" in text


def attacked(made, **changes):
    """Make the last condition one of attacks."""
    row = {"attack": "apgd", "gain": 1.5, "identity_psnr": 20.25, "denoiser_calls": 40.0, **changes}
    return [replace(o, row=replace(o.row, **row)) if o.row.condition == "PGD 0.05" else o for o in made]


def test_table_of_perturbations(page, outcomes):
    text = " ".join(page(attacked(outcomes()))[0].text.split())
    for expected in ("Perturbations", "apgd 2/2", "1.50", "20.25", "Calls: how often the denoiser runs"):
        assert expected in text
    assert "Perturbations" not in page()[0].text


def test_warnings_are_explained(page, outcomes):
    from smug.diagnosis.flags import FLAGS

    made = attacked(outcomes(), flags=("masked-gradient", "a flag of tomorrow"))
    text = " ".join(page(made)[0].text.split())
    assert FLAGS["masked-gradient"].sentence in text
    assert "a flag of tomorrow" in text
    assert "cg under PGD 0.05 (2 of 2 slices); modl under PGD 0.05 (2 of 2 slices)" in text
    assert "modl †" in text
    assert "Warnings" not in page()[0].text


def test_figures_are_svg(page, outcomes):
    import base64

    read, _ = page(outcomes(conditions=("clean", "noise 1%", "noise 5%")))
    images = [a for tag, a in read.tags if tag == "img" and (a.get("src") or "").startswith("data:image/svg")]
    assert [image["alt"].split(":")[0] for image in images] == [
        "PSNR of cg and modl over noise",
        "PSNR under noise 5% against that on clean",
    ]
    for image in images:
        svg = base64.b64decode(image["src"].partition(",")[2]).decode()
        assert svg.startswith("<?xml")
        assert "<script" not in svg


def test_statistics_are_told(page, outcomes):
    people = [f"{n}" for n in range(5)]
    made = [replace(o, row=replace(o.row, subject=o.row.slice)) for o in outcomes(slices=people)]
    assert "over subjects (5 here): paired cluster bootstrap" in page(made)[0].text
    assert "over slices, of unknown subjects" in page(outcomes(slices=people))[0].text
    assert re.search(r"95 % interval [\d.]+ to [\d.]+ over 5 subjects", conclusion(document(made)))


def test_few_subjects_have_no_interval_in_text_and_figures(page, outcomes):
    import base64

    made = [replace(o, row=replace(o.row, subject=o.row.slice)) for o in outcomes()]
    read, _ = page(made)
    assert "n = 2: no interval" in read.text
    assert "n = 2: no interval" in conclusion(document(made))
    assert "95 %" not in read.text
    figures = [a["src"] for tag, a in read.tags if tag == "img" and (a.get("src") or "").startswith("data:image/svg")]
    for figure in figures:
        svg = base64.b64decode(figure.partition(",")[2]).decode()
        assert "n = 2: no interval" in svg
        assert "95 %" not in svg


def test_titles_say_what_was_compared(page, outcomes):
    assert comparison_title(document(outcomes(slices=("one",)))) == "cg and modl on 1 slice of simulated heads"
    data = {"source": "/data/set one", "sha256": "0", "kspace": "measured", "masks": {"acceleration": 4.0}}
    many = document(outcomes(models=[f"m{n}" for n in range(5)]), data=data)
    assert comparison_title(many) == "5 models on 2 slices of set one, 4x undersampled"
    assert "<h1>cg and modl on 2 slices of simulated heads</h1>" in page(title="")[1]


def test_training_seeds(page, outcomes, tmp_path):
    assert "Training seeds" not in page()[0].text
    made = outcomes(models=("cg-0", "cg-1", "modl"))
    path = tmp_path / "seeds.html"
    write_report(path, document(made), title="Seeds", methods={"cg-0": "cg", "cg-1": "cg"})
    text = " ".join(Page(path.read_text(encoding="utf-8")).text.split())
    means = [s["psnr"]["mean"] for s in document(made)["summaries"] if s["condition"] == "clean"][:2]
    assert f"cg{np.mean(means):.2f} ±{np.std(means, ddof=1):.2f}2" in text


def test_cards_are_embedded(page, outcomes):
    read, _ = page()
    texts = re.findall(r"Card of \S+\s+(\{.*?\n\})", read.text, re.DOTALL)
    found = [json.loads(text) for text in texts]
    assert [card["model"] for card in found] == ["cg", "modl"]
    assert all(card["schema"] == "smug-card-1" for card in found)


def test_viewer_of_many_conditions_has_fewer_slices(page, outcomes, monkeypatch):
    made = outcomes(conditions=[f"condition {n}" for n in range(7)], size=16)
    read, html = page(made)
    assert viewer(read)["slices"] == ["one", "two"]
    assert 'id="condition"' in html
    assert "7 conditions." in read.text
    monkeypatch.setattr("smug.reports.viewer.PICTURES", 20)
    assert viewer(page(made)[0])["slices"] == ["one"]


def test_targets_may_differ_between_conditions(page, outcomes):
    made = [replace(o, target=o.target.flip(0)) if o.row.condition != "clean" else o for o in outcomes()]
    targets = viewer(page(made)[0])["targets"]
    assert targets[0][0] != targets[0][1]


def test_loads_nothing(page):
    read, html = page()
    for _, attributes in read.tags:
        for name in LOADS & attributes.keys():
            assert (attributes[name] or "").startswith(("#", "data:"))
        assert not any(name.startswith("on") for name in attributes)
    assert not {"link", "iframe", "object", "embed", "base"} & {tag for tag, _ in read.tags}
    assert not re.search(r"https?:|//\w+\.\w|@import|url\(|fetch\(|XMLHttpRequest|import\(", html)
    policy = next(a["content"] for tag, a in read.tags if tag == "meta" and "http-equiv" in a)
    assert "default-src 'none'" in policy


def test_controls_have_labels(page):
    read, _ = page()
    labelled = {attributes["for"] for tag, attributes in read.tags if tag == "label" and "for" in attributes}
    for tag, attributes in read.tags:
        if tag == "select" or attributes.get("type") == "range":
            assert attributes["id"] in labelled
        if tag == "img":
            assert "alt" in attributes


def test_names_are_escaped(page, outcomes):
    bad = "</script><script>alert(1)</script><img src=x onerror='alert(1)'>\"&amp;"
    made = outcomes(models=(bad, "b"), conditions=(f"c{bad}", "d"), slices=(f"s{bad}",))
    read, html = page(
        made,
        title=bad,
        notes=[bad],
        command=bad,
        configuration={bad: bad},
        data={"source": bad, "sha256": bad, "kspace": "simulated"},
    )
    assert len(read.scripts) == 2
    assert "alert" not in read.scripts[1]
    assert not any(attributes.get("src") == "x" for _, attributes in read.tags)
    assert html.count("<script") == 2
    assert viewer(read)["methods"] == ["target", bad, "b"]
    assert viewer(read)["slices"] == [f"s{bad}"]
    assert bad in read.text


def test_viewer_holds_the_images(page, outcomes):
    import base64

    made = outcomes()
    data = viewer(page()[0])
    assert (len(data["cells"]), len(data["cells"][0]), len(data["cells"][0][0])) == (2, 2, 2)
    cell = data["cells"][1][0][1]
    outcome = next(o for o in made if (o.row.slice, o.row.condition, o.row.model) == ("two", "clean", "modl"))
    head = f"{outcome.row.psnr_head:.2f} dB, {outcome.row.ssim_head:.3f}"
    assert cell["text"] == f"PSNR {outcome.row.psnr:.2f} dB, SSIM {outcome.row.ssim:.3f}; head {head}"
    assert 0 < data["targets"][1][0]["white"] <= 1
    expected = (outcome.image.abs() / outcome.target.abs().max()).clamp(0, 1).numpy()
    decoded = imread(io.BytesIO(base64.b64decode(cell["image"])))
    np.testing.assert_allclose(decoded, expected, atol=0.51 / 255)


def test_missing_cells_and_no_images(page, outcomes, tmp_path):
    made = outcomes()
    assert viewer(page(made[:-1])[0])["cells"][1][1] == [viewer(page(made)[0])["cells"][1][1][0], None]
    path = tmp_path / "report.html"
    write_report(path, document(made), title="No images")
    assert Page(path.read_text(encoding="utf-8")).scripts == []
    with pytest.raises(ValueError, match="got a document without rows"):
        write_report(path, document([]), title="Nothing")


@pytest.mark.parametrize("palette", [None, np.random.default_rng(1).integers(0, 256, (256, 3), dtype=np.uint8)])
def test_png_is_read_back_by_another_decoder(palette):
    from PIL import Image

    values = np.random.default_rng(0).integers(0, 256, (5, 7), dtype=np.uint8)
    with Image.open(io.BytesIO(png(values, palette))) as image:
        decoded = np.asarray(image.convert("L" if palette is None else "RGB"))
    np.testing.assert_array_equal(decoded, values if palette is None else palette[values])


def test_sentences(outcomes):
    made = document(outcomes(), subjects=["anna", "anna"])
    mean = {(s["model"], s["condition"]): s["psnr"]["mean"] for s in made["summaries"]}
    hard, cg, modl = "PGD 0.05", "cg", "modl"
    assert seen(made) == (
        "2 slices of 1 subject (simulated heads; test split, simulated k-space), reconstructed by cg and modl; "
        "conditions: clean and PGD 0.05."
    )
    assert conclusion(made) == (
        f"Under PGD 0.05, where PSNR is lowest, modl has the highest mean PSNR, {mean[modl, hard]:.2f} dB: "
        f"{mean[modl, hard] - mean[cg, hard]:.2f} dB above cg (n = 2: no interval), "
        f"and higher on 2 of 2 slices; from clean to there, "
        f"modl loses {mean[modl, 'clean'] - mean[modl, hard]:.2f} dB "
        f"and cg loses {mean[cg, 'clean'] - mean[cg, hard]:.2f} dB. {UNATTACKED}"
    )


def test_the_best_is_set_against_the_reference_or_the_next_best(outcomes):
    made = outcomes(models=("cg", "modl", "smug"))
    assert "dB above cg" in conclusion(document(made))
    assert "dB above modl" in conclusion(document(made, reference="smug"))


def test_the_hardest_is_an_attack_where_there_is_one(outcomes):
    made = [
        replace(o, row=replace(o.row, attack="apgd" if o.row.condition == "b" else ""))
        for o in outcomes(conditions=("clean", "b", "harder shift"))
    ]
    assert contest(summarise([o.row for o in made]))[:2] == ("b", "modl")


def test_report_and_terminal_say_the_same(page, outcomes):
    made = [replace(o, row=replace(o.row, attack="apgd" * (o.row.condition == "PGD 0.05"))) for o in outcomes()]
    text = " ".join(page(made)[0].text.split())
    assert verdict([o.row for o in made]) in text and "lost least" in text


def test_conclusion_of_one_model_one_condition_and_infinity(outcomes):
    made = outcomes(models=("cg",))
    assert conclusion(document(made)).startswith("Under PGD 0.05 the mean PSNR of cg is")
    one = document(outcomes(models=("cg",), conditions=("clean",)))
    assert conclusion(one).startswith(
        f"Under clean the mean PSNR of cg is {one['summaries'][0]['psnr']['mean']:.2f} dB. No attack"
    )
    perfect = [replace(o, row=replace(o.row, psnr=math.inf)) for o in made]
    assert "Not every PSNR is finite" in conclusion(document(perfect))


def test_report_of_infinite_psnr(page, outcomes):
    made = [replace(o, row=replace(o.row, psnr=math.inf)) for o in outcomes()]
    assert "nan" not in page(made)[0].text


DRIVER = """
<script>
const stage = document.getElementById("stage");
const key = (type, key) => stage.dispatchEvent(new KeyboardEvent(type, {key, bubbles: true}));
const log = [];
const note = () => log.push([document.getElementById("image-a").alt, document.getElementById("image-a").naturalWidth]);
setTimeout(() => {
  note();
  key("keydown", " "); note();
  key("keyup", " "); note();
  key("keydown", "e"); note();
  key("keydown", "e"); key("keydown", "ArrowUp"); note();
  key("keydown", "n"); key("keydown", "ArrowRight"); note();
  const slice = document.getElementById("slice");
  slice.value = "0"; slice.dispatchEvent(new Event("change")); note();
  const level = document.getElementById("level");
  level.value = "50"; level.dispatchEvent(new Event("input"));
  log.push([getComputedStyle(document.getElementById("image-a")).filter, 0]);
  log.push([`figure ${document.querySelector(".figures img").naturalWidth > 100}`, 0]);
  const out = document.createElement("pre");
  out.id = "log";
  out.textContent = JSON.stringify(log);
  document.body.append(out);
}, 200);
</script>
"""


def driven(html: str, driver: str, folder: Path, *more: str) -> tuple[Page, list]:
    """Run a report in a browser; return what it became, and what the driver logged."""
    path = folder / "driven.html"
    path.write_text(html.replace("</body>", driver + "</body>"), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
    options += [f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=2000", "--dump-dom", *more]
    done = subprocess.run([BROWSER, *options, path.as_uri()], capture_output=True, text=True, timeout=120)
    dom = Page(done.stdout)
    return dom, json.loads(re.search(r"\[\[.*\]\]", dom.text)[0])


@pytest.mark.skipif(BROWSER is None, reason="needs chromium, to run the viewer")
def test_viewer_runs_in_a_browser(page, tmp_path):
    _, html = page()
    dom, log = driven(html, DRIVER, tmp_path)
    alts = [text.split(":")[0] for text, _ in log]
    assert log[0][1] == 32  # the browser decoded the image
    assert alts == [
        "Image of cg, one, PGD 0.05",
        "Image of modl, one, PGD 0.05",  # flipped while space is held
        "Image of cg, one, PGD 0.05",
        "Error map of cg, one, PGD 0.05",
        "Image of cg, one, clean",
        "Image of modl, two, clean",
        "Image of modl, one, clean",
        "brightness(2)",
        "figure true",
    ]
    assert "one, clean. modl" in " ".join(dom.text.split())  # what is read aloud


MANY = """
<script>
setTimeout(() => {
  const condition = document.getElementById("condition"), stage = document.getElementById("stage"), log = [];
  const note = () => log.push([document.getElementById("image-a").alt, condition.value]);
  condition.value = "3"; condition.dispatchEvent(new Event("change")); note();
  stage.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowDown", bubbles: true})); note();
  const a = document.getElementById("a");
  a.value = "0"; a.dispatchEvent(new Event("change")); note();
  const out = document.createElement("pre");
  out.textContent = JSON.stringify(log);
  document.body.append(out);
}, 200);
</script>
"""


@pytest.mark.skipif(BROWSER is None, reason="needs chromium, to run the viewer")
def test_many_conditions_are_a_list(page, outcomes, tmp_path):
    _, html = page(outcomes(conditions=[f"noise {n}%" for n in range(8)], slices=("one",)))
    _, log = driven(html, MANY, tmp_path)
    assert [(text.split(":")[0], chosen) for text, chosen in log] == [
        ("Image of cg, one, noise 3%", "3"),
        ("Image of cg, one, noise 4%", "4"),
        ("Image of target, one, noise 4%", "4"),
    ]


LAYOUT = """
<script>
setTimeout(() => {
  const clipped = [...document.querySelectorAll(".scroll")].filter(e => e.scrollHeight > e.clientHeight + 1);
  const log = [["clipped", clipped.length]];
  log.push(["page", document.documentElement.scrollWidth > innerWidth]);
  const names = [...document.querySelectorAll("figure.table th[scope=row]")].map(e => e.textContent);
  log.push(["rows", names.length]);
  const out = document.createElement("pre");
  out.textContent = JSON.stringify(log);
  document.body.append(out);
}, 200);
</script>
"""


@pytest.mark.skipif(BROWSER is None, reason="needs chromium, to lay out the page")
@pytest.mark.parametrize("width", [1280, 800, 500])
def test_no_row_of_a_table_is_hidden(page, outcomes, tmp_path, width):
    """Many models with long names: the table is as high as it must be, and the page no wider than the screen."""
    models = [*(f"model {n}" for n in range(7)), "a-very-long-name-of-a-network-" * 4, "<b>bold</b> [red] | *x*"]
    conditions = [f"condition {n}" for n in range(12)]
    _, html = page(outcomes(models=models, conditions=conditions, slices=("one",), size=16))
    _, log = driven(html, LAYOUT, tmp_path, f"--window-size={width},900")
    assert log == [["clipped", 0], ["page", False], ["rows", len(models) * len(conditions)]]


@pytest.mark.skipif(BROWSER is None, reason="needs chromium, to run the viewer")
def test_viewer_starts_with_the_window_of_the_head(page, tmp_path):
    script = """
<script>
setTimeout(() => {
  const level = document.getElementById("level"), log = [];
  const note = () => log.push([getComputedStyle(document.getElementById("image-a")).filter, level.value]);
  note();
  level.value = "50"; level.dispatchEvent(new Event("input")); note();
  document.getElementById("auto-level").click(); note();
  const out = document.createElement("pre");
  out.textContent = JSON.stringify(log);
  document.body.append(out);
}, 200);
</script>
"""
    read, html = page()
    white = viewer(read)["targets"][0][1]["white"]
    _, log = driven(html, script, tmp_path)
    first, second, third = (float(re.search(r"[\d.]+", text)[0]) for text, _ in log)
    assert (first, second, third) == pytest.approx((1 / white, 2, 1 / white), rel=1e-3)
    assert [value for _, value in log] == [str(round(100 * white)), "50", str(round(100 * white))]


def test_colours_are_the_same_in_table_and_figures(page, outcomes):
    import base64

    from smug.reports.palette import OWN

    _, html = page(outcomes(models=("cg-sense", "modl", "mine")))
    svg = base64.b64decode(re.search(r"svg\+xml;base64,([^\"]+)", html)[1]).decode().lower()
    for model in ("cg-sense", "modl"):
        assert f"background: {OWN[model].colour}" in html
        assert OWN[model].colour.lower() in svg
