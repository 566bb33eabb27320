import json
import re

import h5py
import numpy as np
import pytest
import torch
from PIL import Image

from smug.commands.places import distinct, labels


def images(path):
    with h5py.File(path) as file:
        return file["reconstruction"][()]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_ridge_unless_told_otherwise(smug, write_kspace, tmp_path, capsys):
    write_kspace(slices=1)
    assert smug("reconstruct", "scan.h5", "--undersample", 2, "--json", "r.json") == 0
    out = capsys.readouterr().out
    assert out.startswith("Device: ") and "reconstruction.h5: 1 slice by ridge at 2.00x; PSNR" in out
    document = json.loads((tmp_path / "r.json").read_text())
    head = ["schema", "version", "use", "command", "device", "model", "input", "acceleration", "settings", "units"]
    assert list(document)[:10] == head and document["model"] == "ridge" and document["device"] == "cpu"
    assert images(tmp_path / "reconstruction.h5").shape == (1, 32, 32)


@pytest.mark.parametrize(("model", "below"), [("modl-4x", 6.1), ("modl-ridge", None), ("ridge:1", None)])
def test_a_network_that_is_worse_on_measured_scans_says_so(model, below, smug, write_kspace, capsys):
    write_kspace(slices=1)
    assert smug("reconstruct", "scan.h5", "--model", model) == 0
    told = f"Warning: {model} is for experiments: on measured scans it was {below} dB below the best total variation"
    out = " ".join(capsys.readouterr().out.split())
    assert (told in out) == (below is not None) == ("ridge, the default, 1.1 dB above" in out)


@pytest.mark.parametrize(("model", "proved"), [("convex-ridge", True), ("cg-sense:0.01", True), ("ridge", False)])
def test_what_is_certified_is_told_and_kept(model, proved, smug, write_kspace, tmp_path, capsys):
    write_kspace(slices=2)
    assert smug("reconstruct", "scan.h5", "--model", model, "--json", "r.json") == 0
    told = re.search(
        r"Certified: where measurements change by 1 %, no slice changes by more than (\S+) % \(l2 norms\)\.",
        " ".join(capsys.readouterr().out.split()),
    )
    certified = json.loads((tmp_path / "r.json").read_text())["certified"]
    with h5py.File(tmp_path / "reconstruction.h5") as file:
        assert ("certified" in file.attrs) == proved
    assert (told is not None) == (certified is not None) == proved
    if told is not None:
        assert 100 * certified["image"] == pytest.approx(float(told[1]), rel=0.01) and certified["assuming"]


def test_a_file_that_cannot_be_read_does_not_stop_the_others(smug, write_kspace, tmp_path, capsys):
    write_kspace("b/scan.h5", slices=2)
    write_kspace("a/scan.h5")
    write_kspace("a/[x].h5")
    (tmp_path / "a" / "bad.h5").write_bytes(b"no k-space")
    words = ("--model", "zero-filled", "--out", "out", "--json", "r.json")
    assert smug("reconstruct", "a", "b/scan.h5", *words) == 2
    told = capsys.readouterr()
    assert told.err.splitlines()[-1] == "smug: 1 of 4 files left out: a/bad.h5"
    assert "Warning: a/bad.h5 is left out: expected an HDF5 file" in told.out and "2 slices" in told.out
    assert names(tmp_path / "out") == ["[x].h5", "a-scan.h5", "b-scan.h5"]
    document = json.loads((tmp_path / "r.json").read_text())
    assert [each["output"] for each in document["reconstructions"]] == ["out/[x].h5", "out/a-scan.h5", "out/b-scan.h5"]
    assert list(document["failed"]) == ["a/bad.h5"]
    alone = tmp_path / "alone.h5"
    assert smug("reconstruct", "b/scan.h5", "--model", "zero-filled", "--out", alone) == 0
    np.testing.assert_array_equal(images(alone), images(tmp_path / "out" / "b-scan.h5"))


def test_a_model_that_fails_on_one_file_does_not_lose_the_others(smug, write_kspace, tmp_path, capsys):
    write_kspace("a.h5", size=48)
    write_kspace("b.h5", size=32)
    code = "def f(y, A, generator=None):\n    if y.shape[-1] == 48:\n        raise RuntimeError('not this one')\n"
    (tmp_path / "mine.py").write_text(f"{code}    return A.H(y)\n")
    assert smug("reconstruct", "a.h5", "b.h5", "--model", "mine.py:f") == 2
    assert names(tmp_path / "reconstructions") == ["b.h5"]
    told = capsys.readouterr()
    assert "Warning: a.h5 is left out: " in told.out and "not this one" in told.out
    assert told.err.splitlines()[-1] == "smug: 1 of 2 files left out: a.h5"


def test_a_second_run_does_not_take_its_own_outputs_for_scans(smug, write_kspace, tmp_path):
    write_kspace("study/scan.h5")
    for _ in range(2):
        assert smug("reconstruct", "study", "--model", "zero-filled", "--out", "study/made") == 0
    assert names(tmp_path / "study" / "made") == ["scan.h5"]


@pytest.mark.parametrize("undersample", [(), ("--undersample", 2)])
def test_several_models_are_compared_in_a_picture(undersample, smug, write_kspace, tmp_path, capsys):
    write_kspace(slices=3)
    models = ("--model", "zero-filled", "--model", "cg-sense:0.1")
    assert smug("reconstruct", "scan.h5", *models, *undersample, "--format", "nii.gz", "--out", "out") == 0
    made = ["scan-cg-sense_0.1.nii.gz", "scan-comparison.png", "scan-zero-filled.nii.gz"]
    assert names(tmp_path / "out") == made
    with Image.open(tmp_path / "out" / "scan-comparison.png") as picture:
        assert picture.width > picture.height
    assert "out/scan-comparison.png: the middle slice by all models" in capsys.readouterr().out


def test_every_output_was_declared(smug, write_kspace, tmp_path):
    """What lies there after a run is what was checked before."""
    from smug.commands.reconstruct import Reconstruct

    write_kspace(slices=2)
    command = Reconstruct(
        files=(tmp_path / "scan.h5",),
        model=("zero-filled", "cg-sense"),
        out=tmp_path / "out",
        format="png",
        noise_sigma=1e-3,
        replicas=2,
        json=tmp_path / "out" / "r.json",
    )
    command.run()
    assert set((tmp_path / "out").iterdir()) == {o.path for o in command.outputs() if not o.folder}


def test_maps_that_cannot_be_drawn_are_a_warning(smug, write_kspace, tmp_path, capsys):
    write_kspace()
    assert smug("reconstruct", "scan.h5", "--model", "zero-filled", "--maps-figure", "maps.png") == 0
    assert "Warning: --maps-figure maps.png: not drawn: scan: a single coil has no maps" in capsys.readouterr().out
    assert names(tmp_path) == ["reconstruction.h5", "scan.h5"]


@pytest.mark.parametrize(("option", "name"), [("--maps-figure", "maps.jpg"), ("--out", "out.jpg"), ("--out", "out")])
def test_an_unknown_suffix_is_refused_before_the_work(option, name, smug, write_kspace, tmp_path, capsys):
    write_kspace()
    assert smug("reconstruct", "scan.h5", option, name) == 2
    told = capsys.readouterr()
    assert f"{option} {name}: expected a file name that ends in" in told.err and told.out == ""
    assert names(tmp_path) == ["scan.h5"]


@pytest.mark.parametrize("at", ["write_images", "write_figure", "write_json"])
def test_outputs_appear_together_or_not_at_all(at, smug, write_kspace, tmp_path, monkeypatch):
    write_kspace()
    place = {
        "write_images": "smug.data.images.write",
        "write_figure": "smug.system.figures",
        "write_json": "smug.system.files",
    }[at]

    def failing(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"{place}.{at}", failing)
    models = ("--model", "zero-filled", "--model", "cg-sense:0.1")
    assert smug("reconstruct", "scan.h5", *models, "--out", "out", "--json", "new/r.json") == 2
    assert names(tmp_path) == ["scan.h5"]


def test_a_reference_too_small_for_ssim_is_not_scored(smug, tmp_path, capsys):
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["kspace"] = np.ones((1, 32, 32), np.complex64)
        file["reconstruction_rss"] = np.ones((1, 5, 5), np.float32)
    assert smug("reconstruct", "scan.h5", "--model", "zero-filled", "--out", "o.h5", "--json", "o.json") == 0
    assert "PSNR" not in capsys.readouterr().out
    assert json.loads((tmp_path / "o.json").read_text())["quality"] == {}


def test_what_is_found_wrong_after_the_work_leaves_nothing(smug, write_kspace, tmp_path, capsys):
    write_kspace()
    (tmp_path / "broken.py").write_text("def f(y, A, generator=None):\n    return A.H(y) / 0\n")
    assert smug("reconstruct", "scan.h5", "--model", "broken.py:f", "--out", "o.h5", "--json", "o.json") == 2
    assert not (tmp_path / "o.h5").exists() and not (tmp_path / "o.json").exists()
    assert capsys.readouterr().err.count("\n") == 1


def test_what_is_assumed_stands_in_the_output(smug, write_kspace, tmp_path):
    """A file without a header does not state the size of its voxels."""
    write_kspace()
    assert smug("reconstruct", "scan.h5", "--model", "zero-filled", "--out", "o.h5", "--json", "o.json") == 0
    notes = json.loads((tmp_path / "o.json").read_text())["notes"]
    assert "1 mm is assumed" in notes["voxel_size"]
    with h5py.File(tmp_path / "o.h5") as file:
        assert json.loads(file.attrs["notes"]) == notes


def test_an_explicit_device_is_not_announced(smug, write_kspace, capsys):
    write_kspace()
    assert smug("reconstruct", "scan.h5", "--model", "zero-filled", "--device", "cpu") == 0
    assert "Device" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("gpus", "processes", "chosen"), [(0, 1, "cpu"), (1, 1, "cuda"), (2, 2, "cuda"), (1, 2, "cpu")]
)
def test_auto_takes_a_gpu_where_there_is_one_for_every_process(gpus, processes, chosen, monkeypatch):
    from smug.commands.models import Models
    from smug.commands.reconstruct import Reconstruct

    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    if processes > 1:
        for name, value in (("WORLD_SIZE", processes), ("LOCAL_WORLD_SIZE", processes), ("LOCAL_RANK", 0)):
            monkeypatch.setenv(name, str(value))
    assert Reconstruct(files=()).chosen == chosen
    assert Reconstruct(files=(), device="cpu").chosen == "cpu"
    assert "device" not in Models().head


def test_names_of_outputs():
    from pathlib import Path

    files = dict.fromkeys(map(Path, ("/s/a/x.h5", "/s/b/x.h5", "/s/a/X.cfl", "/s/y.h5")))
    given = distinct(files, ["x", "x", "X", "y"])
    assert given[3] == "y" and len({name.casefold() for name in given}) == 4
    assert labels(["tv", "runs/a", "other/a"]) == {"tv": "tv", "runs/a": "a-1", "other/a": "a-2"}


def test_doubtful_files_are_refused_or_read_as_one_says_with_a_warning(smug, tmp_path, capsys):
    """K-space whose zero frequency is in the corner."""
    from smug.data.phantom import head_phantom

    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["kspace"] = torch.fft.fft2(head_phantom(1, 64)[None]).to(torch.complex64).numpy()
    words = ("reconstruct", "scan.h5", "--model", "zero-filled")
    assert smug(*words) == 2
    assert "--centre peak" in capsys.readouterr().err and names(tmp_path) == ["scan.h5"]
    assert smug(*words, "--centre", "peak", "--json", "r.json") == 0
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Warning: ")]
    assert len(told) == 1 and "moved to the centre" in told[0]
    document = json.loads((tmp_path / "r.json").read_text())
    assert document["settings"]["centre"] == "peak" and len(document["warnings"]) == 1
    assert smug("info", "scan.h5", "--centre", "peak") == 0
    assert "moved to the centre" in capsys.readouterr().out


@pytest.fixture
def twelve(tmp_path):
    """A fully sampled slice of 12 coils with a little noise, ``twelve.h5``."""
    import smug as library

    size = 48
    maps = library.maps.simulated_maps(12, size, size, seed=0)
    A = library.Sense(torch.ones(1, size, dtype=torch.bool), maps)
    image = library.head_phantom(1, size)[None]
    scan = library.shifts.noise(library.Scan(A(image), A, image, ("twelve",)), 0.01, torch.zeros(1, dtype=torch.int64))
    with h5py.File(tmp_path / "twelve.h5", "w") as file:
        file["kspace"] = scan.y.numpy()


def test_coils_are_compressed_and_what_is_lost_is_told(twelve, smug, tmp_path, capsys, mistaken):
    words = ("reconstruct", "twelve.h5", "--model", "cg-sense:0.01", "--undersample", 2)
    assert smug(*words, "--out", "all.h5", "--json", "all.json") == 0
    assert "Warning" not in capsys.readouterr().out
    assert smug(*words, "--coils", 4, "--out", "four.h5", "--json", "four.json") == 0
    (told,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Warning: coils: ")]
    lost = re.fullmatch(
        r"Warning: coils: 12 are compressed to 4 virtual coils, which lose (.*) % of the energy.*", told
    )
    assert 0 < float(lost[1]) < 10
    every, four = images(tmp_path / "all.h5"), images(tmp_path / "four.h5")
    difference = np.linalg.norm(four - every) / np.linalg.norm(every)
    assert 1e-6 < difference < 0.1
    records = [json.loads((tmp_path / f"{name}.json").read_text()) for name in ("all", "four")]
    assert [record["settings"]["coils"] for record in records] == [None, 4]
    assert abs(records[1]["quality"]["psnr_rss"] - records[0]["quality"]["psnr_rss"]) < 2
    assert any("virtual coils" in sentence for sentence in records[1]["warnings"])
    assert smug(*words, "--coils", 12, "--out", "same.h5") == 0
    np.testing.assert_allclose(images(tmp_path / "same.h5"), every, rtol=0, atol=1e-3 * every.max())
    capsys.readouterr()
    before = names(tmp_path)
    mistaken(*words, "--coils", 13, "--out", "more.h5", message="coils: expected at most the 12")
    mistaken(*words, "--coils", 0, "--out", "more.h5", message="--coils")
    assert names(tmp_path) == before


@pytest.fixture
def radial(tmp_path):
    """Samples of a head along spokes, and their trajectory, as BART's ``k.cfl`` and ``t.cfl``."""
    import smug as library

    size, spokes = 32, 40
    k, angle = np.arange(size) + 0.5 - size / 2, np.pi * np.arange(spokes) / spokes
    points = np.stack([np.outer(k, np.sin(angle)), np.outer(k, np.cos(angle)), np.zeros((size, spokes))])
    trajectory = torch.from_numpy(points[:2].transpose(0, 2, 1).reshape(2, -1))[None]
    A = library.NonCartesian(trajectory, library.maps.simulated_maps(4, size, size, seed=0), (size, size))
    samples = A(library.head_phantom(1, size)[None])[0].numpy()
    for name, values in (("t", points), ("k", samples.reshape(4, spokes, size).transpose(2, 1, 0)[None])):
        dims = " ".join(map(str, [*values.shape, *[1] * (16 - values.ndim)]))
        (tmp_path / f"{name}.hdr").write_text(f"# Dimensions\n{dims}\n")
        values.astype("<c8").ravel(order="F").tofile(tmp_path / f"{name}.cfl")


def test_spokes_along_a_trajectory(radial, smug, tmp_path, capsys, mistaken):
    assert smug("info", "t.cfl", "--json", "i.json") == 0 and smug("info", "k.cfl", "--trajectory", "t.cfl") == 0
    told = capsys.readouterr().out
    assert "t.cfl: trajectory" in told and "k.cfl: measured non-Cartesian k-space" in told
    models = ("--model", "cg-sense", "--model", "tv", "--model", "ridge")
    assert smug("reconstruct", "k.cfl", "--trajectory", "t.cfl", *models, "--json", "r.json") == 0
    found = {path.name: images(path) for path in (tmp_path / "reconstructions").glob("*.h5")}
    assert len(found) == 3 and all(values.shape == (1, 32, 32) and values.any() for values in found.values())
    record = json.loads((tmp_path / "r.json").read_text())["reconstructions"][0]
    assert record["settings"]["trajectory"] == "t.cfl"
    capsys.readouterr()
    mistaken("reconstruct", "k.cfl", message="--trajectory TRAJ.cfl")
    mistaken("reconstruct", "t.cfl", message="KSPACE.cfl --trajectory")
    mistaken("reconstruct", "k.cfl", "--trajectory", "k.cfl", message="expected a trajectory of 3 x samples x spokes")
    mistaken("reconstruct", "k.cfl", "--trajectory", "none.cfl", message="none.hdr: no such file")
    for option in (("--undersample", 2), ("--centre", "peak"), ("--maps-figure", "m.png")):
        mistaken("reconstruct", "k.cfl", "--trajectory", "t.cfl", *option, message="it is for Cartesian k-space")
