"""Files in exactly the format that fastMRI publishes, and measured ones."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from smug.data.kspace.fastmri import read_fastmri
from smug.data.kspace.read import undersample
from smug.data.phantom import head_phantom
from smug.models.classical import CGSense
from smug.physics.fourier import fft2c
from smug.physics.maps.simulated import simulated_maps
from smug.physics.masks import calibration_region, poisson_disc
from smug.reconstruction import reconstruct

from ...properties import assert_file_refused, assert_refused

READOUT, PHASE, RECON = 96, 44, (48, 40)
"""Two-fold readout oversampling; of 44 stored lines 40 are encoded; the image is cropped to 48 x 40."""

HEADER = """<?xml version="1.0"?><ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD"><encoding>
<encodedSpace><matrixSize><x>96</x><y>44</y><z>1</z></matrixSize>
<fieldOfView_mm><x>480</x><y>264</y><z>5</z></fieldOfView_mm></encodedSpace>
<reconSpace><matrixSize><x>48</x><y>40</y><z>1</z></matrixSize>
<fieldOfView_mm><x>240</x><y>240</y><z>5</z></fieldOfView_mm></reconSpace>
<encodingLimits><kspace_encoding_step_1><minimum>0</minimum><maximum>39</maximum><center>20</center>
</kspace_encoding_step_1></encodingLimits><trajectory>cartesian</trajectory></encoding></ismrmrdHeader>"""


@pytest.fixture
def published(tmp_path) -> Path:
    """A file in exactly the format that fastMRI publishes, with its reference."""
    coil_images = simulated_maps(5, READOUT, PHASE, seed=2) * head_phantom(3, READOUT)[:, 26 : 26 + PHASE]
    kspace = fft2c(coil_images.repeat(2, 1, 1, 1)).numpy().copy()
    kspace[..., :2] = kspace[..., 42:] = 0
    images = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(kspace, axes=(-2, -1)), norm="ortho"), axes=(-2, -1))
    rss = np.sqrt((np.abs(images) ** 2).sum(1))[:, 24:72, 2:42]
    path = tmp_path / "file1000001.h5"
    with h5py.File(path, "w") as file:
        file["kspace"] = kspace
        file["reconstruction_rss"] = rss.astype(np.float32)
        file["ismrmrd_header"] = HEADER
        file.attrs.update({"acquisition": "AXT2", "max": rss.max(), "norm": 1.0, "patient_id": "0a1b"})
    return path


def test_conventions_of_fastmri(published):
    k = read_fastmri(published)
    assert (len(k), *k.kspace[0].shape) == (2, 5, 48, PHASE)  # the readout is cropped, the phase is not
    assert k.crop == RECON and k.fully_sampled and k.encoded_lines == 40
    assert k.mask[0].nonzero().flatten().tolist() == list(range(2, 42))
    assert k.geometry.voxel_size == (5, 6, 5) and not k.geometry.oriented
    assert dict(k.attributes) == {"acquisition": "AXT2"}  # nothing that names a patient
    with h5py.File(published) as file:
        rss = torch.from_numpy(file["reconstruction_rss"][()])
    torch.testing.assert_close(k.cropped(k.rss(1)), rss[1:], rtol=1e-5, atol=1e-6)


def test_the_metrics_of_fastmri(published):
    k = undersample(read_fastmri(published), 4, lines="fastmri", center_fraction=0.2)
    result = reconstruct(CGSense(0.01), k)
    with h5py.File(published) as file:
        rss = file["reconstruction_rss"][()].astype(np.float64)
    image = result.images.abs().numpy().astype(np.float64)
    similarity = [structural_similarity(t, x, data_range=rss.max()) for t, x in zip(rss, image, strict=True)]
    expected = {
        "psnr_rss": peak_signal_noise_ratio(rss, image, data_range=rss.max()),
        "ssim_rss": np.mean(similarity),
        "nmse_rss": ((image - rss) ** 2).sum() / (rss**2).sum(),
    }
    assert {name: result.quality[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    assert expected["psnr_rss"] > 15


def test_without_references_the_header_tells_the_size(published):
    with h5py.File(published, "r+") as file:
        del file["reconstruction_rss"]
        file["mask"] = np.arange(PHASE) % 4 == 2
    k = read_fastmri(published)
    assert k.crop == RECON and k.kspace[0].shape[-2] == 48 and not k.fully_sampled
    assert k.acceleration == 4


def test_a_narrow_matrix_is_cropped_to_a_square(published):
    with h5py.File(published, "r+") as file:
        del file["reconstruction_rss"]
        file["reconstruction_rss"] = np.ones((2, 48, 48), np.float32)
    assert read_fastmri(published).crop == (PHASE, PHASE)


def test_the_readout_of_a_two_dimensional_mask_is_not_cropped(published):
    mask = poisson_disc(READOUT, PHASE, 2, 16, seed=0)[0].numpy()
    with h5py.File(published, "r+") as file:
        file["mask"] = mask
    k = read_fastmri(published)
    assert k.kspace[0].shape[-2] == READOUT and k.mask.ndim == 3 and k.crop == RECON


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<x>96</x>", "<x>-96</x>", "matrixSize/x: expected 0 to 65535"),
        ("<maximum>39</maximum>", "<maximum>many</maximum>", "expected 0 to 65535, got 'many'"),
        ("<encoding>", "<encoded>", "not an ISMRMRD header"),
        ("<ismrmrdHeader", '<!DOCTYPE a [<!ENTITY b "c">]><ismrmrdHeader', "has a document type"),
    ],
)
def test_broken_headers(published, old, new, message):
    with h5py.File(published, "r+") as file:
        del file["ismrmrd_header"]
        file["ismrmrd_header"] = HEADER.replace(old, new, 1)
    assert_file_refused(read_fastmri, published, message)


def test_slices_are_read_when_needed(published):
    k = read_fastmri(published)
    assert [values.shape for values in k.kspace[:]] == 2 * [(5, 48, PHASE)]
    assert_refused(lambda: k.kspace[2], "slice 2 of 2", error=IndexError)
    with h5py.File(published, "r+") as file:
        del file["kspace"]
    assert_refused(lambda: k.kspace[0], "has changed")


FILES = {
    "brain_mprage_4ch": ((1, 4, 256, 256), True, 1.0),
    "brain_8ch_undersampled_R8": ((1, 8, 230, 180), False, 8.04),
    "brain_t1_sag_1ch": ((1, 1, 256, 256), True, 1.0),
}


@pytest.mark.parametrize("name", FILES)
def test_measured_files(data_root, name):
    path = data_root / "multicoil_kspace" / f"{name}.h5"
    shape, fully_sampled, acceleration = FILES[name]
    k = read_fastmri(path)
    assert (len(k), *k.kspace[0].shape) == shape and k.crop == shape[2:]
    assert k.fully_sampled is fully_sampled
    assert k.acceleration == pytest.approx(acceleration, abs=0.01)
    assert k.attributes["source"]
    with h5py.File(path) as file:
        rss = torch.from_numpy(file["reconstruction_rss"][()])
    torch.testing.assert_close(k.rss(0), rss, rtol=1e-5, atol=1e-5 * float(rss.max()))


def test_calibration_region_of_a_measured_poisson_disc(data_root):
    k = read_fastmri(data_root / "multicoil_kspace" / "brain_8ch_undersampled_R8.h5")
    assert calibration_region(k.mask) == (slice(103, 127), slice(78, 102))


@pytest.mark.parametrize(
    ("matrix", "field_of_view", "crop"),
    [
        ((96, 80), (240, 240), (48, 40)),  # interpolated by the scanner
        ((48, 48), (240, 264), (48, 44)),  # fewer lines than pixels along the readout: no square
        ((48, 40), (240, 240), (48, 40)),
    ],
)
def test_pixels_are_those_of_kspace_whatever_the_image_of_the_scanner(published, matrix, field_of_view, crop):
    (x, y), (width, height) = matrix, field_of_view
    recon = f"<x>{x}</x><y>{y}</y><z>1</z></matrixSize>\n<fieldOfView_mm><x>{width}</x><y>{height}</y>"
    header = HEADER.replace("<x>48</x><y>40</y><z>1</z></matrixSize>\n<fieldOfView_mm><x>240</x><y>240</y>", recon)
    assert recon in header
    with h5py.File(published, "r+") as file:
        del file["reconstruction_rss"], file["ismrmrd_header"]
        file["ismrmrd_header"] = header
    k = read_fastmri(published)
    assert (k.crop, k.geometry.voxel_size) == (crop, (5, 6, 5))
