"""The viewer of a report: what it holds, and what it does in a browser."""

import base64
import io
import json
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread
from PIL import Image

from smug.reports.viewer import png

from .conftest import Page

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def test_it_holds_the_images(page, outcomes):
    data = page().viewer
    assert (len(data["cells"]), len(data["cells"][0]), len(data["cells"][0][0])) == (2, 2, 2)
    cell = data["cells"][1][0][1]
    outcome = next(o for o in outcomes() if (o.row.slice, o.row.condition, o.row.model) == ("two", "clean", "modl"))
    head = f"{outcome.row.psnr_head:.2f} dB, {outcome.row.ssim_head:.3f}"
    assert cell["text"] == f"PSNR {outcome.row.psnr:.2f} dB, SSIM {outcome.row.ssim:.3f}; head {head}"
    assert 0 < data["targets"][1][0]["white"] <= 1
    expected = (outcome.image.abs() / outcome.target.abs().max()).clamp(0, 1).numpy()
    decoded = imread(io.BytesIO(base64.b64decode(cell["image"])))
    np.testing.assert_allclose(decoded, expected, atol=0.51 / 255)


def test_cells_may_be_missing(page, outcomes):
    made = outcomes()
    assert page(made[:-1]).viewer["cells"][1][1] == [page(made).viewer["cells"][1][1][0], None]


def test_targets_may_differ_between_conditions(page, outcomes):
    made = [replace(o, target=o.target.flip(0)) if o.row.condition != "clean" else o for o in outcomes()]
    targets = page(made).viewer["targets"]
    assert targets[0][0] != targets[0][1]


def test_many_conditions_have_fewer_slices(page, outcomes, monkeypatch):
    made = outcomes(conditions=[f"condition {n}" for n in range(7)], size=16)
    read = page(made)
    assert read.viewer["slices"] == ["one", "two"]
    assert 'id="condition"' in read.html
    assert "7 conditions." in read.text
    monkeypatch.setattr("smug.reports.viewer.PICTURES", 20)
    assert page(made).viewer["slices"] == ["one"]


def test_controls_have_labels(page):
    tags = page().tags
    labelled = {attributes["for"] for tag, attributes in tags if tag == "label" and "for" in attributes}
    for tag, attributes in tags:
        if tag == "select" or attributes.get("type") == "range":
            assert attributes["id"] in labelled
        if tag == "img":
            assert "alt" in attributes


@pytest.mark.parametrize("palette", [None, np.random.default_rng(1).integers(0, 256, (256, 3), dtype=np.uint8)])
def test_png_is_read_back_by_another_decoder(palette):
    values = np.random.default_rng(0).integers(0, 256, (5, 7), dtype=np.uint8)
    with Image.open(io.BytesIO(png(values, palette))) as image:
        decoded = np.asarray(image.convert("L" if palette is None else "RGB"))
    np.testing.assert_array_equal(decoded, values if palette is None else palette[values])


SCRIPT = """
<script>
setTimeout(() => {
  const log = [], of = id => document.getElementById(id);
  const key = (type, key) => of("stage").dispatchEvent(new KeyboardEvent(type, {key, bubbles: true}));
  const set = (id, value, type) => { of(id).value = value; of(id).dispatchEvent(new Event(type)); };
  const shown = () => of("image-a").alt.split(":")[0], filter = () => getComputedStyle(of("image-a")).filter;
  DO
  const out = document.createElement("pre");
  out.textContent = "LOG" + JSON.stringify(log) + "LOG";
  document.body.append(out);
}, 200);
</script>
"""


@pytest.fixture
def driven(tmp_path):
    """Run a report and JavaScript in a browser; return what it became, and what was logged."""
    if BROWSER is None:
        pytest.skip("needs chromium, to run the viewer")

    def run(read: Page, do: str, *more: str) -> tuple[Page, list]:
        path = tmp_path / "driven.html"
        path.write_text(read.html.replace("</body>", SCRIPT.replace("DO", do) + "</body>"), encoding="utf-8")
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
        options += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=2000", "--dump-dom", *more]
        done = subprocess.run([BROWSER, *options, path.as_uri()], capture_output=True, text=True, timeout=120)
        dom = Page(done.stdout)
        return dom, json.loads(re.search("LOG(.*)LOG", dom.text)[1])

    return run


def test_it_runs_in_a_browser(page, driven):
    dom, log = driven(
        page(),
        """
  const note = () => log.push(shown());
  log.push(of("image-a").naturalWidth);
  note();
  key("keydown", " "); note();
  key("keyup", " "); note();
  key("keydown", "e"); note();
  key("keydown", "e"); key("keydown", "ArrowUp"); note();
  key("keydown", "n"); key("keydown", "ArrowRight"); note();
  set("slice", "0", "change"); note();
  set("level", "50", "input"); log.push(filter());
  log.push(document.querySelector(".figures img").naturalWidth > 100);
""",
    )
    assert log == [
        32,  # the browser decoded the image
        "Image of cg, one, PGD 0.05",
        "Image of modl, one, PGD 0.05",  # flipped while space is held
        "Image of cg, one, PGD 0.05",
        "Error map of cg, one, PGD 0.05",
        "Image of cg, one, clean",
        "Image of modl, two, clean",
        "Image of modl, one, clean",
        "brightness(2)",
        True,
    ]
    assert "one, clean. modl" in dom.words  # what is read aloud


def test_many_conditions_are_a_list(page, outcomes, driven):
    read = page(outcomes(conditions=[f"noise {n}%" for n in range(8)], slices=("one",)))
    _, log = driven(
        read,
        """
  const note = () => log.push([shown(), of("condition").value]);
  set("condition", "3", "change"); note();
  key("keydown", "ArrowDown"); note();
  set("a", "0", "change"); note();
""",
    )
    assert log == [
        ["Image of cg, one, noise 3%", "3"],
        ["Image of cg, one, noise 4%", "4"],
        ["Image of target, one, noise 4%", "4"],
    ]


@pytest.mark.parametrize("width", [1280, 800, 500])
def test_no_row_of_a_table_is_hidden(page, outcomes, driven, width):
    """Many models with long names: the table is as high as it must be, and the page no wider than the screen."""
    models = [*(f"model {n}" for n in range(7)), "a-very-long-name-of-a-network-" * 4, "<b>bold</b> [red] | *x*"]
    conditions = [f"condition {n}" for n in range(12)]
    _, log = driven(
        page(outcomes(models=models, conditions=conditions, slices=("one",), size=16)),
        """
  const tables = [...document.querySelectorAll(".scroll")];
  log.push(tables.filter(e => e.scrollHeight > e.clientHeight + 1).length);
  log.push(document.documentElement.scrollWidth > innerWidth);
  log.push(document.querySelectorAll("figure.table th[scope=row]").length);
""",
        f"--window-size={width},900",
    )
    assert log == [0, False, len(models) * len(conditions)]


def test_it_starts_with_the_window_of_the_head(page, driven):
    read = page()
    white = read.viewer["targets"][0][1]["white"]
    _, log = driven(
        read,
        """
  const note = () => log.push([filter(), of("level").value]);
  note();
  set("level", "50", "input"); note();
  of("auto-level").click(); note();
""",
    )
    first, second, third = (float(re.search(r"[\d.]+", text)[0]) for text, _ in log)
    assert (first, second, third) == pytest.approx((1 / white, 2, 1 / white), rel=1e-3)
    assert [value for _, value in log] == [str(round(100 * white)), "50", str(round(100 * white))]
