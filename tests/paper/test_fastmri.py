"""From files as fastMRI publishes them to the paper's splits, and from these to its first table."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from benchmarks.prepare import write_volume
from smug.cli import main
from smug.data.prepared.full_volume import Settings
from smug.data.prepared.prepare import prepare
from smug.data.prepared.set import PreparedSet
from smug.data.prepared.splits import SPLITS
from smug.data.prepared.workers import worked
from smug.models.denoisers import NetworkConfig
from smug.paper import experiment, fastmri, scales
from smug.paper.fastmri import prepare_fastmri, shortage
from smug.paper.fastmri_volumes import PER_VOLUME, Volume, even_shares, slices_by_split
from smug.paper.scales import SCALES, with_data
from smug.training.config import OptimizerConfig

HEADER = """<?xml version="1.0" encoding="utf-8"?><ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD"><encoding>
<encodedSpace><matrixSize><x>{readout}</x><y>{phase}</y><z>1</z></matrixSize>
<fieldOfView_mm><x>440</x><y>275</y><z>7.5</z></fieldOfView_mm></encodedSpace>
<reconSpace><matrixSize><x>{half}</x><y>{half}</y><z>1</z></matrixSize>
<fieldOfView_mm><x>220</x><y>220</y><z>5</z></fieldOfView_mm></reconSpace>
<encodingLimits><kspace_encoding_step_1><minimum>0</minimum><maximum>{last}</maximum><center>{center}</center>
</kspace_encoding_step_1></encodingLimits><trajectory>cartesian</trajectory></encoding></ismrmrdHeader>"""


def publish(path: Path, slices: int = 4, coils: int = 3, phase: int = 40, *, seed: int, patient: str = "") -> Path:
    """Write a file of 32 x 32 images: readout oversampled by 2, phase by 1.25, the outermost lines zero padded."""
    readout, encoded = 64, phase - 4
    write_volume(path, slices, coils, (readout, phase), seed=seed)
    header = HEADER.format(readout=readout, phase=phase, half=32, last=encoded - 1, center=encoded // 2)
    with h5py.File(path, "r+") as file:
        file["kspace"][..., :2] = 0
        file["kspace"][..., -2:] = 0
        file["ismrmrd_header"] = header.encode()
        file["reconstruction_rss"] = np.zeros((slices, 32, 32), np.float32)
        contrast = "AXT2" if seed % 2 else "AXFLAIR"
        file.attrs.update(acquisition=contrast, max=1.0, norm=1.0, patient_id=patient or f"patient {seed}")
    return path


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch):
    """A process for every file costs more than its few slices."""
    monkeypatch.setattr("smug.data.hdf5_check.check_readable", lambda path: None)
    monkeypatch.setattr(fastmri, "worked", lambda work, jobs, workers: worked(work, jobs, 0))


@pytest.fixture
def source(tmp_path) -> Path:
    """Volumes of several matrices and numbers of coils; one is undersampled, and one is cut off."""
    folder = tmp_path / "fastmri" / "brain"
    for seed in range(4):
        publish(
            folder / "multicoil_train" / f"file_brain_{seed}.h5",
            seed=seed,
            coils=2 + seed % 2,
            phase=40 + 4 * (seed % 2),
        )
    for seed in (10, 11):
        publish(folder / "multicoil_val" / f"file_brain_{seed}.h5", seed=seed)
    with h5py.File(publish(folder / "multicoil_test" / "file_brain_20.h5", seed=20), "r+") as file:
        file["mask"] = np.arange(40) % 4 == 0
        file["kspace"][...] *= file["mask"][()]
    damaged = publish(folder / "multicoil_train" / "file_brain_5.h5", seed=5)
    damaged.write_bytes(damaged.read_bytes()[:-5000])
    return folder


def counts(folder: Path) -> dict[str, int]:
    data = PreparedSet.open(folder)
    return {split: len(data.slices(split)) for split in SPLITS}


def test_so_many_slices_and_no_subject_twice(source, tmp_path):
    told = []
    out = prepare_fastmri(source, tmp_path / "out", train=6, val=2, test=3, report=told.append)
    assert counts(out) == {"train": 6, "val": 2, "test": 3}
    assert shortage(out) == ""
    data = PreparedSet.open(out)
    assert data.kspace == "measured"
    subjects = [{which.subject for which in data.slices(split)} for split in SPLITS]
    assert len(set.union(*subjects)) == sum(map(len, subjects))
    # fastMRI's own split is kept where there are volumes enough
    held_out = {volume.source for split in ("val", "test") for volume in data.manifest.of(split)}
    assert held_out == {"multicoil_val/file_brain_10.h5", "multicoil_val/file_brain_11.h5"}
    assert all(volume.source.startswith("multicoil_train") for volume in data.manifest.of("train"))
    for volume in data.manifest.volumes:
        assert volume.matrix[0] == 32 and volume.encoded_lines == volume.matrix[1] - 4
    [central] = (v.slices for v in data.manifest.of("val"))
    assert [name[-3:] for name in central] == ["001", "002"]
    [cut] = [line for line in told if "file_brain_5.h5" in line]
    assert cut.startswith(f"{source}/multicoil_train/file_brain_5.h5: left out: the HDF5 file is damaged")
    assert any("1 file left out, such as multicoil_test/file_brain_20.h5: undersampled" in line for line in told)


def test_a_second_call_makes_nothing(source, tmp_path, monkeypatch):
    prepare_fastmri(source, tmp_path / "out", 6, 2, 3)
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out" / "volumes").iterdir()}
    monkeypatch.setattr(fastmri, "worked", lambda *_: pytest.fail("nothing is to be done"))
    told = []
    assert prepare_fastmri(source, tmp_path / "out", 6, 2, 3, report=told.append) == tmp_path / "out"
    assert before == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out" / "volumes").iterdir()}
    assert not told


def test_other_files_make_another_set(source, tmp_path):
    out = prepare_fastmri(source, tmp_path / "out", 6, 2, 3)
    before = PreparedSet.open(out).manifest
    others = tmp_path / "others"
    for seed in range(20, 24):
        publish(others / f"file_brain_{seed}.h5", seed=seed)
    after = PreparedSet.open(prepare_fastmri(others, out, 6, 2, 3)).manifest
    assert after.sha256 != before.sha256
    assert {volume.source for volume in after.volumes} <= {f"file_brain_{seed}.h5" for seed in range(20, 24)}
    # and one more, where there were too few
    assert "fewer" in shortage(prepare_fastmri(others, out, 60, 2, 3))
    publish(others / "file_brain_24.h5", seed=24)
    assert counts(prepare_fastmri(others, out, 60, 2, 3))["train"] > 8


def test_what_is_interrupted_goes_on(source, tmp_path, monkeypatch):
    whole = prepare_fastmri(source, tmp_path / "whole", 6, 2, 3)
    made, make = [], fastmri.make

    def interrupted(job):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(job.file)
        return make(job)

    monkeypatch.setattr(fastmri, "make", interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare_fastmri(source, tmp_path / "out", 6, 2, 3)
    assert not (tmp_path / "out" / "manifest.json").exists()
    monkeypatch.setattr(fastmri, "make", lambda job: made.append(job.file) or make(job))
    prepare_fastmri(source, tmp_path / "out", 6, 2, 3)
    assert len(made) == len(set(made)) == len(PreparedSet.open(whole).manifest.volumes)
    assert PreparedSet.open(tmp_path / "out").manifest == PreparedSet.open(whole).manifest


def test_others_take_the_place_of_volumes_that_turn_out_to_be_damaged(source, tmp_path):
    first = PreparedSet.open(prepare_fastmri(source, tmp_path / "first", 6, 2, 3)).manifest.of("train")[0].source
    with h5py.File(source / first, "r+") as file:
        file["kspace"][1, 0, 3, 4] = np.nan
    told = []
    data = PreparedSet.open(prepare_fastmri(source, tmp_path / "out", 6, 2, 3, report=told.append))
    assert counts(data.folder) == {"train": 6, "val": 2, "test": 3}
    assert first not in {volume.source for volume in data.manifest.volumes}
    assert first in {skip.file for skip in data.manifest.skipped}
    [line] = [line for line in told if f"{first}: left out" in line]
    assert "expected finite" in line


def test_the_same_volume_under_two_names_is_in_one_split(tmp_path):
    folder = tmp_path / "knee"
    for seed in range(4):
        path = publish(folder / f"file{seed}.h5", slices=2, seed=seed)
        with h5py.File(path, "r+") as file:
            del file.attrs["patient_id"]
        shutil.copy(path, folder / f"again{seed}.h5")
    told = []
    data = PreparedSet.open(prepare_fastmri(folder, tmp_path / "out", 100, 2, 2, report=told.append))
    contents = [volume.source_sha256 for volume in data.manifest.volumes]
    assert len(contents) == len(set(contents)) == 4
    assert len([line for line in told if "holds the same as" in line]) == 4


def test_fewer_than_wanted(source, tmp_path):
    out = prepare_fastmri(source, tmp_path / "out", 3000, 32, 64)
    assert counts(out) == {"train": 16, "val": 4, "test": 4}
    assert shortage(out) == "fewer slices than wanted: 16 of 3000 train, 4 of 32 val, 4 of 64 test"
    # others that are wanted later take their place
    prepare_fastmri(source, out, 4, 1, 1)
    assert counts(out) == {"train": 4, "val": 1, "test": 1} and shortage(out) == ""
    kept = {volume.file for volume in PreparedSet.open(out).manifest.volumes}
    assert {path.name for path in (out / "volumes").iterdir()} == kept


def test_too_few_subjects(tmp_path):
    for seed in range(3):
        publish(tmp_path / "brain" / f"file{seed}.h5", seed=seed, patient="one")
    with pytest.raises(ValueError, match="brain: expected fully sampled volumes of at least 3 subjects, got 1"):
        prepare_fastmri(tmp_path / "brain", tmp_path / "out")


def test_the_papers_counts():
    """As many volumes as fastMRI has: 8 slices of each, and its own splits."""
    files = [
        Volume(f"multicoil_{split}/file{number}.h5", f"{split} {number}", 16)
        for split, volumes in (("train", 973), ("val", 199))
        for number in range(volumes)
    ]
    taken = slices_by_split(files, {"train": 3000, "val": 32, "test": 64})
    assert {split: sum(shares.values()) for split, shares in taken.items()} == {"train": 3000, "val": 32, "test": 64}
    assert {split: len(shares) for split, shares in taken.items()} == {"train": 375, "val": 4, "test": 8}
    assert all(count == PER_VOLUME for shares in taken.values() for count in shares.values())
    assert all(file.startswith("multicoil_train") == (split == "train") for split in SPLITS for file in taken[split])
    assert slices_by_split(files[::-1], {"train": 3000, "val": 32, "test": 64}) == taken
    few = slices_by_split(files[:20], {"train": 3000, "val": 32, "test": 64})
    assert {split: len(shares) for split, shares in few.items()} == {"train": 16, "val": 2, "test": 2}


def test_subjects_stay_together():
    files = [Volume(f"file{number}.h5", f"subject {number // 3}", 4) for number in range(30)]
    taken = slices_by_split(files, {"train": 60, "val": 6, "test": 6})
    subject = {found.file: found.subject for found in files}
    splits = [{subject[file] for file in shares} for shares in taken.values()]
    assert sum(map(len, splits)) == len(set.union(*splits))


def test_shares_are_even():
    files = [Volume(f"{n}", f"{n}", n) for n in (1, 5, 9)]
    assert even_shares(files, 7) == {"1": 1, "5": 3, "9": 3}
    assert even_shares(files, 99) == {"1": 1, "5": 5, "9": 9}


def test_where_the_knee_is_missing_the_brain_stands_in(source, tmp_path):
    told = []
    placed = with_data(SCALES["tiny"], source.parent, tmp_path / "data", report=told.append)
    assert placed.knee.source == placed.brain.source == str(tmp_path / "data" / "brain")
    assert placed.knee.note.startswith("brain stands in for knee") and "stands in" not in placed.brain.note
    assert placed.together == 1 and with_data(SCALES["small"], source.parent, tmp_path / "data").together == 1
    assert placed.knee.kspace == "measured" and SCALES["tiny"].knee.kspace == "simulated"
    assert any(line.startswith("knee: brain stands in for knee, which is not there") for line in told)
    with pytest.raises(FileNotFoundError, match="expected the folders brain and knee in it"):
        with_data(SCALES["tiny"], source, tmp_path / "data")


def test_a_set_that_smug_prepare_has_made_is_taken_as_it_is(source, tmp_path):
    prepare(source, tmp_path / "sets" / "knee", Settings(maps="calibration"))
    placed = with_data(SCALES["tiny"], tmp_path / "sets", tmp_path / "data")
    assert placed.knee.source == str(tmp_path / "sets" / "knee") and placed.knee.note == ""
    assert placed.brain.note == "knee stands in for brain, which is not there"
    assert not (tmp_path / "data").exists()


UPDATE = OptimizerConfig(updates=1, batch=2, validate_every=1)

SMALLEST = replace(
    SCALES["paper"],
    config=replace(
        SCALES["paper"].config,
        steps=1,
        training_samples=1,
        network=NetworkConfig(kind="didn", channels=4, depth=1),
        data=replace(SCALES["paper"].config.data, size=32, count=8, validation=1),
        optimizer=UPDATE,
    ),
    start=UPDATE,
    warm=UPDATE,
    slices=1,
    num_samples=1,
)


def test_the_first_table_from_files_as_downloaded(source, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(scales.SCALES, "paper", SMALLEST)
    monkeypatch.setattr("smug.paper.matched_noise.HALVINGS", 1)
    monkeypatch.setattr("smug.paper.tables.OURS", ("cg-sense",))
    out = tmp_path / "out"
    table = tmp_path / "table.json"
    command = ("reproduce", "table1", "--config", "paper", "--data", source.parent, "--out", out, "--json", table)
    assert main([str(word) for word in command]) == 0
    told = capsys.readouterr().out
    assert "brain stands in for knee" in told and "file_brain_5.h5: left out" in told and "table1 is in" in told
    assert counts(out / "data" / "brain") == {"train": 8, "val": 1, "test": 1}
    document = json.loads((out / "table1.json").read_text())
    assert {part: data["kspace"] for part, data in document["data"].items()} == {
        "brain": "measured",
        "knee": "measured",
    }
    assert {record["method"] for record in document["records"]} >= {
        "modl",
        "rs-e2e",
        "smug",
        "weighted-smug",
        "cg-sense",
    }
    assert json.loads(table.read_text())["table1"] == document
    assert document["test"] == {"slices": 1, "noise": "iid", "num_samples": 1}
    assert len(document["data"]["brain"]["sha256"]) == 64
    assert "data crime" not in (out / "table1.md").read_text()

    # moved, with another spelling of the folder
    moved = out.rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    command = (*command[:7], moved.name, *command[8:])
    monkeypatch.setattr(fastmri, "worked", lambda *_: pytest.fail("prepared twice"))
    monkeypatch.setattr(experiment.trainer, "train", lambda *_, **__: pytest.fail("trained twice"))
    monkeypatch.setattr("smug.evaluation.store.RowStore.write", lambda *_, **__: pytest.fail("scored twice"))
    assert main([str(word) for word in command]) == 0
    assert json.loads((moved / "table1.json").read_text())["records"] == document["records"]


def test_the_paper_wants_data(capsys):
    assert main(["reproduce", "table1", "--config", "paper"]) == 2
    assert "--data: --config paper needs a folder with brain and knee" in capsys.readouterr().err
