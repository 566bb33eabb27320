"""The front door: formats told apart, layouts compared with the energy of k-space, images that are right."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from smug.data.kspace.noise import noise_level
from smug.data.kspace.read import read
from smug.data.phantom import head_phantom
from smug.models.classical import CGSense
from smug.physics.fourier import fft2c, ifft2c
from smug.physics.maps.simulated import simulated_maps
from smug.reconstruction import reconstruct

from ...properties import assert_file_refused, assert_refused

SIZE, COILS, SLICES = 64, 4, 2


@pytest.fixture(scope="module")
def coil_images() -> np.ndarray:
    """Coil images ``(slice, coil, y, x)`` of heads."""
    heads = torch.stack([head_phantom(seed, SIZE) for seed in (1, 2)])
    return (simulated_maps(COILS, SIZE, SIZE, seed=0) * heads[:, None]).to(torch.complex64).numpy()


@pytest.fixture(scope="module")
def kspace(coil_images: np.ndarray) -> np.ndarray:
    return fft2c(torch.from_numpy(coil_images)).numpy()


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    def write(kspace: np.ndarray, name: str = "scan.h5", **others: object) -> Path:
        with h5py.File(tmp_path / name, "w") as file:
            file["kspace"] = kspace
            for key, value in others.items():
                file[key] = value
        return tmp_path / name

    return write


@pytest.fixture
def save_cfl(tmp_path: Path) -> Callable[..., Path]:
    def write(array: np.ndarray) -> Path:
        (tmp_path / "k.hdr").write_text("# Dimensions\n" + " ".join(map(str, array.shape)) + "\n")
        array.astype("<c8").ravel(order="F").tofile(tmp_path / "k.cfl")
        return tmp_path / "k.cfl"

    return write


def error(path: Path, coil_images: np.ndarray, **options: str) -> float:
    """The relative error of the image that is reconstructed from a full scan."""
    truth = np.linalg.norm(coil_images, axis=1)
    found = reconstruct(CGSense(lam=1e-4), read(path, **options)).images.abs().numpy()
    return float(np.linalg.norm(found - truth) / np.linalg.norm(truth))


def test_a_good_file_has_nothing_to_say(kspace, coil_images, save):
    path = save(kspace)
    assert read(path).warnings == ()
    assert error(path, coil_images) < 0.03


SHIFTS = [
    pytest.param(lambda k: np.roll(k, 8, -2), "y (readout) at 40, where the centre of 64 is 32", id="readout"),
    pytest.param(lambda k: np.roll(k, -6, -1), "x (phase encoding) at 26", id="phase"),
    pytest.param(lambda k: np.fft.ifftshift(k, axes=(-2, -1)), "as without fftshift", id="corner"),
    pytest.param(lambda k: np.fft.ifftshift(k, axes=-2), "y (readout) at 0", id="corner of the readout"),
    pytest.param(lambda k: np.fft.fft2(image_of(k), norm="ortho"), "as without fftshift", id="plain FFT"),
]


def image_of(kspace: np.ndarray) -> np.ndarray:
    return ifft2c(torch.from_numpy(kspace)).numpy()


@pytest.mark.parametrize(("change", "message"), SHIFTS)
def test_a_peak_off_the_centre_is_refused_or_moved(kspace, coil_images, save, change, message):
    path = save(change(kspace).astype(np.complex64))
    assert_file_refused(read, path, f"{message}...--centre peak...--centre as-stored")
    assert error(path, coil_images, centre="peak") < 0.03
    (warning,) = read(path, centre="peak").warnings
    assert "moved to the centre" in warning
    assert read(path, centre="as-stored").warnings == ()
    assert np.allclose(torch.stack(list(read(path, centre="as-stored").kspace)), change(kspace), atol=1e-6)


@pytest.mark.parametrize(("change", "message"), SHIFTS)
def test_the_same_in_files_of_bart(kspace, coil_images, save_cfl, change, message):
    array = np.zeros((SIZE, SIZE, 1, COILS, *[1] * 9, SLICES), np.complex64)
    array[:, :, 0, :, *[0] * 9] = change(kspace).transpose(2, 3, 1, 0)
    path = save_cfl(array)
    assert_file_refused(read, path, message)
    assert error(path, coil_images, centre="peak") < 0.03


def test_partial_fourier_that_is_off_the_centre_is_moved_with_its_mask(kspace, save):
    lines = np.arange(SIZE) >= 16
    path = save(np.roll(kspace * lines, -16, -1))
    v = read(path, centre="peak")
    assert torch.equal(v.mask[0], torch.from_numpy(lines)) and v.encoded_lines == SIZE - 1 and not v.fully_sampled
    assert np.allclose(torch.stack(list(v.kspace)), kspace * lines)


@pytest.mark.parametrize("name", ["centre", "slices"])
def test_unknown_choices(kspace, save, name):
    with pytest.raises(ValueError, match=rf"{name}: expected one of checked, .* got 'middle'"):
        read(save(kspace), **{name: "middle"})


def test_radial_data_of_bart_are_not_cartesian(save_cfl):
    rng = np.random.default_rng(0)
    spokes = rng.normal(size=(1, 64, 90, 4, 2)) @ [1, 1j]
    path = save_cfl(spokes * np.exp(-np.abs(np.arange(64) - 32) / 4)[:, None, None])
    assert_refused(lambda: read(path), "non-Cartesian ... needs its trajectory...[readout, phase, 1, coils] in BART")


@pytest.mark.parametrize(
    "axes", [(0, 2, 3, 1), (2, 3, 1, 0), (2, 3, 0, 1)], ids=["coils last", "y, x, coils, slices", "y, x, slices, coils"]
)
def test_other_orders_of_axes_are_told(kspace, save, axes):
    many = np.concatenate([kspace, 1j * kspace], axis=1)  # eight coils
    assert_refused(lambda: read(save(many.transpose(axes))), "expected axes (slices, coils, y, x), got")


@pytest.mark.parametrize("order", [(1, 0, 2, 3), None], ids=["coils, slices", "coils of one slice"])
def test_references_tell_how_many_slices_there_are(kspace, coil_images, save, order):
    slices = SLICES if order else 1
    wrong = kspace.transpose(order) if order else kspace[0]
    path = save(wrong, reconstruction_rss=np.linalg.norm(coil_images[:slices], axis=1).astype(np.float32))
    assert_refused(lambda: read(path), "expected (slices, coils, y, x), got")


def test_a_mask_of_rows(kspace, save):
    rows = np.arange(SIZE) % 3 == 2
    rows[28:37] = True
    v = read(save(kspace * rows[:, None], mask=rows))
    assert torch.equal(v.mask, torch.from_numpy(rows)[None, :, None].expand(1, SIZE, SIZE))
    (warning,) = v.warnings
    assert "along the first axis" in warning


@pytest.mark.parametrize("shape", [(1, SIZE), (SIZE, 1), (1, 1, SIZE, 1)])
def test_a_mask_may_have_axes_of_one(kspace, save, shape):
    lines = np.arange(SIZE) % 2 == 0
    assert torch.equal(read(save(kspace, mask=lines.reshape(shape))).mask[0], torch.from_numpy(lines))


# Complex numbers


def record(values: np.ndarray, names: tuple[str, str], kind: str = "f8") -> np.ndarray:
    made = np.zeros(values.shape, dtype=[(name, kind) for name in names])
    made[names[0]], made[names[1]] = values.real, values.imag
    return made


@pytest.mark.parametrize("names", [("real", "imag"), ("re", "im"), ("Real", "Imag")])
def test_records_of_real_and_imaginary_part(kspace, save, names):
    v = read(save(record(kspace, names)))
    assert np.allclose(torch.stack(list(v.kspace)), kspace)
    (warning,) = v.warnings
    assert "real and imaginary parts" in warning


@pytest.mark.parametrize("coil", [slice(None), 0])
def test_parts_as_a_last_axis(kspace, save, coil):
    wanted = kspace[:, coil]
    v = read(save(np.stack([wanted.real, wanted.imag], -1)))
    assert np.allclose(torch.stack(list(v.kspace)).squeeze(1), wanted) and "last axis" in v.warnings[0]


@pytest.mark.parametrize("slices", [1, 2])
@pytest.mark.parametrize("width", [SIZE, 48])
def test_files_of_matlab(kspace, tmp_path, slices, width):
    """MATLAB's kspace(y, x, coils, slices): its axes are in reverse, and a last one of 1 is dropped."""
    first = (SIZE - width) // 2
    wanted = kspace[:slices, ..., first : first + width]
    array = wanted.transpose(2, 3, 1, 0)  # y, x, coils, slices
    lines = np.arange(width) % 2 == 0
    path = tmp_path / "scan.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["kspace"] = record(array.transpose()[0] if slices == 1 else array.transpose(), ("real", "imag"))
        file["kspace"].attrs["MATLAB_class"] = np.bytes_("double")
        file["mask"] = lines[:, None].astype(np.uint8)  # (1, x) in MATLAB
    v = read(path)
    assert (len(v), *v.kspace[0].shape, v.format) == (slices, COILS, SIZE, width, "HDF5 of MATLAB")
    assert np.allclose(torch.stack(list(v.kspace)), wanted)
    assert torch.equal(v.mask[0], torch.from_numpy(lines))
    assert any("(y, x, coils, slices)" in warning for warning in v.warnings)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda k: record(k, ("a", "b")), "expected complex values, got records of a, b"),
        (lambda k: record(k, ("real", "imag"), "i4"), "got records of real, imag"),
        (lambda k: np.abs(k), "expected complex values, got float32"),
        (lambda k: np.stack([k.real, k.imag], 2), "last axis of 2: (slices, coils, y, x, 2)"),
        (lambda k: k[0, 0], "expected (slices, coils, y, x)"),
    ],
)
def test_other_numbers_are_told(kspace, save, make, message):
    assert_file_refused(read, save(make(kspace)), message)


# Headers

SPACE = "<matrixSize><x>64</x><y>64</y><z>1</z></matrixSize>"
FIELD = "<fieldOfView_mm><x>220</x><y>220</y><z>{z}</z></fieldOfView_mm>"


def header(space: str = SPACE, field: str = "", limits: str = "", trajectory: str = "") -> str:
    return (
        "<ismrmrdHeader xmlns='http://www.ismrm.org/ISMRMRD'><encoding>"
        f"<encodedSpace>{space}{field}</encodedSpace><reconSpace>{space}{field}</reconSpace>"
        f"<encodingLimits>{limits}</encodingLimits>{trajectory}</encoding></ismrmrdHeader>"
    )


def limits(first: int, last: int, centre: int | None) -> str:
    told = "" if centre is None else f"<center>{centre}</center>"
    return f"<kspace_encoding_step_1><minimum>{first}</minimum><maximum>{last}</maximum>{told}</kspace_encoding_step_1>"


@pytest.mark.parametrize(
    "text",
    [
        header(),
        header(limits=limits(0, 63, 32)),
        header(limits=limits(0, 63, None)),
        header(limits=limits(0, 0, 0)),
        header(field=FIELD.format(z=0)),
        header(field=FIELD.format(z=""), trajectory="<trajectory>cartesian</trajectory>"),
        header(space=""),
        "<ismrmrdHeader/>",
        "",
        "  \n",
        np.zeros(0, dtype="S1"),
        h5py.Empty("S1"),
    ],
    ids=range(12),
)
def test_headers_need_to_state_nothing(kspace, coil_images, save, text):
    path = save(kspace, ismrmrd_header=text)
    v = read(path)
    assert v.fully_sampled and v.crop == (SIZE, SIZE) and v.warnings == ()
    assert v.geometry.voxel_size[2] == 1
    assert error(path, coil_images) < 0.03


def test_what_is_assumed_is_told(kspace, save):
    v = read(save(kspace, ismrmrd_header=header(field=FIELD.format(z=0))))
    assert v.geometry.voxel_size == (220 / 64, 220 / 64, 1)
    assert v.attributes["voxel_size"] == "not stated along slice: 1 mm is assumed"


def test_samples_stand_for_a_matrix_that_is_not_stated(kspace, save):
    v = read(save(kspace, ismrmrd_header=header(field=FIELD.format(z=5)).replace("matrixSize", "unknown")))
    assert v.crop == (SIZE, SIZE) and v.geometry.voxel_size[:2] == (220 / 64, 220 / 64)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_headers_of_characters_as_matlab_writes_them(kspace, save, dtype):
    text = np.frombuffer(header(field=FIELD.format(z=3)).encode(), np.uint8).astype(dtype)
    assert read(save(kspace, ismrmrd_header=text[:, None])).geometry.voxel_size == (220 / 64, 220 / 64, 3)


def test_limits_that_measured_lines_contradict_are_ignored(kspace, coil_images, save):
    path = save(kspace, ismrmrd_header=header(limits=limits(0, 47, 20)))
    (warning,) = read(path).warnings
    assert "encoding limits say lines 12 to 59, but there are others" in warning
    assert error(path, coil_images) < 0.03


def test_receiver_channels_tell_slices_from_coils(kspace, save):
    stated = header(limits="<slice><minimum>0</minimum><maximum>1</maximum></slice>").replace(
        "<encoding>",
        "<acquisitionSystemInformation><receiverChannels>4</receiverChannels></acquisitionSystemInformation><encoding>",
    )
    assert len(read(save(kspace, ismrmrd_header=stated))) == SLICES
    with pytest.raises(ValueError, match="of 2 slices: transpose it"):
        read(save(kspace.transpose(1, 0, 2, 3), "other.h5", ismrmrd_header=stated))


# Other formats


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("meas.dat", bytes(4096), "raw data of Siemens: siemens_to_ismrmrd -f meas.dat -o meas.h5"),
        ("P12345.7", b"\x01" * 100, "ge_to_ismrmrd"),
        ("scan.raw", b"\x01" * 100, "philips_to_ismrmrd"),
        ("old.mat", b"MATLAB 5.0 MAT-file, Platform" + bytes(200), "save('old.mat', 'kspace', '-v7.3')"),
        ("k.npy", b"\x93NUMPY\x01\x00" + bytes(100), "h5py.File('k.h5', 'w')['kspace']"),
        ("k.h5", b"\x93NUMPY\x01\x00" + bytes(100), "a NumPy array"),
        ("x.dcm", bytes(128) + b"DICM" + bytes(100), "images of DICOM, not k-space"),
        ("noname", bytes(128) + b"DICM" + bytes(100), "images of DICOM, not k-space"),
        ("x.nii", bytes(344) + b"n+1\0", "images of NIfTI, not k-space"),
        ("x.nii.gz", b"\x1f\x8b" + bytes(100), "a compressed file"),
        ("x.png", b"\x89PNG\r\n" + bytes(100), "a picture, not k-space"),
        ("x.zip", b"PK\x03\x04" + bytes(100), "an archive"),
        ("x.h5", b"anything", "expected an HDF5 file"),
        ("empty.dat", b"", "expected an HDF5 file"),
    ],
)
def test_other_formats_are_named_with_their_conversion(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    assert_file_refused(read, path, message)


def test_a_suffix_does_not_matter_where_the_content_is_hdf5(kspace, save):
    assert len(read(save(kspace, "scan.dat"))) == SLICES


def test_files_of_bart_need_no_suffix(kspace, save_cfl):
    path = save_cfl(kspace[0].transpose(1, 2, 0)[:, :, None])
    assert len(read(path.with_suffix(""))) == 1


def test_slices_without_the_centre_of_kspace_are_told(kspace, save):
    several = np.concatenate([kspace, kspace])
    aborted = several.copy()
    aborted[1, ..., SIZE // 4 :] = 0
    assert not read(save(several)).warnings
    told = read(save(aborted)).warnings
    assert len(told) == 1 and "was not measured of 1 slice (scan-001)" in told[0]


@pytest.mark.parametrize("empty", [1, 12])
def test_channels_of_zeros_are_no_coils(kspace, save, empty):
    noise = 0.02 * torch.randn(kspace.shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(0)).numpy()
    good = read(save(kspace + noise))
    zeros = np.zeros((SLICES, empty, SIZE, SIZE), np.complex64)
    padded = read(save(np.concatenate([zeros[:, :1], kspace + noise, zeros[:, 1:]], axis=1), "padded.h5"))
    assert padded.kspace[0].shape[0] == COILS and torch.equal(padded.kspace[1], good.kspace[1])
    assert str(noise_level(padded)) == str(noise_level(good))
    listed = "0" if empty == 1 else "0, 5, 6, 7, 8, 9, 10, 11, ..."
    assert len(padded.warnings) == 1
    assert f"{empty} of {COILS + empty} channels hold zeros alone ({listed}): left out" in padded.warnings[0]


def test_a_channel_that_is_zero_in_one_slice_stays(kspace, save):
    kspace = kspace.copy()
    kspace[0, 1] = 0
    v = read(save(kspace))
    assert v.kspace[0].shape[0] == COILS and v.warnings == ()
