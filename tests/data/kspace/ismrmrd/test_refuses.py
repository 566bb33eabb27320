"""What is not supported or damaged ends in one clear error."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import ismrmrd
import numpy as np
import pytest

from smug.data.hdf5 import opened
from smug.data.kspace.fastmri import read_fastmri
from smug.data.kspace.ismrmrd import is_ismrmrd, read_ismrmrd
from smug.data.kspace.read import read

from ....properties import assert_file_refused, assert_refused
from .conftest import COILS, HEADER, HEIGHT, WIDTH, Header, acquisition, lines, noise_scan, oversampled, random_images


def with_field(name: str, value: int) -> Callable[[list[Any]], None]:
    def change(rows: list[Any]) -> None:
        setattr(rows[3] if hasattr(rows[3], name) else rows[3].idx, name, value)

    return change


def with_flag(flag: int) -> Callable[[list[Any]], None]:
    return lambda rows: rows[3].set_flag(flag)


def replaced(channels: int, samples: int) -> Callable[[list[Any]], None]:
    def change(rows: list[Any]) -> None:
        rows[3] = acquisition(np.ones((channels, samples)), kspace_encode_step_1=3)

    return change


@pytest.mark.parametrize(
    ("change", "header", "message"),
    [
        (None, Header(trajectory="radial"), "states a trajectory 'radial'...no coordinates...trajectory_dimensions 2"),
        (None, Header(trajectory="epi"), "trajectory 'epi' is not supported"),
        (None, Header(trajectory="other"), "states a trajectory 'other'...no coordinates"),
        (None, Header(trajectory="goldenangle"), "states a trajectory 'goldenangle'...no coordinates...--trajectory"),
        (with_flag(ismrmrd.ACQ_IS_REVERSE), HEADER, "EPI...is not supported"),
        (with_flag(ismrmrd.ACQ_COMPRESSION1), HEADER, "compressed samples are not supported"),
        (with_field("kspace_encode_step_2", 1), HEADER, "three-dimensional encoding is not supported"),
        (None, Header(matrix=(2 * HEIGHT, WIDTH, 8)), "three-dimensional encoding is not supported"),
        (with_field("encoding_space_ref", 1), HEADER, "several encoding spaces [0, 1] are not supported"),
        (replaced(COILS + 1, 2 * HEIGHT), HEADER, "active_channels: expected the same...got [3, 4]"),
        (replaced(COILS, HEIGHT), HEADER, "number_of_samples: expected the same...got [24, 48]"),
        (with_field("center_sample", 20), HEADER, "center_sample: expected the same"),
        (with_field("kspace_encode_step_1", WIDTH), HEADER, "acquisition 3: got line 20...outside...matrix of 20"),
        (None, Header(limits=(0, WIDTH - 1, 5)), "acquisition 15: got line 15 with the centre...at line 5"),
        (None, Header(matrix=(2 * HEIGHT - 2, WIDTH, 1)), "48 samples...do not fit the encoded matrix of 46"),
        (None, Header(matrix=(60000, 60000, 1)), "slices of 3 x 60000 x 60000...at most 1 GiB"),
    ],
)
def test_what_is_not_supported_is_named(save, change, header, message):
    rows = lines(oversampled(random_images(COILS, HEIGHT, WIDTH)))
    if change is not None:
        change(rows)
    assert_file_refused(read_ismrmrd, save(rows, header), message)


def test_a_frame_that_lacks_a_slice_is_named(save):
    kspace = oversampled(random_images(COILS, HEIGHT, WIDTH))
    rows = lines(kspace, slice=0) + lines(kspace, slice=1) + lines(kspace, slice=0, repetition=2)
    assert_file_refused(read_ismrmrd, save(rows), "no lines of contrast 0, phase 0, repetition 2, set 0, slice 1")


def edited(change: Callable[[h5py.Group], None]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            change(file["dataset"])

    return damage


def set_data(row: int, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    def damage(group: h5py.Group) -> None:
        record = group["data"][row]
        record["data"] = change(record["data"]).astype(np.float32)
        group["data"][row] = record

    return edited(damage)


def set_head(row: int, name: str, value: int) -> Callable[[Path], None]:
    def damage(group: h5py.Group) -> None:
        record = group["data"][row]
        record["head"][name] = value
        group["data"][row] = record

    return edited(damage)


def set_xml(text: str) -> Callable[[Path], None]:
    def damage(group: h5py.Group) -> None:
        group["xml"][0] = text

    return edited(damage)


def without(name: str) -> Callable[[Path], None]:
    return edited(lambda group: group.__delitem__(name))


def replaced_by(name: str, **options: Any) -> Callable[[Path], None]:
    def damage(group: h5py.Group) -> None:
        del group[name]
        group.create_dataset(name, **options)

    return edited(damage)


def with_table(rows: int | tuple[int, ...]) -> Callable[[Path], None]:
    """An empty table of acquisitions of this many rows."""

    def damage(group: h5py.Group) -> None:
        dtype = group["data"].dtype
        del group["data"]
        shape = rows if isinstance(rows, tuple) else (rows,)
        group.create_dataset("data", shape, dtype=dtype, chunks=(1,) * len(shape), maxshape=(None,) * len(shape))

    return edited(damage)


def soft_link(group: h5py.Group) -> None:
    group.move("data", "elsewhere")
    group["data"] = h5py.SoftLink("/dataset/elsewhere")


def external_link(path: Path) -> None:
    other = path.with_name("other.h5")
    shutil.copy(path, other)
    with h5py.File(path, "w") as file:
        file["dataset"] = h5py.ExternalLink(other.name, "/dataset")


def second_group(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.copy("dataset", "dataset_2")


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def misspelt(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"sample_time_us", b"\xecample_time_us"))


ENTITIES = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]><ismrmrdHeader>&a;</ismrmrdHeader>'


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (set_data(3, lambda v: np.where(np.arange(v.size) == 7, np.nan, v)), "acquisition 3: expected finite values"),
        (set_data(3, lambda v: np.where(np.arange(v.size) == 7, np.inf, v)), "acquisition 3: expected finite values"),
        (set_data(2, lambda v: v[:-1]), "acquisition 2: expected 2 x 3 channels x 48 samples... got 287 numbers"),
        (set_data(2, lambda v: v[:0]), "acquisition 2:...got 0 numbers"),
        (set_data(2, lambda v: np.tile(v, 100)), "acquisition 2:...got 28800 numbers"),
        (set_head(1, "number_of_samples", 0), "acquisition 1: expected 2 x 3 channels x 0 samples"),
        (set_head(1, "active_channels", 65535), "acquisition 1: expected 2 x 65535 channels"),
        (set_head(1, "flags", 2**64 - 1), "compressed"),
        (set_head(1, "discard_pre", 48), "discard_pre: expected the same"),
        (without("data"), "dataset/data: expected the acquisitions of the scanner, got no such data set"),
        (set_xml(ENTITIES), "too long or has a document type"),
        (set_xml("<ismrmrdHeader>"), "not an ISMRMRD header, or a damaged one"),
        (set_xml(Header().xml().replace("<x>48</x>", "<x>-48</x>")), "encodedSpace/matrixSize/x... got '-48'"),
        (set_xml(Header().xml().replace("<y>20</y>", "<y>many</y>")), "encodedSpace/matrixSize/y... got 'many'"),
        (replaced_by("xml", data=np.arange(3)), "expected one text"),
        (replaced_by("data", data=np.arange(3)), "expected a table of records"),
        (
            replaced_by("data", data=np.zeros(3, dtype=[("head", "f4"), ("data", "f4")])),
            "expected ISMRMRD acquisitions",
        ),
        (with_table(0), "got an empty table"),
        (with_table(5), "got an empty table"),
        (with_table(10**9), "got 1000000000 records: at most"),
        (with_table((2, 3)), "expected a table of records"),
        (edited(soft_link), "is a link"),
        (external_link, "expected a group with one ISMRMRD measurement, got none"),
        (second_group, "expected a group with one ISMRMRD measurement, got dataset, dataset_2"),
        (truncated, "damaged or not complete"),
        (misspelt, "damaged or not complete"),
        (edited(lambda g: g["data"].resize((0,))), "got an empty table"),
    ],
)
def test_damaged_files_end_in_one_clear_error(save, damage, message):
    path = save(lines(oversampled(random_images(COILS, HEIGHT, WIDTH))))
    damage(path)
    assert_file_refused(read_ismrmrd, path, message)


def test_noise_alone_is_no_image(save):
    rng = np.random.default_rng(0)
    assert_file_refused(read_ismrmrd, save([noise_scan(np.eye(COILS), rng)]), "got only noise, calibration")


def test_zeros_alone_are_no_image(save):
    assert_file_refused(read_ismrmrd, save(lines(np.zeros((COILS, 2 * HEIGHT, WIDTH)))), "got only zeros")


def test_a_missing_file(tmp_path):
    assert_refused(lambda: read_ismrmrd(tmp_path / "absent.h5"), "no such file", error=FileNotFoundError)


def test_a_file_that_changes_is_noticed(save):
    path = save(lines(oversampled(random_images(COILS, HEIGHT, WIDTH))))
    v = read_ismrmrd(path)
    set_data(2, lambda values: values[:-1])(path)
    assert_refused(lambda: v.kspace[0], "acquisition 2")


def test_fastmri_files_are_others(tmp_path):
    path = tmp_path / "fastmri.h5"
    with h5py.File(path, "w") as file:
        file["kspace"] = np.ones((1, 2, 8, 8), dtype=np.complex64)
        file["extra/data"] = 1
    with opened(path) as file:
        assert not is_ismrmrd(file)
    assert len(read(path)) == len(read_fastmri(path)) == 1
