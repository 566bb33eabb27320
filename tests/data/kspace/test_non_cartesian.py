import shutil
import subprocess

import numpy as np
import pytest
import torch

import smug
from smug.data.kspace.non_cartesian import NonCartesianVolume
from smug.physics.maps.non_cartesian import central_square
from smug.physics.maps.simulated import simulated_maps

from ...properties import assert_refused

N, COILS, SPOKES = 32, 4, 40

BART = shutil.which("bart")


def write(path, values):
    """An array in the order of BART's dimensions."""
    values = np.asarray(values, dtype="<c8")
    dims = [*values.shape, *[1] * (16 - values.ndim)]
    path.with_suffix(".hdr").write_text(f"# Dimensions\n{' '.join(map(str, dims))}\n")
    values.ravel(order="F").tofile(path.with_suffix(".cfl"))
    return path.with_suffix(".cfl")


def stored(path):
    dims = [int(size) for size in path.with_suffix(".hdr").read_text().splitlines()[1].split()]
    return np.fromfile(path.with_suffix(".cfl"), "<c8").reshape(dims, order="F")


def radial(spokes=SPOKES, samples=N, size=N):
    k = size * (np.arange(samples) + 0.5 - samples / 2) / samples
    angle = np.pi * np.arange(spokes) / spokes
    return np.stack([np.outer(k, np.sin(angle)), np.outer(k, np.cos(angle)), np.zeros((samples, spokes))])


@pytest.fixture
def operator():
    points = torch.from_numpy(radial()[:2].transpose(0, 2, 1).reshape(2, -1))[None]
    return smug.NonCartesian(points, simulated_maps(COILS, N, N, seed=0), (N, N))


def layout(samples):
    """Samples ``(coil, samples)`` as BART has them, spoke after spoke."""
    return samples.numpy().reshape(COILS, SPOKES, N).transpose(2, 1, 0)[None]


@pytest.fixture
def image():
    return smug.head_phantom(1, N)[None]


@pytest.fixture
def files(tmp_path, operator, image):
    return write(tmp_path / "k", layout(operator(image)[0])), write(tmp_path / "t", radial())


def test_samples_and_points_belong_together(files, operator, image):
    volume = smug.read_non_cartesian(*files)
    assert isinstance(volume, NonCartesianVolume) and volume.shape == (N, N) and volume.names == ("k-000",)
    torch.testing.assert_close(volume.trajectory, operator.trajectory, rtol=0, atol=1e-5)
    torch.testing.assert_close(volume.kspace[0][None], operator(image))
    assert volume.acceleration == N / SPOKES


def test_the_image_and_its_maps(files, operator, image):
    volume = smug.read_non_cartesian(*files)
    scan = volume.scan(0)
    inside = image[0].abs() > 0.1
    agree = (scan.A.maps.conj() * operator.maps).sum(1)[0].abs()[inside]
    assert agree.median() > 0.995
    found = smug.reconstruct("cg-sense:0.001", volume).images
    error = (found.abs() - image.abs())[0][inside].norm() / image[0][inside].norm()
    assert error < 0.1
    assert float(volume.scale_of(0)) == pytest.approx(float(operator.scale(operator(image))), rel=0.05)


def test_times_have_trajectories_of_their_own(tmp_path, files, operator, image):
    k, t = layout(operator(image)[0]), radial()
    turned = t[[1, 0, 2]]
    many = np.stack([k, 2 * k], -1).reshape(*k.shape, *(1,) * 6, 2)
    both = np.stack([t, turned], -1).reshape(*t.shape, *(1,) * 7, 2)
    volume = smug.read_non_cartesian(write(tmp_path / "ks", many), write(tmp_path / "ts", both))
    assert volume.frames == 2 and volume.names == ("ks-000-000", "ks-001-000")
    torch.testing.assert_close(volume.trajectory[1], operator.trajectory[0].flip(0), rtol=0, atol=1e-5)
    torch.testing.assert_close(volume.kspace[1][None], 2 * operator(image))
    images = smug.reconstruct("cg-sense", volume, batch=2).images
    assert images.shape == (2, N, N)
    shared = smug.read_non_cartesian(write(tmp_path / "ks", many), files[1])
    assert len(shared) == 2 and len(shared.trajectory) == 1


def test_a_slice_without_signal_is_zero(tmp_path, files, operator, image):
    k = layout(operator(image)[0])
    many = np.stack([k, 0 * k], -1).reshape(*k.shape, *(1,) * 9, 2)
    images = smug.reconstruct("cg-sense", smug.read_non_cartesian(write(tmp_path / "ks", many), files[1])).images
    assert images[0].any() and not images[1].any()


def test_the_centre_is_as_wide_as_spokes_are_dense(operator):
    side = int(central_square(operator)[0].any(0).sum())
    assert SPOKES / np.pi < side <= N
    sparse = smug.NonCartesian(operator.trajectory[..., : 5 * N], None, (N, N))
    assert int(central_square(sparse)[0].any(0).sum()) < side


def test_networks_warn_and_lines_cannot_be_kept(files):
    volume = smug.read_non_cartesian(*files)
    told = []
    smug.reconstruct("modl", volume, warn=told.append)
    assert any("non-Cartesian" in sentence for sentence in told)
    assert_refused(lambda: smug.reconstruct("tv", volume, undersample=2), "undersample: expected Cartesian")


def with_value(values, index, value):
    values = np.array(values, dtype=complex)
    values[index] = value
    return values


@pytest.mark.parametrize(
    ("samples", "points", "message"),
    [
        (lambda k: k, lambda t: t[:2], "t.hdr: expected a trajectory of 3 x samples x spokes, got 2 x 32 x 40 x 1"),
        (lambda k: k, lambda t: t[:, :, 1:], "expected 32 samples and 40 spokes...got 32 and 39"),
        (lambda k: k, lambda t: t.transpose(0, 2, 1), "expected 32 samples and 40 spokes...got 40 and 32"),
        (lambda k: k[0], lambda t: t, "k.hdr: expected 1 x samples x spokes x coils, got 32 x 40 x 4"),
        (lambda k: k, lambda t: with_value(t, (0, 3, 2), np.nan), "trajectory: expected finite numbers"),
        (lambda k: k, lambda t: with_value(t, (0, 3, 2), 1j), "trajectory: expected real coordinates"),
        (lambda k: k, lambda t: with_value(t, (2, 3, 2), 1), "trajectory: expected two dimensions"),
        (lambda k: k, lambda t: t / N, "trajectory: expected units of 1 / field of view...cycles per pixel"),
        (lambda k: k, lambda t: t * 1000, "trajectory: expected units of 1 / field of view"),
        (lambda k: with_value(k, (0, 3, 2, 1), np.inf), lambda t: t, "k.cfl: expected finite values"),
        (lambda k: 0 * k, lambda t: t, "k.cfl: expected measurements, got only zeros"),
        (lambda k: k[..., None].repeat(2, -1), lambda t: t, "got 2 maps (dimension 4)"),
        (lambda k: k, lambda t: t.reshape(*t.shape, *[1] * 7, 1).repeat(2, 10), "1 along dimension 10, got 2"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, operator, image, samples, points, message):
    k = write(tmp_path / "k", samples(layout(operator(image)[0])))
    t = write(tmp_path / "t", points(radial()))
    assert_refused(lambda: smug.read_non_cartesian(k, t), message)


def test_files_that_are_cut_are_refused(files):
    for path in files:
        whole = path.read_bytes()
        path.write_bytes(whole[:-8])
        assert_refused(lambda: smug.read_non_cartesian(*files), f"{path}: expected")
        path.write_bytes(whole)


@pytest.mark.skipif(BART is None, reason="compares with BART")
def test_bart_reconstructs_the_same(tmp_path):
    """Of its own phantom, with our maps and the same quadratic penalty; its transforms are exact to 1.3e-3."""

    def bart(*words):
        subprocess.run([BART, *map(str, words)], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)

    bart("traj", "-r", "-x", 128, "-y", 64, "t")
    bart("phantom", "-k", "-s", 8, "-t", "t", "k")
    volume = smug.read_non_cartesian(tmp_path / "k.cfl", tmp_path / "t.cfl")
    assert volume.shape == (128, 128)
    scan = volume.scan(0).normalised()
    write(tmp_path / "maps", scan.A.maps[0].permute(1, 2, 0)[:, :, None].numpy())
    samples = scan.y[0].reshape(8, 64, 128).permute(2, 1, 0)[None]
    write(tmp_path / "kn", samples.numpy())
    bart("pics", "-w", 1, "-l2", "-r", 0.1, "-i", 300, "-t", "t", "kn", "maps", "x")
    theirs = stored(tmp_path / "x").squeeze()
    ours = smug.solve(scan.A, scan.A.H(scan.y), 0.1, max_iterations=500).value[0].numpy()
    error = np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)
    assert error < 1e-3
