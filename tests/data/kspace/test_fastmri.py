"""Reading k-space: files of each form, files that are broken or hostile, undersampling, the scan."""

import pickle
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from smug.data.hdf5 import MAX_BYTES
from smug.data.kspace.fastmri import read_fastmri
from smug.data.kspace.read import undersample
from smug.data.phantom import head_phantom
from smug.physics.fourier import fft2c, ifft2c
from smug.physics.maps.simulated import simulated_maps
from smug.physics.masks import poisson_disc, random_lines

from ...properties import assert_file_refused, assert_refused

HEIGHT, WIDTH = 40, 48


@pytest.fixture(scope="module")
def full() -> np.ndarray:
    """Fully sampled k-space of 3 slices and 4 coils, of different brightness, with noise."""
    images = torch.stack([(i + 1) * head_phantom(i, WIDTH)[4 : 4 + HEIGHT] for i in range(3)])
    coil_images = simulated_maps(4, HEIGHT, WIDTH, seed=1) * images[:, None]
    noise = torch.randn(coil_images.shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    return (100 * fft2c(coil_images) + 0.1 * noise).numpy()


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    def write(kspace: np.ndarray, mask: np.ndarray | None = None, **options) -> Path:
        path = tmp_path / "volume.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset("kspace", data=kspace, **options)
            if mask is not None:
                file["mask"] = mask
        return path

    return write


def test_a_full_file_is_read_as_it_is(full, save):
    k = read_fastmri(save(full))
    assert np.array_equal(torch.stack(list(k.kspace)), full) and k.kspace[0].dtype == torch.complex64
    assert k.mask.shape == (1, WIDTH) and k.mask.all()
    assert (k.fully_sampled, k.acceleration, k.encoded_lines) == (True, 1.0, WIDTH)
    assert k.names == ("volume-000", "volume-001", "volume-002")


@pytest.mark.parametrize("options", [{}, {"chunks": (2, 1, 8, 8), "compression": "gzip"}, {"chunks": (3, 4, 40, 48)}])
def test_layout_in_the_file_does_not_matter(full, save, options):
    k = read_fastmri(save(full.astype(np.complex128), **options))
    assert np.array_equal(torch.stack(list(k.kspace)), full)


def test_single_coil_gets_a_coil_axis(full, save):
    k = read_fastmri(save(full[:, 0]))
    assert len(k) == 3 and k.kspace[0].shape == (1, HEIGHT, WIDTH)
    scan = k.scan(0)
    assert (scan.A.maps == 1).all()
    torch.testing.assert_close(scan.truth, ifft2c(k.kspace[0]))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float32])
def test_line_mask(full, save, dtype):
    mask = random_lines(WIDTH, 3, 0.2, seed=1)
    k = read_fastmri(save(full * mask.numpy(), mask[0].numpy().astype(dtype)))
    assert torch.equal(k.mask, mask)
    assert not k.fully_sampled
    assert k.acceleration == pytest.approx(3)


def test_line_mask_without_a_mask_data_set(full, save):
    mask = random_lines(WIDTH, 3, 0.2, seed=2)
    k = read_fastmri(save(full * mask.numpy()))
    assert torch.equal(k.mask, mask)
    assert not k.fully_sampled


@pytest.mark.parametrize("given", [True, False])
def test_two_dimensional_mask(full, save, given):
    mask = poisson_disc(HEIGHT, WIDTH, 4, 12, seed=0)
    k = read_fastmri(save(full * mask.numpy(), mask[0].numpy() if given else None))
    assert torch.equal(k.mask, mask)
    assert k.acceleration == pytest.approx(4)
    assert k.scan(0).target is None


def test_what_the_mask_leaves_out_is_not_used(full, save):
    mask = random_lines(WIDTH, 3, 0.2, seed=3)
    k = read_fastmri(save(full, mask[0].numpy()))
    assert torch.equal(k.mask, mask)
    assert not k.fully_sampled


def test_mask_of_whole_columns_in_two_dimensions_is_a_line_mask(full, save):
    mask = random_lines(WIDTH, 3, 0.2, seed=3)
    k = read_fastmri(save(full, mask.expand(HEIGHT, WIDTH).numpy()))
    assert torch.equal(k.mask, mask)


def test_isolated_zeros_are_values(full, save):
    kspace = full.copy()
    kspace[..., 3, 5] = 0
    k = read_fastmri(save(kspace))
    assert k.mask.ndim == 2 and k.fully_sampled


@pytest.mark.parametrize(("left", "right"), [(6, 6), (6, 5), (5, 6), (0, 1)])
@pytest.mark.parametrize("mask", [None, np.ones(WIDTH)])
def test_zero_padding_is_not_measured_and_not_counted(full, save, left, right, mask):
    kspace = full.copy()
    kspace[..., :left] = 0
    kspace[..., WIDTH - right :] = 0
    k = read_fastmri(save(kspace, mask))
    assert k.fully_sampled
    assert not k.mask[:, :left].any() and not k.mask[:, WIDTH - right :].any()
    assert k.mask.sum() == WIDTH - left - right
    assert k.acceleration == pytest.approx(1, abs=0.04)
    half = undersample(k, 2, seed=0)
    assert half.acceleration == pytest.approx(2, abs=0.1)
    assert not (half.mask & ~k.mask).any()


def test_padding_is_known_where_the_mask_claims_it(full, save):
    mask = random_lines(WIDTH, 3, 0.2, seed=4)[0].numpy().copy()
    mask[[0, 6, 41]] = True
    kspace = full * mask
    kspace[..., :6] = 0
    kspace[..., 42:] = 0
    k = read_fastmri(save(kspace, mask))
    assert k.encoded_lines == 36
    assert k.acceleration == pytest.approx(36 / mask[6:42].sum())


@pytest.mark.parametrize(
    "zeros",
    [slice(0, 12), slice(30, None), slice(13, 14), np.r_[0:20, 28:48]],
    ids=["partial Fourier left", "partial Fourier right", "gap", "centre only"],
)
def test_no_reference_where_the_scan_is_not_full(full, save, zeros):
    kspace = full.copy()
    kspace[..., zeros] = 0
    k = read_fastmri(save(kspace))
    assert not k.fully_sampled
    assert k.encoded_lines >= WIDTH - 1


def stored(**values) -> Callable[[Path, np.ndarray], None]:
    """A file of these data sets; a function makes its value from good k-space."""

    def make(path: Path, good: np.ndarray) -> None:
        with h5py.File(path, "w") as file:
            for name, value in values.items():
                file[name] = value(good) if callable(value) else value

    return make


def with_nan(good: np.ndarray) -> np.ndarray:
    good = good.copy()
    good[-1, 0, 3, 3] = np.nan
    return good


def truncated(path: Path, good: np.ndarray) -> None:
    stored(kspace=good)(path, good)
    path.write_bytes(path.read_bytes()[:-2000])


def flipped(path: Path, good: np.ndarray) -> None:
    """A file whose compressed data are damaged."""
    with h5py.File(path, "w") as file:
        file.create_dataset("kspace", data=good, compression="gzip", chunks=good.shape)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 64] = bytes(64)
    path.write_bytes(content)


def linked(path: Path, good: np.ndarray) -> None:
    stored(kspace=good)(path.with_name("other.h5"), good)
    with h5py.File(path, "w") as file:
        file["kspace"] = h5py.ExternalLink("other.h5", "kspace")


def soft(path: Path, good: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        file["data"] = good
        file["kspace"] = h5py.SoftLink("/data")


def external(path: Path, good: np.ndarray) -> None:
    raw = path.with_name("raw")
    raw.write_bytes(good.tobytes())
    with h5py.File(path, "w") as file:
        file.create_dataset("kspace", good.shape, good.dtype, external=[(str(raw), 0, h5py.h5f.UNLIMITED)])


def virtual(path: Path, good: np.ndarray) -> None:
    stored(kspace=good)(path.with_name("other.h5"), good)
    layout = h5py.VirtualLayout(good.shape, good.dtype)
    layout[:] = h5py.VirtualSource(str(path.with_name("other.h5")), "kspace", good.shape)
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("kspace", layout)


def declared(shape: tuple[int, ...], chunks: tuple[int, ...] | None = None) -> Callable[[Path, np.ndarray], None]:
    """A file that declares a shape and holds nothing."""

    def make(path: Path, good: np.ndarray) -> None:
        with h5py.File(path, "w") as file:
            file.create_dataset("kspace", shape, np.complex64, chunks=chunks, maxshape=(None,) * len(shape))

    return make


def objects(path: Path, good: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("kspace", (2,), h5py.string_dtype())[:] = pickle.dumps(print).hex()


def group(path: Path, good: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        file.create_group("kspace")


def looping(path: Path, good: np.ndarray) -> None:
    path.symlink_to(path)


def absent(path: Path, good: np.ndarray) -> None:
    pass


BROKEN = {
    "text": (lambda path, good: path.write_text("kspace"), "expected an HDF5 file"),
    "empty": (lambda path, good: path.touch(), "expected an HDF5 file"),
    "pickle": (lambda path, good: path.write_bytes(pickle.dumps(good)), "expected an HDF5 file"),
    "folder": (lambda path, good: path.mkdir(), "got a folder"),
    "truncated": (truncated, "damaged or not complete"),
    "damaged chunk": (flipped, "damaged or not complete"),
    "no kspace": (stored(image=lambda good: good, mask=np.ones(3)), "'kspace', got image, mask"),
    "group": (group, "is a group"),
    "objects": (objects, "expected numbers"),
    "real": (stored(kspace=np.abs), "expected complex values, got float32"),
    "2 axes": (stored(kspace=lambda good: good[0, 0]), "expected (slices, coils, y, x)"),
    "5 axes": (stored(kspace=lambda good: good[None]), "expected (slices, coils, y, x)"),
    "scalar": (stored(kspace=1j), "expected (slices, coils, y, x)"),
    "no slices": (stored(kspace=lambda good: good[:0]), "got (0, 4, 40, 48)"),
    "NaN": (stored(kspace=with_nan), "finite"),
    "beyond single precision": (stored(kspace=lambda good: good.astype(complex) * 1e60), "finite"),
    "zero": (stored(kspace=lambda good: 0 * good), "only zeros"),
    "never written": (declared((1, 4, 40, 48), (1, 1, 40, 48)), "never written"),
    "mask of another shape": (stored(kspace=lambda good: good, mask=np.ones(HEIGHT)), "mask: expected shape (48,)"),
    "mask of none": (stored(kspace=lambda good: good, mask=np.zeros(WIDTH)), "expected sampled lines, got none"),
    "mask of weights": (stored(kspace=lambda good: good, mask=np.full(WIDTH, 0.5)), "other values"),
    "mask of NaN": (stored(kspace=lambda good: good, mask=np.full(WIDTH, np.nan)), "other values"),
    "mask beside the data": (
        stored(kspace=lambda good: good * (np.arange(48) > 24), mask=np.arange(48) < 9),
        "only zeros",
    ),
    "absurd shape": (declared((2**20, 2**10, 2**10, 2**10)), "at most 8 GiB"),
    "chunk bomb": (declared((1, 1, 40, 48), (1, 1, 2**14, 2**13)), "chunks"),
    "external link": (linked, "is a link"),
    "soft link": (soft, "is a link"),
    "external storage": (external, "lies in other files"),
    "virtual": (virtual, "lies in other files"),
}


@pytest.mark.parametrize(("make", "message"), BROKEN.values(), ids=BROKEN)
def test_broken_and_hostile_files_are_refused(full, tmp_path, make, message):
    path = tmp_path / "kspace.h5"
    make(path, full)
    assert_file_refused(read_fastmri, path, message)


@pytest.mark.parametrize("make", [absent, looping])
@pytest.mark.parametrize("name", ["kspace.h5", pytest.param("k" * 300 + ".h5", id="name too long")])
def test_missing_files(full, tmp_path, make, name):
    path = tmp_path / name
    if len(name) < 255:
        make(path, full)
    assert_refused(lambda: read_fastmri(str(path)), name[:3], error=FileNotFoundError)


def test_the_size_is_refused_before_anything_is_allocated(full, tmp_path, monkeypatch):
    path = tmp_path / "kspace.h5"
    side = int((MAX_BYTES / 8) ** 0.5) + 1
    declared((1, 1, side, side))(path, full)
    monkeypatch.setattr(np, "empty", lambda *_, **__: pytest.fail("allocated"))
    assert_file_refused(read_fastmri, path, "GiB")


def test_what_h5py_refuses_names_the_file(save, full, monkeypatch):
    path = save(full)

    def refuse(*_):
        raise ValueError("Insufficient precision in available types to represent (31, 23, 8, 0, 23)")

    monkeypatch.setattr("smug.data.kspace.fastmri.dataset", refuse)
    assert_file_refused(read_fastmri, path, "the HDF5 file is damaged...Insufficient precision")


def test_slices_have_lines_of_their_own(full, save):
    kept = np.zeros((3, WIDTH), dtype=bool)
    kept[:, WIDTH // 2 - 6 : WIDTH // 2 + 6] = True
    for s in range(3):
        kept[s, s::4] = True
    sampled = full * kept[:, None, None]
    k = read_fastmri(save(sampled))
    assert np.array_equal(k.mask.numpy(), kept) and not k.fully_sampled
    assert k.acceleration == pytest.approx(kept.size / kept.sum())
    assert np.array_equal(k.measured(1)[0][0].numpy(), sampled[1])
    sampled[2] = 0  # a slice of zeros has been sampled like the others together
    k = read_fastmri(save(sampled))
    assert np.array_equal(k.mask.numpy(), [kept[0], kept[1], kept[0] | kept[1]])
    given = read_fastmri(save(full * kept[0], kept[0]))
    assert np.array_equal(given.mask.numpy(), kept[:1])


def test_a_few_values_that_are_zero_in_one_slice_are_measured(full, save):
    weak = full.copy()
    weak[2][..., :2] = 0  # such as whole numbers of a dark slice
    k = read_fastmri(save(weak))
    assert k.mask.shape == (1, WIDTH) and k.fully_sampled


@pytest.mark.parametrize("rows", [20, 21])
@pytest.mark.parametrize("points", [False, True], ids=["lines", "points"])
def test_the_readout_is_cropped_as_fastmri_crops_whatever_the_mask(full, save, rows, points):
    path = save(full, 1 - np.eye(HEIGHT, WIDTH) if points else None)
    with h5py.File(path, "a") as file:
        file["reconstruction_rss"] = np.zeros((3, rows, WIDTH))
    v = read_fastmri(path)
    assert v.mask.ndim == (3 if points else 2)
    top = (HEIGHT - rows) // 2
    expected = ifft2c(torch.from_numpy(full[0]))[:, top : top + rows]
    torch.testing.assert_close(v.cropped(ifft2c(v.kspace[0])), expected, rtol=1e-4, atol=1e-4)
