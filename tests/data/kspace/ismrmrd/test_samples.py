"""Radial and other files that are not Cartesian: where samples lie, what is assumed of units, and what is refused."""

import json
import shutil
import subprocess
from dataclasses import replace
from typing import Any

import h5py
import ismrmrd
import numpy as np
import pytest
import torch

import smug
from smug.cli import main
from smug.data.kspace.non_cartesian import NonCartesianVolume
from smug.physics.maps.simulated import simulated_maps

from ....properties import assert_file_refused, assert_refused
from .conftest import Header, acquisition, noise_scan

N, COILS, SPOKES = 32, 4, 40
BART = shutil.which("bart")

RADIAL = Header(
    matrix=(N, N, 1),
    field_of_view=(220.0, 220.0, 5.0),
    recon_field_of_view=(220.0, 220.0, 5.0),
    limits=(0, SPOKES - 1, SPOKES // 2),
    trajectory="radial",
)


def points(spokes: int = SPOKES, samples: int = N, turn: float = 0.0) -> np.ndarray:
    """Coordinates ``(spoke, sample, 2)`` in cycles per field of view."""
    k = N * (np.arange(samples) + 0.5 - samples / 2) / samples
    angle = turn + np.pi * np.arange(spokes) / spokes
    return np.stack([np.outer(np.sin(angle), k), np.outer(np.cos(angle), k)], axis=-1)


def along(k: np.ndarray) -> smug.NonCartesian:
    trajectory = torch.from_numpy(k.reshape(-1, 2).T.copy())[None]
    return smug.NonCartesian(trajectory, simulated_maps(COILS, N, N, seed=0), (N, N))


def measured(k: np.ndarray, scale: float = 1.0) -> np.ndarray:
    """Samples ``(spoke, coil, sample)`` of a head."""
    y = scale * along(k)(smug.head_phantom(1, N)[None])[0]
    return y.numpy().reshape(COILS, *k.shape[:2]).transpose(1, 0, 2)


def spokes(k: np.ndarray, values: np.ndarray | None = None, unit: float = 1.0, **settings: Any) -> list[Any]:
    """The acquisitions of samples ``(spoke, coil, sample)`` at ``k``, stored in another unit."""
    values = measured(k) if values is None else values
    return [
        placed(one, unit * at, kspace_encode_step_1=i, **settings)
        for i, (one, at) in enumerate(zip(values, k, strict=True))
    ]


def placed(values: np.ndarray, at: np.ndarray, **settings: Any) -> Any:
    made = acquisition(values, **settings)
    made.resize(values.shape[1], values.shape[0], at.shape[1])
    made.data[:], made.traj[:] = values, at
    return made


def sizes(volume: NonCartesianVolume) -> tuple[int, ...]:
    return tuple(len(part[0]) for part in volume.kspace)


@pytest.mark.parametrize("word", ["radial", "spiral", "goldenangle", "other", "rosette"])
def test_samples_and_coordinates_belong_together(save, word):
    k = points()
    volume = smug.read_non_cartesian(save(spokes(k), replace(RADIAL, trajectory=word)))
    assert volume.shape == (N, N) and volume.names == ("scan-000",) and volume.format == "ISMRMRD"
    torch.testing.assert_close(volume.trajectory, along(k).trajectory, rtol=0, atol=1e-5)
    torch.testing.assert_close(volume.kspace[0], along(k)(smug.head_phantom(1, N)[None])[0])
    assert volume.geometry.voxel_size == pytest.approx((220 / N, 220 / N, 5.0))
    assert word in volume.attributes["trajectory"] and "cycles per field of view" in volume.attributes["trajectory"]
    assert not volume.warnings


OVERSAMPLED = replace(RADIAL, matrix=(2 * N, 2 * N, 1), field_of_view=(440.0, 440.0, 5.0))
READOUT = replace(RADIAL, matrix=(2 * N, N, 1), field_of_view=(440.0, 220.0, 5.0))


@pytest.mark.parametrize(
    ("header", "unit", "told"),
    [
        (RADIAL, 1, "cycles per field of view"),
        (RADIAL, 1 / N, "cycles per pixel"),
        (OVERSAMPLED, 1, "cycles per field of view"),
        (OVERSAMPLED, 1 / N, "cycles per pixel"),
        (OVERSAMPLED, 2, "cycles per encoded field of view"),
        (READOUT, 1, "cycles per field of view"),
        (READOUT, 2, "cycles per encoded field of view of the readout"),
        (replace(RADIAL, matrix=(0, 0, 0)), 1, "cycles per field of view"),
    ],
)
def test_units_are_told_by_the_largest_coordinate(save, header, unit, told):
    """Readouts are oversampled by 2: the distance of their samples is no unit."""
    k = points(samples=2 * N)
    volume = smug.read_non_cartesian(save(spokes(k, unit=unit), header))
    assert f"taken as {told}, of {N} x {N} pixels" in volume.attributes["trajectory"]
    torch.testing.assert_close(volume.trajectory, along(k).trajectory, rtol=0, atol=1e-5)
    assert volume.shape == (N, N)


@pytest.mark.parametrize("unit", [2 * np.pi / N, 0.005, 0.1, 10, 1000])
def test_other_units_are_refused(save, unit):
    assert_file_refused(smug.read_non_cartesian, save(spokes(points(), unit=unit), RADIAL), "got at most...scale them")


def test_coordinates_per_pixel_need_a_matrix(save):
    path = save(spokes(points(), unit=1 / N), replace(RADIAL, matrix=(0, 0, 0)))
    assert_file_refused(smug.read_non_cartesian, path, "the header states no matrix")


def test_a_trajectory_that_reaches_a_little_further_makes_more_pixels(save):
    path = save(spokes(points(), unit=1.05), RADIAL)
    volume = smug.read_non_cartesian(path)
    assert volume.shape == (N + 2, N + 2) and f"matrix of {N} x {N}: the image has" in volume.warnings[0]
    assert volume.geometry.voxel_size[0] == pytest.approx(220 / (N + 2))


def test_the_number_of_spokes_is_not_that_of_pixels(save):
    text = replace(RADIAL, matrix=(N, N, 1)).xml().replace(f"<y>{N}</y>", "<y>400</y>", 1)
    volume = smug.read_non_cartesian(save(spokes(points()), text))
    assert volume.shape == (N, N) and "400 encoded lines" in volume.warnings[0]


def test_slices_and_repetitions_have_coordinates_of_their_own(save):
    """Slices of 40 and 30 spokes, the second repetition turned."""
    rows = []
    for repetition in range(2):
        for slice_, count in enumerate((SPOKES, 30)):
            k = points(count, turn=repetition)
            rows += spokes(k, measured(k, 1 + slice_ + 2 * repetition), slice=slice_, repetition=repetition)
    order = np.random.default_rng(0).permutation(len(rows))
    mixed = smug.read_non_cartesian(save([rows[i] for i in order], RADIAL, name="mixed"))
    volume = smug.read_non_cartesian(save(rows, RADIAL))
    assert volume.frames == 2 and volume.names[3] == "scan-001-001"
    assert sizes(volume) == sizes(mixed) == (SPOKES * N, 30 * N) * 2
    assert volume.acceleration == pytest.approx(N / 35)
    images = smug.reconstruct("cg-sense:0.01", volume, batch=3).images
    one = smug.reconstruct("cg-sense:0.01", save(spokes(points()), RADIAL, name="one")).images[0]
    for image, scale in zip(images.abs(), (1, 2, 3, 4), strict=True):
        assert (image - scale * one.abs()).norm() < 0.2 * scale * one.norm()
    adjoint, of_mixed = (v.operator(3).H(v.kspace[3][:, None]) for v in (volume, mixed))
    torch.testing.assert_close(of_mixed, adjoint, rtol=1e-4, atol=1e-4)


def test_equal_coordinates_are_kept_once(save):
    rows = [row for i in range(3) for row in spokes(points(), slice=i)]
    volume = smug.read_non_cartesian(save(rows, RADIAL))
    assert len(volume) == 3 and len(volume.trajectory) == 1


def test_slices_that_share_a_counter_are_told_apart_by_position(save):
    rows = spokes(points()) + spokes(points(), position=(0.0, 0.0, 10.0))
    path = save(rows, RADIAL)
    volume = smug.read_non_cartesian(path)
    assert len(volume) == 2 and "by their position" in volume.warnings[0]
    assert volume.geometry.voxel_size[2] == 10
    assert sizes(smug.read_non_cartesian(path, slices="by-counter")) == (2 * SPOKES * N,)


def test_slices_are_sorted_along_their_normal(save):
    axes = {"read_dir": (1.0, 0.0, 0.0), "phase_dir": (0.0, 1.0, 0.0), "slice_dir": (0.0, 0.0, 1.0)}
    places = (0.0, 10.0, 5.0)
    rows = [
        row
        for s, z in enumerate(places)
        for row in spokes(points(), measured(points(), 1 + z), slice=s, position=(0.0, 0.0, z), **axes)
    ]
    path = save(rows, RADIAL)
    for slices, order, warnings in (("checked", (0, 5, 10), 0), ("by-counter", places, 1)):
        volume = smug.read_non_cartesian(path, slices=slices)
        largest = [float(samples.abs().max()) for samples in volume.kspace]
        assert largest == pytest.approx([(1 + z) * largest[0] for z in order])
        assert volume.geometry.oriented == ("slice_order" in volume.attributes) == (slices == "checked")
        assert sum("are not kept" in told for told in volume.warnings) == warnings


def test_a_noise_scan_whitens_and_tells_the_level(save):
    rng = np.random.default_rng(0)
    path = save([noise_scan(4 * np.eye(COILS), rng), *spokes(points())], RADIAL)
    volume = smug.read_non_cartesian(path)
    assert (
        volume.noise_sigma == pytest.approx(2**0.5, rel=0.02) and "noise samples" in volume.attributes["prewhitening"]
    )
    expected = torch.from_numpy(measured(points())).transpose(0, 1).reshape(COILS, -1)
    torch.testing.assert_close(volume.kspace[0], expected, rtol=0, atol=0.05 * float(expected.abs().max()))
    found = smug.reconstruct("zero-filled", volume, noise_sigma=volume.noise_sigma, replicas=2)
    assert found.noise_std is not None and found.noise_std.shape == (1, N, N)


def test_discarded_samples_and_readouts_of_zeros_are_left_out(save):
    k, rows = points(), []
    for i, values in enumerate(measured(k)):
        padded = np.pad(values, ((0, 0), (3, 2)), constant_values=99)
        at = np.pad(k[i], ((3, 2), (0, 0)))
        rows.append(placed(0 * padded if i == 7 else padded, at, discard_pre=3, discard_post=2))
    volume = smug.read_non_cartesian(save(rows, RADIAL))
    assert sizes(volume) == ((SPOKES - 1) * N,)
    assert float(volume.kspace[0].abs().max()) < 50


def test_readouts_for_calibration_alone_are_told_and_left_out(save):
    calibration = placed(np.ones((COILS, N)), points()[0])
    calibration.set_flag(ismrmrd.ACQ_IS_PARALLEL_CALIBRATION)
    volume = smug.read_non_cartesian(save([calibration, *spokes(points())], RADIAL))
    assert sizes(volume) == (SPOKES * N,) and "1 readout" in volume.attributes["calibration"]


def test_a_third_coordinate_of_zero_is_none(save):
    k = points()
    flat = np.concatenate([k, 0 * k[..., :1]], -1)
    volume = smug.read_non_cartesian(save(spokes(flat, measured(k)), RADIAL))
    torch.testing.assert_close(volume.trajectory, along(k).trajectory, rtol=0, atol=1e-5)


def third(value: float) -> np.ndarray:
    return np.concatenate([points(), np.full((SPOKES, N, 1), value)], -1)


def with_value(index: tuple[int, ...], value: float) -> np.ndarray:
    k = points()
    k[index] = value
    return k


@pytest.mark.parametrize(
    ("k", "message"),
    [
        (third(0.5), "three-dimensional trajectories are not supported...0.5"),
        (with_value((3, 5, 1), np.nan), "acquisition 3: trajectory: expected finite numbers"),
        (with_value((3, 5, 0), -np.inf), "acquisition 3: trajectory: expected finite numbers"),
        (with_value((3, 5, 0), 1e9), "got at most 1e+09"),
        (points()[..., :1], "trajectory_dimensions: expected 2 in all acquisitions of the image, got 1"),
        (np.concatenate([points()] * 2, -1), "trajectory_dimensions: expected 2...got 4"),
        (0 * points(), "got at most 0 and 0"),
    ],
)
def test_coordinates_that_are_none_are_refused(save, k, message):
    assert_file_refused(smug.read_non_cartesian, save(spokes(k, measured(points())), RADIAL), message)


def changed(index: int, made: Any) -> list[Any]:
    rows = spokes(points())
    rows[index] = made
    return rows


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (lambda: changed(3, acquisition(measured(points())[3])), "trajectory_dimensions: expected 2...got 0, 2"),
        (
            lambda: changed(3, placed(np.ones((COILS, N + 2)), np.ones((N + 2, 2)))),
            "number_of_samples: expected the same",
        ),
        (lambda: changed(3, placed(np.ones((COILS + 1, N)), points()[3])), "active_channels: expected the same"),
        (lambda: changed(3, placed(np.ones((COILS, N)), third(0)[3])), "trajectory_dimensions: expected 2...got 2, 3"),
        (lambda: changed(3, placed(np.ones((COILS, 0)), np.ones((0, 2)))), "number_of_samples: expected the same"),
        (lambda: spokes(points(), discard_pre=N), "expected samples, got 4 channels of 32 - 32 - 0"),
        (lambda: spokes(points(), 0 * measured(points())), "expected measurements, got only zeros"),
        (lambda: spokes(points(), kspace_encode_step_2=1), "three-dimensional encoding is not supported"),
    ],
)
def test_acquisitions_that_do_not_fit_are_refused(save, rows, message):
    assert_file_refused(smug.read_non_cartesian, save(rows(), RADIAL), message)


def test_a_trajectory_of_another_length_than_its_header_says(save):
    path = save(spokes(points()), RADIAL)
    with h5py.File(path, "r+") as file:
        record = file["dataset/data"][5]
        record["traj"] = record["traj"][:-2]
        file["dataset/data"][5] = record
    assert_file_refused(smug.read_non_cartesian, path, "acquisition 5: trajectory: expected 32 samples x 2...got 62")


def test_readers_name_each_other(save, tmp_path):
    path = save(spokes(points()), RADIAL)
    assert_refused(lambda: smug.read(path), "expected Cartesian k-space...smug.read_non_cartesian")
    assert_refused(lambda: smug.read_non_cartesian(path, "t.cfl"), "hold their own coordinates")
    assert_refused(lambda: smug.reconstruct("tv", path, centre="peak"), "centre: would change nothing")


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Run a command in the folder of the file; return its status."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: main([str(word) for word in words])


@pytest.mark.skipif(BART is None, reason="needs BART")
@pytest.mark.parametrize("unit", [1.0, 1 / 64])
def test_the_command_makes_the_image_of_the_same_scan_in_files_of_bart(save, tmp_path, command, unit, capsys):
    def bart(*words: object) -> None:
        subprocess.run([BART, *map(str, words)], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)

    def stored(name: str) -> np.ndarray:
        dims = [int(size) for size in (tmp_path / f"{name}.hdr").read_text().splitlines()[1].split()]
        return np.fromfile(tmp_path / f"{name}.cfl", "<c8").reshape(dims, order="F").squeeze()

    bart("traj", "-r", "-x", 64, "-y", 40, "t")
    bart("phantom", "-k", "-s", 4, "-t", "t", "k")
    k, samples = stored("t").real[:2].transpose(2, 1, 0), stored("k").transpose(1, 2, 0)
    path = save(spokes(k, samples, unit=unit), replace(RADIAL, matrix=(64, 64, 1)), name="radial")
    models = ("--model", "cg-sense", "--model", "tv", "--model", "ridge")
    assert command("reconstruct", path, *models, "--out", "ours", "--json", "r.json") == 0
    assert command("reconstruct", "k.cfl", "--trajectory", "t.cfl", *models, "--out", "theirs") == 0
    for model in ("cg-sense", "tv", "ridge"):
        (ours,), (theirs,) = (list((tmp_path / f).glob(f"*{model}.h5")) for f in ("ours", "theirs"))
        with h5py.File(ours) as one, h5py.File(theirs) as other:
            x, expected = one["reconstruction"][()], other["reconstruction"][()]
        assert np.linalg.norm(x - expected) < 1e-5 * np.linalg.norm(expected)
    notes = json.loads((tmp_path / "r.json").read_text())["reconstructions"][0]["notes"]
    assert "64 x 64 pixels" in notes["trajectory"]
    capsys.readouterr()
    assert command("info", path) == 0
    told = capsys.readouterr().out
    assert "measured non-Cartesian k-space" in told and "radial, coordinates taken as cycles per" in told
    for option in (("--undersample", 2), ("--maps-figure", "m.png"), ("--coils", 2), ("--centre", "peak")):
        assert command("reconstruct", path, *option) == 2
        assert "Cartesian k-space" in capsys.readouterr().err
