"""From a folder of volumes to a set: splits, what is skipped, what is done again, and what an interrupt leaves."""

import json
import os
import resource
import shutil
import signal
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from benchmarks.prepare import write_volume
from smug.data.prepared import file as prepared_file
from smug.data.prepared import prepare as module
from smug.data.prepared.file import read_prepared
from smug.data.prepared.full_volume import Settings
from smug.data.prepared.manifest import Manifest
from smug.data.prepared.prepare import prepare
from smug.data.simulate import Acquisition
from smug.physics.masks import random_lines

from ...processes import Started
from ...properties import assert_refused

FAST = Settings(maps="calibration")

SHAPES = {"a": (3, 4, (40, 48)), "b": (2, 4, (40, 48)), "one_coil": (2, 1, (32, 32)), "one_slice": (1, 2, (33, 46))}


def write(folder: Path, name: str, seed: int = 0, shape=(2, 2, (32, 32)), **attributes: str) -> Path:
    path = folder / f"{name}.h5"
    write_volume(path, *shape, seed=seed)
    with h5py.File(path, "r+") as file:
        file.attrs.update(attributes)
    return path


@pytest.fixture
def source(tmp_path) -> Path:
    """Volumes of several shapes, one of them zero padded, one undersampled, one broken, one of images."""
    folder = tmp_path / "source"
    for seed, (name, shape) in enumerate(SHAPES.items()):
        write(folder, name, seed, shape)
    with h5py.File(folder / "b.h5", "r+") as file:
        file["kspace"][..., :4] = 0
        file["kspace"][..., -4:] = 0
    mask = random_lines(32, 2, 0.2, seed=0)[0].numpy()
    with h5py.File(write(folder, "undersampled", 7), "r+") as file:
        file["mask"] = mask
        file["kspace"][...] *= mask
    (folder / "broken.h5").write_bytes((folder / "a.h5").read_bytes()[:-1000])
    (folder / "picture.png").write_bytes(b"\x89PNG")
    (folder / "notes.txt").write_text("not a volume")
    return folder


def contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((out / "volumes").iterdir())}


def times(out: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (out / "volumes").iterdir()}


def test_a_volume_becomes_a_file_that_says_what_it_holds(source, tmp_path):
    prepare(source, tmp_path / "out", FAST)
    with h5py.File(tmp_path / "out" / "volumes" / "b.h5") as file, h5py.File(source / "b.h5") as given:
        assert {name: (file[name].shape, file[name].dtype) for name in file} == {
            "kspace": ((2, 4, 40, 48), np.complex64),
            "maps": ((2, 4, 40, 48), np.complex64),
            "target": ((2, 40, 48), np.complex64),
            "mask": ((48,), bool),
        }
        assert file["kspace"].chunks == file["maps"].chunks == (1, 4, 40, 48)
        assert np.array_equal(file["kspace"], given["kspace"])
        assert file["mask"][()].tolist() == 4 * [False] + 40 * [True] + 4 * [False]
        a = dict(file.attrs)
    assert a["encoded_lines"] == 40 and a["crop"].tolist() == [40, 48] and a["kspace"] == "measured"
    assert json.loads(a["slices"]) == ["b-000", "b-001"] and a["source"] == "b.h5"
    assert json.loads(a["settings"]) == FAST.described and 0.3 < a["scale"] < 3


def test_what_cannot_be_prepared_is_skipped_with_the_reason(source, tmp_path):
    result = prepare(source, tmp_path / "out", FAST)
    manifest = Manifest.read(tmp_path / "out")
    assert manifest == result.manifest and result.made == 4
    assert {v.file: (len(v.slices), v.coils, v.matrix) for v in manifest.volumes} == {
        f"{name}.h5": shape for name, shape in SHAPES.items()
    }
    reasons = {skip.file: skip.reason for skip in manifest.skipped}
    assert reasons.keys() == {"undersampled.h5", "broken.h5", "picture.png"}
    assert reasons["undersampled.h5"].startswith("undersampled (2.00x)")
    assert "damaged" in reasons["broken.h5"] and "--simulate" in reasons["picture.png"]
    assert str(tmp_path) not in (tmp_path / "out" / "manifest.json").read_text()


@pytest.mark.parametrize("workers", [0, 1])
def test_what_is_doubtful_in_a_file_is_told_when_it_is_prepared(workers, tmp_path):
    with h5py.File(write(tmp_path / "source", "shifted"), "r+") as file:
        file["kspace"][...] *= (-1.0) ** np.arange(32)
    write(tmp_path / "source", "good", 1)
    done = prepare(tmp_path / "source", tmp_path / "out", FAST, workers=workers)
    (warning,) = done.warnings
    assert "shifted.h5: the image lies at the edges of the field of view" in warning and done.made == 2
    assert prepare(tmp_path / "source", tmp_path / "out", FAST).warnings == ()  # nothing was prepared


def test_the_number_of_workers_changes_no_byte(source, tmp_path):
    none, two = (prepare(source, tmp_path / f"{n}", Settings(), workers=n).manifest for n in (0, 2))
    assert none == two
    assert contents(tmp_path / "0") == contents(tmp_path / "2")


def test_a_second_run_does_nothing_twice(source, tmp_path, monkeypatch):
    out, done = tmp_path / "out", []
    first = prepare(source, out, FAST)
    before = times(out)
    monkeypatch.setattr(module, "worked", lambda work, jobs, workers: done.extend(jobs) or [])
    again = prepare(source, out, FAST, advance=lambda n: done.append(n))
    assert done == 7 * [1]  # files are counted, none is worked on
    assert (again.made, again.manifest) == (0, first.manifest) and times(out) == before


def test_what_has_changed_is_made_again(source, tmp_path):
    out = tmp_path / "out"
    first = prepare(source, out, FAST)
    before = times(out)
    os.utime(source / "a.h5")  # touched, not changed
    write(source, "b", seed=9, shape=SHAPES["b"])
    write(source, "new", seed=5)
    (out / "volumes" / "one_coil.h5").unlink()
    (source / "broken.h5").unlink()
    second = prepare(source, out, FAST)
    after = times(out)
    assert {name for name in after if after[name] != before.get(name)} == {"b.h5", "new.h5", "one_coil.h5"}
    assert second.made == 3 and second.manifest.sha256 != first.manifest.sha256
    assert {skip.file for skip in second.manifest.skipped} == {"undersampled.h5", "picture.png"}
    third = prepare(source, out, Settings(maps="espirit"))
    assert third.made == 5


def test_a_source_that_is_broken_now_takes_its_volume_along(source, tmp_path):
    out = tmp_path / "out"
    prepare(source, out, FAST)
    (source / "a.h5").write_bytes(b"")
    manifest = prepare(source, out, FAST).manifest
    assert "a.h5" in {skip.file for skip in manifest.skipped}
    assert not (out / "volumes" / "a.h5").exists() and len(manifest.volumes) == 3


def test_volumes_stay_when_their_sources_are_gone(source, tmp_path):
    out = tmp_path / "out"
    first = prepare(source, out, FAST)
    (source / "a.h5").unlink()
    again = prepare(source, out, FAST)
    assert again.made == 0 and again.manifest.sha256 == first.manifest.sha256
    assert_refused(lambda: prepare(source, out, Settings(maps="espirit")), "prepared with other settings")


def test_a_damaged_volume_is_made_again(source, tmp_path):
    out = tmp_path / "out"
    first = prepare(source, out, FAST)
    (out / "volumes" / "b.h5").write_bytes(b"damaged")
    again = prepare(source, out, FAST)
    assert again.made == 1 and again.manifest == first.manifest


def test_a_process_that_dies_costs_its_file_only(source, tmp_path, monkeypatch):
    whole = module.worked

    def dying(work, jobs, workers):
        yield from ((job, None if job.file == "a.h5" else result) for job, result in whole(work, jobs, workers))

    with monkeypatch.context() as patch:
        patch.setattr(module, "worked", dying)
        manifest = prepare(source, tmp_path / "out", FAST).manifest
    assert "a.h5" not in {v.file for v in manifest.volumes} and not (tmp_path / "out" / "volumes" / "a.h5").exists()
    assert {s.file: s.reason for s in manifest.skipped}["a.h5"].startswith("the process that prepared it died")
    assert prepare(source, tmp_path / "out", FAST).made == 1  # it is tried again


def test_an_interrupt_in_the_middle_of_a_volume(source, tmp_path, monkeypatch):
    out, seen = tmp_path / "out", []

    def interrupted(volume, index):
        seen.append(volume.names[index])
        if len(seen) == 5:
            raise KeyboardInterrupt
        return volume.scan(index)

    with monkeypatch.context() as patch:
        patch.setattr(prepared_file, "_scan", interrupted)
        with pytest.raises(KeyboardInterrupt):
            prepare(source, out, FAST)
    assert seen[-1] == "b-001"
    assert [path.name for path in out.rglob("*")] == ["volumes", "a.h5"]
    before = times(out)
    again = prepare(source, out, FAST)
    assert again.made == 3 and times(out)["a.h5"] == before["a.h5"]
    assert again.manifest == prepare(source, tmp_path / "other", FAST).manifest


def test_killed_in_the_middle_and_run_again(tmp_path):
    source, out = tmp_path / "source", tmp_path / "out"
    for seed in range(4):
        write(source, f"volume{seed}", seed, shape=(6, 2, (32, 32)))
    process = Started("-m", "smug", "prepare", source, out, "--workers", "1", "--maps", "calibration")
    while not list(out.glob("volumes/volume*.h5")) and not process.ended():
        time.sleep(0.005)
    process.send(signal.SIGKILL)
    status, *_ = process.wait()
    for path in out.glob("volumes/volume*.h5"):
        assert len(read_prepared(path).entry.slices) == 6
    (out / "volumes" / ".volume9.12345.h5").write_bytes(b"half")
    before = times(out)
    assert status == -signal.SIGKILL and len(list(out.glob("volumes/volume*.h5"))) < 4
    time.sleep(0.2)  # the worker notices
    again = prepare(source, out, FAST)
    assert 0 < again.made < 4 and all(times(out)[name] == before[name] for name in before if name.startswith("vol"))
    assert set(contents(out)) == {f"volume{seed}.h5" for seed in range(4)}
    assert again.manifest == prepare(source, tmp_path / "other", FAST).manifest


def test_a_disk_without_room_for_a_volume_ends_the_run(source, tmp_path, monkeypatch):
    usage, out = shutil.disk_usage(tmp_path), tmp_path / "out"
    left = iter([usage.free, 1000])
    with monkeypatch.context() as patch:
        patch.setattr(prepared_file.shutil, "disk_usage", lambda path: usage._replace(free=next(left)))
        with pytest.raises(OSError, match=r"could not write .*b\.h5: No space left on device"):
            prepare(source, out, FAST)
    assert list(contents(out)) == ["a.h5"]
    assert prepare(source, out, FAST).made == 3


def test_a_disk_that_is_full_suddenly_ends_the_run(source, tmp_path):
    out = tmp_path / "out"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (350_000, before[1]))
    try:
        assert_refused(lambda: prepare(source, out, FAST), "could not write ...a.h5: File too large", error=OSError)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not out.exists()
    assert prepare(source, out, FAST).made == 4


def test_slices_without_signal_are_left_out(tmp_path):
    with h5py.File(write(tmp_path / "source", "a", shape=(4, 2, (32, 32))), "r+") as file:
        file["kspace"][::2] = 0
    prepare(tmp_path / "source", tmp_path / "out", FAST)
    stored = read_prepared(tmp_path / "out" / "volumes" / "a.h5")
    assert stored.entry.slices == ("a-001", "a-003")


def test_no_subject_is_in_two_splits(tmp_path):
    source = tmp_path / "source"
    for seed in range(8):
        write(source, f"file{seed}", seed, patient_id=f"patient {seed // 2}")
    manifest = prepare(source, tmp_path / "out", FAST, fractions=(0.4, 0.3, 0.3)).manifest
    subjects = [{v.subject for v in manifest.of(split)} for split in ("train", "val", "test")]
    assert sum(map(len, subjects)) == len(set.union(*subjects)) == 4 and all(subjects)
    assert sum(len(manifest.of(split)) for split in manifest.splits) == 8
    assert "patient" not in (tmp_path / "out" / "manifest.json").read_text()


def test_splits_that_folders_name_are_respected(tmp_path):
    source = tmp_path / "source"
    for seed, name in enumerate(["multicoil_train/x", "multicoil_val/y", "multicoil_test/z"]):
        write(source, name, seed, patient_id=str(seed))
    write(source, "multicoil_test/leak", 5, patient_id="0")
    shutil.copy(source / "multicoil_train" / "x.h5", source / "multicoil_val" / "copy.h5")
    manifest = prepare(source, tmp_path / "out", FAST).manifest
    assert manifest.splits == {"train": ("x.h5",), "val": ("y.h5",), "test": ("z.h5",)}
    reasons = {skip.file: skip.reason for skip in manifest.skipped}
    assert "shows a subject of the train split" in reasons["multicoil_test/leak.h5"]
    assert reasons["multicoil_val/copy.h5"] == "holds the same as multicoil_train/x.h5"


def test_files_of_the_same_name_are_kept_apart(tmp_path):
    source = tmp_path / "source"
    for seed, name in enumerate(["train/x", "val/x", "p1/T1", "p2/T1", "p2/T 1 é"]):
        write(source, name, seed)
    manifest = prepare(source, tmp_path / "out", FAST).manifest
    files = {v.source: v.file for v in manifest.volumes}
    assert len(set(files.values())) == 5 and files["p1/T1.h5"] == "p1-T1.h5"
    assert all(name.isascii() and " " not in name for name in files.values())
    assert len({s for v in manifest.volumes for s in v.slices}) == 10
    assert {v.subject for v in manifest.volumes if v.source.startswith("p2")} == {"p2"}


def test_simulated_sets_say_so_everywhere(tmp_path):
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    rng = np.random.default_rng(0)
    with h5py.File(source / "train.h5", "w") as file:
        for name in ("p1-T1", "p1-T2"):
            file[name] = rng.integers(0, 900, (3, 20, 24)).astype("u2")
            file[name].attrs["patient"] = "p1"
    images = rng.uniform(size=(2, 20, 24))
    images[0] = 0
    np.save(source / "val.npy", images)
    write(source, "raw", shape=(1, 2, (16, 16)))
    manifest = prepare(source, out, Settings(simulate=Acquisition(coils=2), size=16)).manifest
    assert manifest.settings == {
        "kspace": "simulated", "size": 16, "coils": 2, "profile_width": 1.2, "noise": 0.01, "phase": 1.0
    }  # fmt: skip
    assert {v.file: (v.slices[0], v.subject, v.matrix) for v in manifest.volumes} == {
        "train+00-p1-T1.h5": ("p1-T1-000", "p1", (16, 16)),
        "train+01-p1-T2.h5": ("p1-T2-000", "p1", (16, 16)),
        "val.h5": ("val-001", "val.npy", (16, 16)),
    }
    assert [skip.file for skip in manifest.skipped] == ["raw.h5"] and "k-space" in manifest.skipped[0].reason
    for path in (out / "volumes").iterdir():
        with h5py.File(path) as file:
            assert file.attrs["kspace"] == "simulated" and file.attrs["noise_sigma"] == 0.01
    assert prepare(source, out, Settings(simulate=Acquisition(coils=2), size=16)).made == 0


@pytest.mark.parametrize("place", [".", "inside", "../source"])
def test_the_set_is_not_made_in_its_source(source, place):
    assert_refused(lambda: prepare(source, source / place, FAST), "is the source folder, or in it")


def test_folders_that_hold_something_else_are_refused(source, tmp_path):
    out = tmp_path / "out"
    for name in ("thesis.tex", "volumes/data.csv", "volumes/foreign.h5"):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / "a.h5", out / name)
        with pytest.raises(ValueError, match=f"{Path(name).name}.*prepared"):
            prepare(source, out, FAST)
        (out / name).unlink()
    prepare(source, out, FAST)
    assert_refused(lambda: prepare(out, tmp_path / "second", FAST), "is a prepared set already")
    (tmp_path / "file").write_text("")
    assert_refused(lambda: prepare(source, tmp_path / "file", FAST), "got a file")


def test_folders_without_volumes_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a folder of volumes"):
        prepare(tmp_path / "nowhere", tmp_path / "out", FAST)
    (tmp_path / "empty").mkdir()
    assert_refused(lambda: prepare(tmp_path / "empty", tmp_path / "out", FAST), "expected files of k-space")
    assert not (tmp_path / "out").exists()


def test_two_at_a_time_are_one_too_many(source, tmp_path):
    out = tmp_path / "out"

    def meanwhile(_: int) -> None:
        assert_refused(lambda: prepare(source, out, FAST), "another smug prepare is at work")

    assert prepare(source, out, FAST, advance=meanwhile).made == 4
    assert sorted(path.name for path in out.iterdir()) == ["manifest.json", "volumes"]


def test_links_are_followed_once(source, tmp_path):
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "data").symlink_to(source)
    (source / "loop").symlink_to(linked)
    (linked / "gone.h5").symlink_to(tmp_path / "nowhere.h5")
    manifest = prepare(linked, tmp_path / "out", FAST).manifest
    assert {v.source for v in manifest.volumes} == {f"data/{name}.h5" for name in SHAPES}
    assert "gone.h5" in {skip.file for skip in manifest.skipped}
