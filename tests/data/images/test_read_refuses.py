"""Image files that are broken or hostile."""

import gzip
import io
import logging
import struct
import sys
import zlib
from pathlib import Path

import h5py
import hypothesis
import nibabel
import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

from smug.data.images.read import read_images
from smug.data.images.volume import MAX_SLICES

from ...properties import assert_file_refused, assert_refused
from .conftest import KINDS, OBLIQUE, RNG, VOLUME, only, save, save_hdf5, save_nifti, stack


@pytest.mark.parametrize("kind", ["a.nii", "a.nii.gz", "a.npy", "a.h5", "c.h5"])
def test_not_finite(tmp_path, kind):
    data = VOLUME.astype(np.float64)
    data[1, 2, 3] = np.nan if kind in ("a.nii", "a.h5") else 1e60  # which is infinite in single precision
    path = tmp_path / kind
    if ".nii" in kind:
        save_nifti(path, data.T)
    elif kind == "a.npy":
        np.save(path, data)
    elif kind == "a.h5":
        save_hdf5(path, volume=data)
    else:
        save_hdf5(path, image_ri=np.stack([data, data], axis=1), scale=np.ones(3))
    assert_file_refused(read_images, path, "slice 1: expected finite numbers, got NaN or infinite")


@pytest.mark.parametrize("kind", KINDS)
def test_only_zeros(tmp_path, kind):
    path, zeros = tmp_path / kind, np.zeros_like(VOLUME)
    if ".nii" in kind:
        save_nifti(path, zeros.T)
    elif kind == "a.png":
        Image.fromarray(zeros[0].astype(np.uint8)).save(path)
    elif kind == "a.npy":
        np.save(path, zeros)
    else:
        save_hdf5(path, volume=zeros)
    assert_file_refused(read_images, path, "...: expected images, got only zeros")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("left", [0, 3, 30, 0.5, 0.8])
def test_empty_and_truncated_files(tmp_path, kind, left):
    path = save(tmp_path / kind)
    content = path.read_bytes()
    path.write_bytes(content[: int(left * len(content)) if isinstance(left, float) else left])
    assert_file_refused(read_images, path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("content", [b"\x00" * 5000, b"text " * 1000])
def test_files_of_another_kind(tmp_path, kind, content):
    (tmp_path / kind).write_bytes(content)
    assert_file_refused(read_images, tmp_path / kind)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("damaged")


@pytest.mark.parametrize("kind", KINDS)
@hypothesis.given(places=st.lists(st.integers(0, 10**6), min_size=1, max_size=4), byte=st.integers(0, 255))
@hypothesis.settings(max_examples=40)
def test_damaged_files(folder, kind, places, byte):
    path = save(folder / kind)
    content = bytearray(path.read_bytes())
    for place in places:
        content[place % len(content)] = byte
    path.write_bytes(content)
    logging.disable()  # nibabel tells what it mends
    try:
        assert all(image.isfinite().all() for volume in read_images(path) for image in volume.slices)
    except ValueError as error:
        assert str(error).startswith(f"{path}: ")
    finally:
        logging.disable(logging.NOTSET)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("a.tif", "name ends in one of .nii, .nii.gz, .png, .npy, .h5, .hdf5"),
        ("a", "name ends in one of"),
        (".", "got a folder"),
    ],
)
def test_paths_that_are_refused(tmp_path, path, message):
    assert_file_refused(read_images, tmp_path / path, message)


def test_missing_files(tmp_path):
    (tmp_path / "link.png").symlink_to(tmp_path / "nowhere.png")
    for path in (tmp_path / "missing.nii", tmp_path / "link.png"):
        assert_refused(lambda: read_images(path), f"{path.name}: no such file", error=FileNotFoundError)


def test_no_object_is_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (sys.exit, ("unpickled",))

    np.save(tmp_path / "a.npy", np.array([[Trap()]], dtype=object), allow_pickle=True)
    assert_file_refused(read_images, tmp_path / "a.npy", "expected real or complex numbers, one per pixel, got object")


@pytest.mark.parametrize("dtype", ["U3", "M8[s]", [("r", "u1"), ("g", "u1")]])
def test_arrays_of_anything_but_numbers(tmp_path, dtype):
    np.save(tmp_path / "a.npy", np.zeros((4, 4), dtype=dtype))
    assert_file_refused(read_images, tmp_path / "a.npy")


def test_colour_in_nifti(tmp_path):
    colour = np.ones((5, 6, 3), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    path = save_nifti(tmp_path / "a.nii", colour)
    assert_file_refused(read_images, path, "expected real or complex numbers, one per pixel")


def npy_header(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<c8", "fortran_order": False, "shape": shape})
    return file.getvalue()


@pytest.mark.parametrize("shape", [(2**40, 2**40, 2**40), (2**62, 4), (2000, 4000, 4000), (0, 4, 4), (-1, 4, 4)])
def test_absurd_npy(tmp_path, shape):
    (tmp_path / "a.npy").write_bytes(npy_header(shape) + b"\0" * 1000)
    with pytest.raises(ValueError, match=r"a\.npy: .*(at most|got \()"):
        read_images(tmp_path / "a.npy")


@pytest.mark.parametrize("sizes", [(5,), (1, 2, 3, 4)])
def test_npy_of_other_dimensions(tmp_path, sizes):
    np.save(tmp_path / "a.npy", np.ones(sizes))
    assert_file_refused(read_images, tmp_path / "a.npy", "expected an array (y, x) or (slices, y, x)")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("sizes", [(32767, 32767, 32767), (32767, 32767, 1), (1, 1, 32767, 32767), (0, 5, 5)])
def test_absurd_nifti(tmp_path, sizes, suffix):
    dim = [len(sizes), *sizes] + [1] * (7 - len(sizes))
    path = save_nifti(tmp_path / f"a{suffix}", VOLUME.T, dim=dim)
    with pytest.raises(ValueError, match=r"a\.nii.*: .*(at most|got \()"):
        read_images(path)


def test_gzip_files_whose_content_cannot_be_as_large_as_declared(tmp_path, monkeypatch):
    path = save_nifti(tmp_path / "a.nii.gz", VOLUME.T, dim=[3, 8000, 8000, 4, 1, 1, 1, 1])
    read: list[int] = []
    monkeypatch.setattr(gzip.GzipFile, "seek", lambda self, offset: read.append(offset))
    assert_file_refused(read_images, path, "declares 512,000,352 bytes, which the file cannot hold")
    assert not read


def test_gzip_files_are_read_no_further_than_declared(tmp_path, monkeypatch):
    """A small volume with many zeros after it."""
    zeros = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(zeros.compress(bytes(2**24)) for _ in range(4)) + zeros.flush()
    path = save(tmp_path / "a.nii.gz")
    path.write_bytes(path.read_bytes() + bomb)
    sizes = []
    original = gzip.GzipFile.read

    def read(self, size=-1):
        sizes.append(size)
        return original(self, size)

    monkeypatch.setattr(gzip.GzipFile, "read", read)
    np.testing.assert_array_equal(stack(only(path)), VOLUME)
    assert all(0 <= size <= VOLUME.nbytes + 540 for size in sizes)


def test_volumes_that_lie_far_into_a_gzip_file(tmp_path, monkeypatch):
    path = save_nifti(tmp_path / "a.nii.gz", VOLUME.T, vox_offset=1600)
    monkeypatch.setattr("smug.data.images.nifti.MAX_GZIP_BYTES", 1500)
    assert_file_refused(read_images, path, "...which the file cannot hold")


@pytest.mark.parametrize("offset", [-16, 16, 1e30, float("nan"), float("inf")])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_volumes_that_lie_nowhere(tmp_path, suffix, offset):
    path = save_nifti(tmp_path / f"a{suffix}", VOLUME.T, vox_offset=offset)
    assert_file_refused(read_images, path, "cannot be read as NIfTI")


def test_extensions_that_overstate_their_size_are_not_read(tmp_path):
    path = save(tmp_path / "a.nii")
    content = bytearray(path.read_bytes())
    content[348:352] = b"\1\0\0\0"
    content[352:352] = struct.pack("<2i", 2**31 - 16, 6) + bytes(8)
    content[108:112] = struct.pack("<f", 368)
    path.write_bytes(content)
    np.testing.assert_array_equal(stack(only(path)), VOLUME)


def test_a_damaged_checksum(tmp_path):
    path = save_nifti(tmp_path / "a.nii.gz", RNG.integers(1, 255, (512, 512, 8)).astype(np.uint8))
    content = bytearray(path.read_bytes())
    content[-6] ^= 1
    path.write_bytes(content)
    assert_file_refused(read_images, path, "cannot be read as NIfTI: ...CRC")


def test_nifti_in_two_files(tmp_path):
    nibabel.Nifti1Pair(VOLUME.T, OBLIQUE).to_filename(tmp_path / "a.img")
    (tmp_path / "a.hdr").rename(tmp_path / "a.nii")
    assert_file_refused(read_images, tmp_path / "a.nii", "images are in another")


def test_nifti_voxels_without_a_volume(tmp_path):
    path = save_nifti(tmp_path / "a.nii", VOLUME.T, srow_x=[np.nan, 0, 0, 0])
    assert_file_refused(read_images, path, "expected voxels with a volume")


def test_nifti_of_too_many_dimensions(tmp_path):
    path = save_nifti(tmp_path / "a.nii", np.ones((2, 2, 2, 2, 3), np.uint8))
    assert_file_refused(read_images, path, "expected sizes (x, y, slices)")


def test_absurd_png(tmp_path):
    header = b"IHDR" + struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
    assert_file_refused(read_images, tmp_path / "a.png", "got slices of 100000 x 100000: at most")


def test_absurd_hdf5(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("volume", (10**6, 10**4, 10**4), dtype="u2", chunks=(1, 100, 100))
    assert_file_refused(read_images, tmp_path / "a.h5", "'volume': got shape")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_dataset("volume", (MAX_SLICES + 1, 1, 1), dtype="u1", chunks=(100, 1, 1))
    assert_file_refused(read_images, tmp_path / "b.h5", "volume: got 100,001 slices")


def test_links_in_hdf5(tmp_path):
    save_hdf5(tmp_path / "a.h5", volume=VOLUME)
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["v"] = h5py.ExternalLink("a.h5", "volume")
    assert_file_refused(read_images, tmp_path / "b.h5", "'v' is a link")
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["v"] = VOLUME
        file["image_ri"] = h5py.SoftLink("/v")
    assert_file_refused(read_images, tmp_path / "c.h5", "'image_ri' is a link")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"numbers": np.zeros(3)}, "expected image_ri with scale, or magnitude volumes"),
        ({}, "expected image_ri with scale, or magnitude volumes"),
        ({"kspace": np.ones((1, 2, 4, 4), np.complex64)}, "got k-space"),
        ({"dataset/data": np.ones(3)}, "got k-space"),
        ({"v": VOLUME.astype(np.complex64)}, "expected real numbers, one per pixel, got complex64"),
        ({"v": np.zeros((0, 4, 4))}, "expected images (slices, y, x)"),
        ({"v": np.array([[[b"a"]]])}, "expected numbers"),
        ({"image_ri": np.ones((3, 2, 4, 4))}, "expected image_ri (slices, 2, y, x), and scale"),
        ({"image_ri": np.ones((3, 4, 4)), "scale": np.ones(3)}, "expected image_ri (slices, 2, y, x)"),
        ({"image_ri": np.ones((3, 2, 4, 4)), "scale": np.ones(2)}, "scale and subject"),
        ({"image_ri": np.ones((3, 2, 4, 4)), "scale": np.ones(3), "subject": np.ones(2)}, "scale and subject"),
    ],
)
def test_hdf5_of_another_form(tmp_path, arrays, message):
    assert_file_refused(read_images, save_hdf5(tmp_path / "a.h5", **arrays), message)


@pytest.mark.parametrize("size", [[1.0, 1.0], [-1.0, 1.0, 1.0], [np.nan, 1.0, 1.0], "large"])
def test_voxel_sizes_that_are_none(tmp_path, size):
    path = save_hdf5(tmp_path / "a.h5", v=VOLUME)
    with h5py.File(path, "a") as file:
        file["v"].attrs["voxel_mm_row_col_slice"] = size
    assert_file_refused(read_images, path, "voxel_mm_row_col_slice: expected three positive numbers")


def test_a_file_that_changes_while_it_is_read(tmp_path):
    volume = only(save(tmp_path / "a.png"))
    Image.fromarray(np.ones((3, 3), np.uint8)).save(tmp_path / "a.png")
    assert_refused(lambda: volume.slices[0], "a.png: has changed")
