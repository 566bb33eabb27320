"""K-space of BART: what its tools write, files of any dimensions, files that are damaged or not supported."""

import pickle
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from smug.data.kspace.bart import StoredBlocks, read_cfl
from smug.data.kspace.read import read, undersample
from smug.data.phantom import head_phantom
from smug.models.classical import CGSense
from smug.physics.fourier import fft2c, ifft2c
from smug.physics.maps.simulated import simulated_maps
from smug.physics.masks import acceleration
from smug.reconstruction import reconstruct, volume_scale

from ...properties import assert_file_refused, assert_refused

HEIGHT, WIDTH, COILS = 20, 24, 3


def write(base: Path, array: np.ndarray) -> Path:
    """Write an array of BART's dimensions, in its order."""
    dims = [*array.shape, *[1] * (16 - array.ndim)]
    base.with_suffix(".hdr").write_text("# Dimensions\n" + " ".join(map(str, dims)) + " \n# Command\nwrite\n")
    array.astype("<c8").ravel(order="F").tofile(base.with_suffix(".cfl"))
    return base.with_suffix(".cfl")


def array(base: Path) -> np.ndarray:
    """Read an array of BART."""
    dims = [int(n) for n in base.with_suffix(".hdr").read_text().splitlines()[1].split()]
    return np.fromfile(base.with_suffix(".cfl"), "<c8").reshape(dims, order="F")


def smooth_kspace(seed: int = 0) -> torch.Tensor:
    """K-space of an object, ``(coil, y, x)``."""
    noise = torch.randn(COILS, HEIGHT, WIDTH, dtype=torch.complex64, generator=torch.Generator().manual_seed(seed))
    return fft2c(simulated_maps(COILS, HEIGHT, WIDTH, seed=1)[0] * head_phantom(seed, WIDTH)[2:22]) + 0.001 * noise


@pytest.fixture
def bart(tmp_path: Path) -> Callable[..., Path]:
    """Run a tool of BART in a temporary folder; return the path of its output."""
    program = shutil.which("bart")
    if program is None:
        pytest.skip("needs bart")

    def run(*arguments: str) -> Path:
        subprocess.run([program, *arguments], check=True, capture_output=True, cwd=tmp_path)
        return tmp_path / arguments[-1]

    return run


# Files of BART's tools


@pytest.mark.parametrize("size", [32, 33])
def test_the_transform_is_barts(bart, size):
    bart("phantom", "-x", str(size), "-k", "-s", "4", "k")
    image = array(bart("fft", "-u", "-i", "3", "k", "image"))[:, :, 0, :, *[0] * 12].transpose(2, 0, 1)
    v = read_cfl(bart("copy", "k", "k2"))
    found = ifft2c(v.kspace[0]).numpy()
    np.testing.assert_allclose(found, image, atol=1e-5 * np.abs(image).max())


def test_a_phantom_is_read(bart):
    v = read(bart("phantom", "-x", "64", "-k", "-s", "8", "k").with_suffix(".hdr"))
    assert (len(v), v.kspace[0].shape, v.crop, v.frames) == (1, (8, 64, 64), (64, 64), 1)
    assert torch.equal(v.mask, torch.ones(1, 64, dtype=torch.bool))
    assert (v.fully_sampled, v.acceleration, v.calibration) == (True, 1.0, None)
    half = undersample(v, 2, seed=0, center_fraction=0.3)
    scan = half.scan(0)
    error = CGSense(lam=1e-3)(scan.y, scan.A) - scan.truth
    assert torch.linalg.vector_norm(error) < 0.2 * torch.linalg.vector_norm(scan.truth)


def test_lines_of_a_pattern(bart):
    bart("phantom", "-x", "64", "-k", "-s", "8", "k")
    bart("upat", "-Y", "64", "-Z", "1", "-y", "3", "-c", "12", "pattern")
    v = read_cfl(bart("fmac", "k", "pattern", "sampled"))
    assert np.array_equal(v.mask[0].numpy(), array(bart("copy", "pattern", "p"))[0, :, 0, *[0] * 13].real > 0)
    assert not v.fully_sampled and v.encoded_lines == 64
    assert v.scan(0).target is None


def test_two_phase_encodings_of_a_poisson_disc(bart):
    bart("phantom", "-x", "64", "-k", "-s", "8", "k")
    bart("poisson", "-Y", "64", "-Z", "64", "-y", "2", "-z", "2", "-C", "12", "pattern")
    bart("transpose", "1", "2", "k", "a")  # from (readout, phase, 1) to (1, phase, phase)
    bart("transpose", "0", "1", "a", "b")
    v = read_cfl(bart("fmac", "b", "pattern", "sampled"))
    pattern = array(bart("copy", "pattern", "p"))[0, :, :, *[0] * 13].real > 0
    assert np.array_equal(v.mask[0].numpy(), pattern)
    assert v.acceleration == pytest.approx(float(acceleration(v.mask)[0]))
    expected = array(bart("copy", "b", "c"))[0, :, :, :, *[0] * 12].transpose(2, 0, 1) * pattern
    assert np.array_equal(v.kspace[0].numpy(), expected)
    image = CGSense()(v.scan(0).y, v.scan(0).A)
    assert image.shape == (1, 64, 64) and bool(image.any())


def test_joined_slices(bart):
    for i in range(3):
        bart("phantom", "-x", "32", "-k", "-s", "4", "--rotation-angle", str(10 * i), f"k{i}")
    v = read_cfl(bart("join", "13", "k0", "k1", "k2", "all"))
    assert (len(v), v.frames, v.fully_sampled) == (3, 1, True)
    for i in range(3):
        expected = array(bart("copy", f"k{i}", "one"))[:, :, 0, :, *[0] * 12].transpose(2, 0, 1)
        assert np.array_equal(v.kspace[i].numpy(), expected)


# Files of any dimensions


@settings(max_examples=30)
@given(data=st.data())
def test_what_was_sampled_is_read(data, tmp_path_factory):
    draw = data.draw
    height, width, coils = draw(st.integers(3, 12)), draw(st.integers(5, 12)), draw(st.integers(1, 3))
    echoes, times, times2, slices, averages = (draw(st.integers(1, n)) for n in (2, 3, 2, 3, 2))
    layout = draw(st.sampled_from(["readout, phase", "readout, partition", "phase, partition"]))
    whole = layout != "phase, partition"
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    shape = echoes, times, times2, slices, averages, coils, height, width
    kspace = (rng.normal(size=(*shape, 2)) @ [1, 1j]).astype(np.complex64)
    sampled = rng.random((echoes, times, times2, slices, 1, 1, 1 if whole else height, width)) < 0.5
    sampled[..., width // 2] = True
    kspace *= sampled
    array = np.zeros((height, width, 1, coils, 1, echoes, 1, 1, 1, 1, times, times2, 1, slices, averages), np.complex64)
    for e, t, u, s, a in np.ndindex(shape[:5]):
        array[:, :, 0, :, 0, e, 0, 0, 0, 0, t, u, 0, s, a] = kspace[e, t, u, s, a].transpose(1, 2, 0)
    axes = {"readout, phase": (0, 1, 2), "readout, partition": (0, 2, 1), "phase, partition": (2, 0, 1)}[layout]
    v = read_cfl(write(tmp_path_factory.mktemp("any") / "k", array.transpose(*axes, *range(3, 15))))

    mask = np.broadcast_to(sampled[:, :, :, :, 0, 0], (*shape[:4], height, width)).reshape(-1, height, width)
    expected = kspace.mean(4).reshape(-1, coils, height, width)
    assert (len(v), v.frames) == (len(expected), echoes * times * times2)
    assert v.fully_sampled or not mask.all()
    found = torch.stack([v.mask_of(i)[0].expand(height, width) for i in range(len(v))])
    assert np.array_equal(found.numpy(), mask)
    for i in range(len(v)):
        np.testing.assert_allclose(v.kspace[i].numpy(), expected[i], rtol=1e-5, atol=1e-6)
    if times * times2 == 1:
        assert v.calibration is None
        return
    weight = mask.reshape(echoes, times * times2, slices, 1, height, width)
    total = expected.reshape(echoes, times * times2, slices, coils, height, width).sum(1)
    for i, (e, _, s) in enumerate(np.ndindex(echoes, times * times2, slices)):
        y, sampled_here = v.calibration.measured(i)
        n = weight.sum(1)[e, s]
        np.testing.assert_allclose(y[0].numpy(), total[e, s] / np.maximum(n, 1), rtol=1e-4, atol=1e-5)
        assert np.array_equal(sampled_here[0].expand(height, width).numpy(), n[0] > 0)


def test_times_without_central_lines_calibrate_each_other(tmp_path):
    full = smooth_kspace().numpy()
    array = np.zeros((HEIGHT, WIDTH, 1, COILS, 1, 1, 1, 1, 1, 1, 4), dtype=np.complex64)
    for t in range(4):
        array[:, t::4, 0, :, 0, 0, 0, 0, 0, 0, t] = full[:, :, t::4].transpose(1, 2, 0)
    v = read_cfl(write(tmp_path / "k", array))
    assert (v.frames, v.acceleration) == (4, 4)
    reference = read_cfl(write(tmp_path / "full", full.transpose(1, 2, 0)[:, :, None]))
    for t in range(4):
        torch.testing.assert_close(v.scan(t).A.maps, reference.scan(0).A.maps, rtol=0, atol=1e-5)
    assert reconstruct(CGSense(), v).images.shape == (4, HEIGHT, WIDTH)


@pytest.mark.parametrize("times", [2, 6])
def test_lines_of_all_times_are_read_once(tmp_path, monkeypatch, times):
    full = smooth_kspace().numpy().transpose(1, 2, 0)
    array = np.zeros((HEIGHT, WIDTH, 1, COILS, *[1] * 6, times, 1, 1, 2), dtype=np.complex64)
    array[:, :, 0, :, *[0] * 6] = full[..., None, None, None, None]
    blocks: Counter[int] = Counter()
    read = StoredBlocks.read

    def counted(self, index):
        blocks.update(self.blocks[index])
        return read(self, index)

    monkeypatch.setattr(StoredBlocks, "read", counted)
    v = read_cfl(write(tmp_path / "k", array))
    blocks.clear()
    volume_scale(v)
    for i in range(len(v)):
        v.scan(i)
    assert set(blocks.values()) == {3}  # that of the maps, and twice the slice itself


def test_only_the_central_lines_calibrate(tmp_path):
    array = np.ones((2, 100, 1, 1, 1, 1, 1, 1, 1, 1, 2), dtype=np.complex64)
    v = read_cfl(write(tmp_path / "k", array))
    assert torch.equal(v.calibration.mask[0], (torch.arange(100) >= 26) & (torch.arange(100) < 74))
    assert torch.equal(v.calibration.kspace[1].any(0).any(0), v.calibration.mask[0])


def test_a_slice_without_signal(tmp_path):
    array = np.zeros((HEIGHT, WIDTH, 1, COILS, *[1] * 9, 2), dtype=np.complex64)
    array[:, 4:-4, 0, :, *[0] * 9, 0] = smooth_kspace().numpy().transpose(1, 2, 0)[:, 4:-4]
    v = read_cfl(write(tmp_path / "k", array))
    assert v.mask.shape == (1, WIDTH) and v.encoded_lines == WIDTH - 8 and v.fully_sampled
    assert not v.scan(1).A.maps.any()


@pytest.mark.parametrize("name", ["scan.cfl", "scan.hdr", "scan", "scan.1.cfl", "scan.1"])
def test_either_file_or_none_may_be_named(tmp_path, name):
    stem = name.removesuffix(".cfl").removesuffix(".hdr")
    array = smooth_kspace().numpy().transpose(1, 2, 0)[:, :, None]
    (tmp_path / f"{stem}.hdr").write_text(f"# Dimensions\n{HEIGHT} {WIDTH} 1 {COILS}\n")
    array.ravel(order="F").tofile(tmp_path / f"{stem}.cfl")
    v = read_cfl(tmp_path / name)
    assert v.name == stem and v.names == (f"{stem}-000",)
    assert torch.equal(v.kspace[0], smooth_kspace())


def test_it_can_be_read_by_another_process(tmp_path):
    v = read_cfl(write(tmp_path / "k", smooth_kspace().numpy().transpose(1, 2, 0)[:, :, None]))
    assert torch.equal(pickle.loads(pickle.dumps(v)).kspace[-1], v.kspace[0])  # noqa: S301


# What is not supported, and what is damaged


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((4, 4, 4, 1), "three-dimensional encoding is not supported, got 4 x 4 x 4"),
        ((3, 4, 5, 1), "3 x 4 x 5, a non-Cartesian trajectory"),
        ((1, 8, 1, 2, 1, 1, 1, 1, 1, 1, 5), "1 x 8 x 1, a single line"),
        ((8, 1, 1, 2), "8 x 1 x 1, a single line"),
        ((4, 4, 1, 1, 2), "got 2 maps (dimension 4)"),
        ((4, 4, 1, 1, 1, 1, 3), "got 3 coefficients (dimension 6)"),
        ((4, 4, *[1] * 13, 2), "got 2 batch (dimension 15)"),
    ],
)
def test_what_is_not_supported_is_named(tmp_path, shape, message):
    assert_file_refused(read_cfl, write(tmp_path / "k", np.ones(shape)).with_suffix(".hdr"), message)


def with_header(text: str | bytes) -> Callable[[Path], None]:
    content = text if isinstance(text, bytes) else text.encode()
    return lambda path: path.with_suffix(".hdr").write_bytes(content) and None


def with_dimensions(dims: str) -> Callable[[Path], None]:
    return with_header(f"# Dimensions\n{dims}\n# Command\nnone\n")


def with_value(value: complex) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        values = np.fromfile(path, "<c8")
        values[77] = value
        values.tofile(path)

    return damage


HUGE = " ".join(["1000000000"] * 16)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (with_value(complex(np.nan, 0)), "expected finite"),
        (with_value(complex(0, -np.inf)), "expected finite"),
        (lambda path: path.write_bytes(bytes(path.stat().st_size)), "got only zeros"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "expected 11520 bytes, as...says, got 11519"),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "got 11521: the file is not complete, or another's"),
        (lambda path: path.write_bytes(b""), "got 0"),
        (with_dimensions("20 24 1 -3"), "positive whole numbers, got '20 24 1 -3'"),
        (with_dimensions("20 24 0 3"), "positive whole numbers"),
        (with_dimensions("20 twenty 1 3"), "got '20 twenty 1 3'"),
        (with_dimensions("20.0 24 1 3"), "positive whole numbers"),
        (with_dimensions("20 24 1 ³"), "positive whole numbers"),
        (with_dimensions(""), "positive whole numbers, got ''"),
        (with_dimensions(" ".join(["1"] * 17)), "up to 16"),
        (with_dimensions("9" * 5000), "positive whole numbers"),
        (with_dimensions(HUGE), "maps (dimension 4)"),
        (with_dimensions("1000000000 1000000000 1 3"), "at most 1 GiB"),
        (with_dimensions("20 24 1 3 1 1 1 1 1 1 1 1 1 1000000000"), "expected 11520000000000 bytes"),
        (with_header(""), "expected '# Dimensions'"),
        (with_header("# Dimensions"), "expected '# Dimensions' and below it"),
        (with_header("20 24 1 3"), "expected '# Dimensions'"),
        (with_header(bytes(range(256)) * 1000), "expected '# Dimensions'"),
    ],
)
def test_damaged_files_end_in_one_clear_error(tmp_path, damage, message):
    path = write(tmp_path / "k", smooth_kspace().numpy().transpose(1, 2, 0)[:, :, None])
    damage(path)
    assert assert_refused(lambda: read(path), message).startswith(str(tmp_path))


def test_more_slices_than_can_be_kept(tmp_path):
    path = tmp_path / "k.cfl"
    count = 2**20 + 1
    path.with_suffix(".hdr").write_text(f"# Dimensions\n2 2 1 1 1 1 1 1 1 1 1 1 1 {count}\n")
    with path.open("wb") as file:
        file.truncate(32 * count)
    assert_refused(lambda: read_cfl(path), "too many")


@pytest.mark.parametrize("missing", [".cfl", ".hdr"])
def test_both_files_are_needed(tmp_path, missing):
    path = write(tmp_path / "k", np.ones((4, 4)))
    path.with_suffix(missing).unlink()
    assert_refused(lambda: read_cfl(path), f"k{missing}: no such file", error=FileNotFoundError)


def test_folders_are_no_files(tmp_path):
    (tmp_path / "k.hdr").mkdir()
    assert_refused(lambda: read_cfl(tmp_path / "k.cfl"), "k.hdr: cannot be read")
