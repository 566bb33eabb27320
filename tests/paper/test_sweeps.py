import csv
import json
from dataclasses import replace
from itertools import product

import pytest

from smug.evaluation.conditions import clean, noisy
from smug.paper.curves import Axis, Sweep
from smug.paper.exhibit import Exhibit, about
from smug.paper.scores import Scores
from smug.paper.sweeps import sweep_content
from smug.training import trainer

SWEEP = Sweep({0.0: clean(), 0.01: noisy(0.01)})
METHODS = ("modl", "smug", "zero-filled")
EXHIBIT = Exhibit(
    "curves",
    "Curves",
    "knee",
    lambda scale: sweep_content(scale, METHODS, (SWEEP,), Axis("level", "level (unit)", "{:g}".format)),
)


@pytest.fixture(scope="module")
def two_seeds(experiment):
    return replace(experiment, scale=replace(experiment.scale, seeds=(0, 1)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("exhibit")


@pytest.fixture(scope="module")
def result(two_seeds, folder, make):
    return make.exhibit(EXHIBIT, two_seeds, folder)


def files(folder):
    return {path: path.stat().st_mtime_ns for path in sorted(folder.rglob("*")) if path.is_file()}


def test_files_and_records_are_complete(two_seeds, folder, result):
    assert {path.name for path in folder.iterdir()} == {f"curves.{s}" for s in ("png", "pdf", "csv", "json", "md")}
    slices = two_seeds.test("knee", 4.0).subjects
    wanted = {
        (method, seed, x, name)
        for (method, seed), x, name in product(
            [("modl", 0), ("modl", 1), ("smug", 0), ("smug", 1), ("zero-filled", 0)], (0.0, 0.01), slices
        )
    }
    with (folder / "curves.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    columns = {"level", "anatomy", "acceleration", "method", "seed", "condition", "slice", "subject", "psnr", "ssim"}
    assert columns <= lines[0].keys()
    read = [(line["method"], int(line["seed"]), float(line["level"]), line["slice"]) for line in lines]
    assert len(read) == len(wanted) == 20 and set(read) == wanted
    document = json.loads((folder / "curves.json").read_text())
    assert [record["psnr"] for record in document["records"]] == pytest.approx([float(each["psnr"]) for each in lines])
    assert document["notes"] == list(result.notes)


def test_the_figure_says_what_it_is_of(result):
    texts = [text.get_text().replace("\n", " ") for text in result.figure.texts]
    assert "smoke test, not a result" in texts
    (caption,) = [text for text in texts if text.startswith("Data set knee")]
    assert "head phantoms" in caption and "2 test slices" in caption and "2 training seeds" in caption
    assert "range of training seeds" in caption and "Intervals are over subjects" in caption
    assert not any("knee" in text for axes in result.figure.axes for text in (axes.get_title(), axes.get_xlabel()))


def test_a_restart_does_nothing_twice(two_seeds, tmp_path, monkeypatch, result, make):
    before = files(two_seeds.out)
    monkeypatch.setattr(trainer, "train", lambda *_, **__: pytest.fail("trained again"))
    second = make.exhibit(EXHIBIT, replace(two_seeds), tmp_path)
    assert files(two_seeds.out) == before
    assert second.records == result.records and second.markdown == result.markdown


def test_what_was_stopped_goes_on_where_it_was(experiment, tmp_path, make):
    def stop(text):
        if text.startswith("scoring") and "smug" in text:
            raise KeyboardInterrupt

    elsewhere = replace(experiment, out=tmp_path, report=stop)
    with pytest.raises(KeyboardInterrupt):
        make.exhibit(EXHIBIT, elsewhere, tmp_path)
    before = files(tmp_path)
    assert len(files(tmp_path / "rows")) == 4 and not (tmp_path / "curves.csv").exists()
    result = make.exhibit(EXHIBIT, replace(elsewhere, report=lambda text: None), tmp_path)
    after = files(tmp_path)
    assert all(after[path] == time for path, time in before.items())
    assert len(after) > len(before) and len(result.records) == 3 * 2 * 2


def test_the_sentence_of_a_set_that_is_the_paper_s_own_has_no_excuse(experiment, make):
    scale = replace(experiment.scale, knee=replace(experiment.scale.knee, note=""))
    measured = Scores("knee", 4.0, ("zero-filled",), (clean(),))
    said = about(scale, measured, make.scores(measured, experiment))
    assert said == "Data set knee. 2 test slices of 2 subjects; models trained at 4x, 1 training seed."
