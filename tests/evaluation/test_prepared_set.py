"""Comparisons on a prepared set."""

import h5py
import pytest
import torch

import smug
from benchmarks.prepare import write_volume
from smug.comparison import evaluate
from smug.data.prepared.full_volume import Settings
from smug.data.prepared.prepare import prepare
from smug.data.simulate import Acquisition
from smug.evaluation.datasets import load_set, prepared_set, simulated_set
from smug.evaluation.named_models import named_models
from smug.models.classical import CGSense

ACQUISITION = Acquisition(acceleration=2.0, center_fraction=0.2)


@pytest.fixture
def folder(tmp_path):
    for seed, (name, coils, width) in enumerate([("val/a", 2, 32), ("test/b", 3, 40), ("test/c", 2, 32)]):
        write_volume(tmp_path / "source" / f"{name}.h5", 3, coils, (32, width), seed=seed)
    prepare(tmp_path / "source", tmp_path / "set", Settings(maps="calibration"))
    return tmp_path / "set"


def test_slices_of_several_shapes_are_compared(folder):
    test = load_set(str(folder), "test", 128, ACQUISITION)
    models = named_models(("cg-sense", "zero-filled"), str(folder), 128, ACQUISITION)
    result = evaluate(models, test, "clean")
    assert len(result.rows) == 12 and result.document["kspace"] == "measured"
    assert set(test.subjects.values()) == {"test/b.h5", "test/c.h5"}
    mean = {s["model"]: s["psnr"]["mean"] for s in result.document["summaries"]}
    assert mean["cg-sense"] > mean["zero-filled"] + 1


def test_scans_are_the_same_whatever_else_is_taken(folder):
    whole, some = (prepared_set(folder, "test", ACQUISITION, count=count) for count in (None, 2))
    by_name = {scan.id[0]: scan for scan in whole.scans}
    assert len(whole.scans) == 6 and len(some.scans) == 2
    for scan in some.scans:
        assert torch.equal(scan.y, by_name[scan.id[0]].y)
    assert whole.description["sha256"] == some.description["sha256"]


def test_lam_is_tuned_on_the_validation_split(folder, monkeypatch):
    asked = []

    def tuned(family, scans):
        asked.extend(scan.id[0] for scan in scans)
        return family(0.5)

    monkeypatch.setattr("smug.evaluation.tuning.tuned", tuned)
    assert named_models(("cg-sense",), str(folder), 128, ACQUISITION) == {"cg-sense": CGSense(0.5)}
    assert asked == ["a-000", "a-001", "a-002"]


def test_without_a_validation_split_lam_is_asked_for(tmp_path):
    write_volume(tmp_path / "source" / "test" / "a.h5", 1, 2, (32, 32))
    prepare(tmp_path / "source", tmp_path / "set", Settings(maps="calibration"))
    with pytest.raises(ValueError, match="expected slices in the val split, got none"):
        named_models(("cg-sense",), str(tmp_path / "set"), 128, ACQUISITION)
    assert named_models(("cg-sense:0.1",), str(tmp_path / "set"), 128, ACQUISITION)


def test_dark_slices_of_a_file_of_images_are_left_out_with_a_warning(tmp_path):
    images = smug.load_images("phantom", "test", 32, count=3).images.abs().numpy()
    images[1] = 0
    with h5py.File(tmp_path / "images.h5", "w") as file:
        file["volume"] = images
    with pytest.warns(UserWarning, match="1 slice left out that are zero everywhere"):
        found = simulated_set(str(tmp_path / "images.h5"), "test", 32, smug.Acquisition())
    assert len(found.scans) == found.description["slices"] == len(found.subjects) == 2
