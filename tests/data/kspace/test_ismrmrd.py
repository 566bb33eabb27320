"""ISMRMRD raw data: what scanners write, what other programs write, what is damaged or not supported."""

import pickle
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

ismrmrd = pytest.importorskip("ismrmrd", reason="needs the ismrmrd package to write files")

from smug.data.hdf5 import opened  # noqa: E402
from smug.data.kspace.fastmri import read_fastmri  # noqa: E402
from smug.data.kspace.ismrmrd import is_ismrmrd, read_ismrmrd  # noqa: E402
from smug.data.kspace.read import read_volume  # noqa: E402
from smug.data.kspace.volume import Volume  # noqa: E402
from smug.data.phantom import head_phantom  # noqa: E402
from smug.models.classical import CGSense  # noqa: E402
from smug.physics.coils import simulated_maps  # noqa: E402
from smug.physics.fourier import fft2c, ifft2c  # noqa: E402
from smug.reconstruction import reconstruct  # noqa: E402

GENERATOR = "ismrmrd_generate_cartesian_shepp_logan"

HEIGHT, WIDTH, COILS = 24, 20, 3


@dataclass(frozen=True)
class Header:
    """What a header says; by default of a readout of HEIGHT pixels that is oversampled by 2."""

    matrix: tuple[int, int, int] = (2 * HEIGHT, WIDTH, 1)
    field_of_view: tuple[float, float, float] = (480.0, 200.0, 5.0)
    recon_field_of_view: tuple[float, float, float] = (240.0, 200.0, 5.0)
    limits: tuple[int, int, int] = (0, WIDTH - 1, WIDTH // 2)
    trajectory: str = "cartesian"
    bandwidth: float | None = None

    def xml(self) -> str:
        def sizes(name: str, values: tuple[float, ...]) -> str:
            return f"<{name}>" + "".join(f"<{a}>{v}</{a}>" for a, v in zip("xyz", values, strict=True)) + f"</{name}>"

        def space(name: str, field_of_view: tuple[float, ...]) -> str:
            return f"<{name}>{sizes('matrixSize', self.matrix)}{sizes('fieldOfView_mm', field_of_view)}</{name}>"

        minimum, maximum, center = self.limits
        bandwidth = (
            ""
            if self.bandwidth is None
            else f"<relativeReceiverNoiseBandwidth>{self.bandwidth}</relativeReceiverNoiseBandwidth>"
        )
        return (
            '<?xml version="1.0"?><ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD">'
            f"<acquisitionSystemInformation>{bandwidth}</acquisitionSystemInformation>"
            f"<encoding>{space('encodedSpace', self.field_of_view)}{space('reconSpace', self.recon_field_of_view)}"
            f"<encodingLimits><kspace_encoding_step_1><minimum>{minimum}</minimum><maximum>{maximum}</maximum>"
            f"<center>{center}</center></kspace_encoding_step_1></encodingLimits>"
            f"<trajectory>{self.trajectory}</trajectory></encoding></ismrmrdHeader>"
        )


HEADER = Header()


def acquisition(values: np.ndarray, *flags: int, **settings: Any) -> Any:
    """An acquisition ``(channel, sample)``; ``settings`` are fields of its header and counters."""
    made = ismrmrd.Acquisition.from_array(np.ascontiguousarray(values, dtype=np.complex64))
    made.center_sample = values.shape[1] // 2
    made.sample_time_us = 5.0
    for flag in flags:
        made.set_flag(flag)
    for name, value in settings.items():
        target = made if hasattr(made, name) else made.idx
        if isinstance(value, tuple):
            getattr(target, name)[:] = value
        else:
            setattr(target, name, value)
    return made


def lines(kspace: np.ndarray | Tensor, sampled: Any = slice(None), **settings: Any) -> list[Any]:
    """The acquisitions of a slice's k-space ``(coil, y, x)``."""
    values = np.asarray(kspace)
    columns = np.arange(values.shape[-1])[sampled].tolist()
    return [acquisition(values[:, :, x], kspace_encode_step_1=x, **settings) for x in columns]


def oversampled(coil_images: Tensor, factor: int = 2) -> Tensor:
    """K-space of coil images ``(..., y, x)`` with this oversampling along y."""
    height = coil_images.shape[-2]
    wide = torch.zeros(*coil_images.shape[:-2], factor * height, coil_images.shape[-1], dtype=coil_images.dtype)
    top = factor * height // 2 - height // 2
    wide[..., top : top + height, :] = coil_images
    return fft2c(wide)


def random_images(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    def write(
        acquisitions: list[Any], header: Header | str = HEADER, group: str = "dataset", name: str = "scan"
    ) -> Path:
        path = tmp_path / f"{name}.h5"
        with ismrmrd.Dataset(str(path), group) as dataset:
            dataset.write_xml_header((header if isinstance(header, str) else header.xml()).encode())
            for one in acquisitions:
                dataset.append_acquisition(one)
        return path

    return write


def images_of(volume: Volume) -> Tensor:
    return ifft2c(torch.stack(list(volume.kspace)))


# What is in the file is what is read


def test_slices_are_read_in_any_order_of_lines_and_slices(save):
    images = random_images(3, COILS, HEIGHT, WIDTH)
    rows = [one for s in range(3) for one in lines(oversampled(images)[s], slice=s)]
    v = read_ismrmrd(save([rows[i] for i in np.random.default_rng(0).permutation(len(rows))]))
    torch.testing.assert_close(images_of(v), images)
    assert v.kspace[0].dtype == torch.complex64 and v.kspace[0].is_contiguous()
    assert torch.equal(v.mask, torch.ones(1, WIDTH, dtype=torch.bool))
    assert (v.fully_sampled, v.encoded_lines, v.acceleration, v.crop) == (True, WIDTH, 1.0, (HEIGHT, WIDTH))
    assert (v.frames, v.calibration, v.noise_sigma, dict(v.attributes)) == (1, None, None, {})
    assert v.names == ("scan-000", "scan-001", "scan-002")


@settings(max_examples=25)
@given(data=st.data())
def test_what_was_sampled_is_read(data, tmp_path_factory):
    """Any size, oversampling, slices, frames, averages, padding, order: measured lines are those of the truth."""
    draw = data.draw
    height, width, factor = draw(st.integers(4, 12)), draw(st.integers(4, 13)), draw(st.sampled_from([1, 2, 3]))
    slices, repetitions, echoes, averages = (draw(st.integers(1, n)) for n in (3, 3, 2, 2))
    before, after = draw(st.integers(0, width // 4)), draw(st.integers(0, width // 4))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    images = random_images(echoes, repetitions, slices, 2, height, width, seed=int(rng.integers(1000)))
    kspace, rows = oversampled(images, factor).numpy(), []
    sampled = rng.random((echoes, repetitions, slices, width)) < 0.5
    sampled[..., width // 2] = True
    sampled[..., :before] = sampled[..., width - after :] = False
    for c, r, s in np.ndindex(sampled.shape[:3]):
        for a in range(averages):
            change = (a - (averages - 1) / 2) * 0.5  # of mean zero
            for x in np.flatnonzero(sampled[c, r, s]).tolist():
                one = acquisition(kspace[c, r, s, :, :, x] + change, kspace_encode_step_1=x - before, center_sample=0)
                one.center_sample = factor * height // 2
                one.idx.contrast, one.idx.repetition, one.idx.slice, one.idx.average = 3 * c, r, 2 * s, a
                rows.append(one)
    header = Header(
        matrix=(factor * height, width, 1),
        field_of_view=(factor * 100.0, 100.0, 5.0),
        recon_field_of_view=(100.0, 100.0, 5.0),
        limits=(0, width - before - after - 1, width // 2 - before),
    )
    path = tmp_path_factory.mktemp("any") / "scan.h5"
    with ismrmrd.Dataset(str(path), "dataset") as dataset:
        dataset.write_xml_header(header.xml().encode())
        for i in rng.permutation(len(rows)):
            dataset.append_acquisition(rows[i])

    v = read_ismrmrd(path)
    mask = torch.from_numpy(sampled.reshape(-1, width))
    assert v.frames == echoes * repetitions and len(v) == slices * v.frames
    assert torch.equal(v.mask.expand(len(v), -1), mask)
    assert v.encoded_lines == min(width, max(2 * (width // 2 - before), 2 * (width - after - 1 - width // 2) + 1))
    truth = fft2c(images).flatten(0, 2) * mask[:, None, None]
    for i in range(len(v)):
        y, _ = v.measured(i)
        torch.testing.assert_close(y[0], truth[i], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(v.kspace[i], y[0])
    if repetitions > 1:  # maps come from the mean over repetitions of the same echo and slice
        weight = mask.reshape(echoes, repetitions, slices, 1, 1, width).float()
        total = (fft2c(images) * weight).sum(1) / weight.sum(1).clamp(min=1)
        for i, (c, _, s) in enumerate(np.ndindex(echoes, repetitions, slices)):
            torch.testing.assert_close(v.calibration.kspace[i], total[c, s], rtol=1e-4, atol=1e-5)
            assert torch.equal(v.calibration.mask_of(i)[0], weight.sum(1)[c, s, 0, 0] > 0)


@pytest.mark.parametrize("group", ["dataset", "measurement 7"])
def test_the_group_may_have_any_name(save, group):
    path = save(lines(oversampled(random_images(COILS, HEIGHT, WIDTH))), group=group)
    assert len(read_ismrmrd(path)) == 1


def test_samples_to_discard_are_not_used(save):
    images = random_images(COILS, HEIGHT, WIDTH)
    kspace = np.pad(oversampled(images).numpy(), ((0, 0), (5, 3), (0, 0)), constant_values=1e6)
    rows = lines(kspace, discard_pre=5, discard_post=3, center_sample=HEIGHT + 5)
    torch.testing.assert_close(images_of(read_ismrmrd(save(rows)))[0], images)


def test_a_centre_that_is_not_set_is_the_middle(save):
    images = random_images(COILS, HEIGHT, WIDTH)
    v = read_ismrmrd(save(lines(oversampled(images), center_sample=0)))
    torch.testing.assert_close(images_of(v)[0], images)


def test_without_limits_the_centre_is_that_of_the_matrix(save):
    images = random_images(COILS, HEIGHT, WIDTH)
    start, end = "<encodingLimits>", "</encodingLimits>"
    xml = Header().xml()
    v = read_ismrmrd(save(lines(oversampled(images)), xml[: xml.index(start)] + xml[xml.index(end) + len(end) :]))
    torch.testing.assert_close(images_of(v)[0], images)
    assert v.fully_sampled


def test_partial_fourier_is_sampled_on_one_side(save):
    kspace = oversampled(random_images(COILS, HEIGHT, WIDTH))
    v = read_ismrmrd(
        save(
            [acquisition(kspace[:, :, x], kspace_encode_step_1=x - 6) for x in range(6, WIDTH)],
            Header(limits=(0, 13, 4)),
        )
    )
    assert torch.equal(v.mask[0], torch.arange(WIDTH) >= 6)
    assert (v.fully_sampled, v.encoded_lines) == (False, WIDTH - 1)


def test_zero_padding_is_not_counted(save):
    kspace = oversampled(random_images(COILS, HEIGHT, WIDTH))
    v = read_ismrmrd(
        save(
            [acquisition(kspace[:, :, x], kspace_encode_step_1=x - 3) for x in range(3, 17)], Header(limits=(0, 13, 7))
        )
    )
    assert (v.fully_sampled, v.encoded_lines, v.acceleration) == (True, 14, 1.0)
    assert v.mask.sum() == 14


def test_an_asymmetric_echo_makes_a_two_dimensional_mask(save):
    images = torch.zeros(COILS, HEIGHT, WIDTH, dtype=torch.complex64)
    images[:, 6:19, 3:17] = simulated_maps(COILS, HEIGHT, WIDTH, seed=0)[0, :, 6:19, 3:17]
    cut = 4
    v = read_ismrmrd(save(lines(oversampled(images)[:, cut:], center_sample=HEIGHT - cut)))
    assert v.mask.shape == (1, HEIGHT, WIDTH) and not v.fully_sampled
    assert torch.equal(v.mask[0].any(1), torch.arange(HEIGHT) >= cut / 2 + 4)
    truth = v.mask[:, None] * fft2c(images)
    assert torch.linalg.vector_norm(v.measured(0)[0] - truth) < 0.02 * torch.linalg.vector_norm(truth)
    assert v.scan(0).y.shape == (1, COILS, HEIGHT, WIDTH)


@pytest.mark.parametrize("side", ["before", "after", "both"])
def test_an_asymmetric_echo_without_oversampling_is_read_as_it_is(save, side):
    first, last = {"before": (7, 24), "after": (0, 20), "both": (3, 22)}[side]
    kspace = fft2c(random_images(COILS, HEIGHT, WIDTH))
    header = Header(matrix=(HEIGHT, WIDTH, 1), field_of_view=(240.0, 200.0, 5.0))
    v = read_ismrmrd(save(lines(kspace[:, first:last], center_sample=HEIGHT // 2 - first), header))
    inside = (torch.arange(HEIGHT) >= first) & (torch.arange(HEIGHT) < last)
    assert torch.equal(v.mask, inside[None, :, None].expand(1, HEIGHT, WIDTH))
    torch.testing.assert_close(v.kspace[0], kspace * inside[:, None])


def test_phase_oversampling_is_cropped_from_the_image(save):
    images = random_images(COILS, HEIGHT, WIDTH)
    v = read_ismrmrd(save(lines(oversampled(images)), Header(recon_field_of_view=(240.0, 150.0, 5.0))))
    assert v.crop == (HEIGHT, 15)
    torch.testing.assert_close(v.cropped(images_of(v))[0], images[..., 2:17])
    assert v.geometry.voxel_size == pytest.approx((10, 10, 5))


def test_lines_of_zeros_are_not_measured_but_for_slices_without_signal(save):
    kspace = oversampled(random_images(2, COILS, HEIGHT, WIDTH))
    kspace[..., 5] = 0
    kspace[1] = 0
    v = read_ismrmrd(save([one for s in range(2) for one in lines(kspace[s], slice=s)]))
    assert torch.equal(v.mask[0], torch.arange(WIDTH) != 5) and v.mask[1].all()
    assert not v.fully_sampled
    assert not v.scan(1).A.maps.any()


def test_other_acquisitions_are_left_out(save):
    images = random_images(COILS, HEIGHT, WIDTH)
    flags = (
        ismrmrd.ACQ_IS_NAVIGATION_DATA,
        ismrmrd.ACQ_IS_PHASECORR_DATA,
        ismrmrd.ACQ_IS_HPFEEDBACK_DATA,
        ismrmrd.ACQ_IS_DUMMYSCAN_DATA,
        ismrmrd.ACQ_IS_RTFEEDBACK_DATA,
        ismrmrd.ACQ_IS_SURFACECOILCORRECTIONSCAN_DATA,
    )
    others = [acquisition(1e3 * np.ones((2, 7)), flag, kspace_encode_step_1=999) for flag in flags]
    v = read_ismrmrd(save(others[:3] + lines(oversampled(images)) + others[3:]))
    torch.testing.assert_close(images_of(v)[0], images)


def test_it_can_be_read_by_another_process(save):
    v = read_ismrmrd(save(lines(oversampled(random_images(COILS, HEIGHT, WIDTH)))))
    assert torch.equal(pickle.loads(pickle.dumps(v)).kspace[-1], v.kspace[0])  # noqa: S301
    with pytest.raises(IndexError, match="slice 1 of 1"):
        v.kspace[1]


# Calibration


def smooth(slices: int = 1) -> Tensor:
    """Coil images of objects ``(slice, coil, y, x)``."""
    objects = torch.stack([head_phantom(i, HEIGHT)[:, 2 : 2 + WIDTH] for i in range(slices)])
    return simulated_maps(COILS, HEIGHT, WIDTH, seed=1) * objects[:, None]


def test_repetitions_without_central_lines_calibrate_each_other(save):
    kspace = oversampled(smooth(2))
    rows = [
        one for r in range(4) for s in range(2) for one in lines(kspace[s], slice(r, None, 4), slice=s, repetition=r)
    ]
    v = read_ismrmrd(save(rows))
    full = read_ismrmrd(save([one for s in range(2) for one in lines(kspace[s], slice=s)], name="full"))
    assert (v.frames, len(v), v.acceleration) == (4, 8, 4.0)
    for i in range(8):
        assert torch.equal(v.mask_of(i)[0], torch.arange(WIDTH) % 4 == i // 2)
        torch.testing.assert_close(v.scan(i).A.maps, full.scan(i % 2).A.maps, rtol=0, atol=1e-5)


def test_calibration_lines_serve_maps_only(save):
    kspace = oversampled(smooth())[0]
    flag, both = ismrmrd.ACQ_IS_PARALLEL_CALIBRATION, ismrmrd.ACQ_IS_PARALLEL_CALIBRATION_AND_IMAGING
    rows = lines(kspace, slice(0, None, 2)) + lines(kspace, slice(7, 14, 2))
    for one in rows:
        if 6 < one.idx.kspace_encode_step_1 < 14:
            one.set_flag(flag)
            if one.idx.kspace_encode_step_1 % 2 == 0:
                one.set_flag(both)  # some converters set both flags
    v = read_ismrmrd(save(rows))
    assert torch.equal(v.mask[0], torch.arange(WIDTH) % 2 == 0)
    assert torch.equal(v.calibration.mask[0], (torch.arange(WIDTH) > 6) & (torch.arange(WIDTH) < 14))
    torch.testing.assert_close(v.calibration.measured(0)[0], v.calibration.mask * fft2c(smooth()))


def test_calibration_may_have_a_readout_of_its_own_and_one_contrast(save):
    kspace, flag = oversampled(smooth())[0], ismrmrd.ACQ_IS_PARALLEL_CALIBRATION
    short = lines(kspace[:, HEIGHT - 20 : HEIGHT + 20], slice(4, 16))
    for one in short:
        one.set_flag(flag)
    rows = [one for c in range(2) for one in lines(1j * kspace, slice(c, None, 2), contrast=c)]
    v = read_ismrmrd(save([*rows, *short]))
    assert (v.frames, v.mask.shape) == (2, (2, WIDTH))
    assert v.calibration.mask.shape == (1, HEIGHT, WIDTH)
    assert torch.equal(v.calibration.kspace[0], v.calibration.kspace[1])
    full = read_ismrmrd(save(lines(kspace), name="full"))
    correlation = (v.scan(1).A.maps.conj() * full.scan(0).A.maps).sum(1).abs()
    assert correlation[0, 6:18, 5:15].min() > 0.95


def test_acquisitions_of_another_encoding_space_are_left_out(save):
    images = smooth()[0]
    reference = lines(np.ones((COILS, 12, 8)), encoding_space_ref=0)
    for one in reference:
        one.set_flag(ismrmrd.ACQ_IS_PARALLEL_CALIBRATION)
    xml, small = Header().xml(), Header(matrix=(12, 8, 1), limits=(0, 7, 4)).xml()
    first = small[small.index("<encoding>") : small.index("</ismrmrdHeader>")]
    both = xml.replace("<encoding>", f"{first}<encoding>")
    v = read_ismrmrd(save([*reference, *lines(oversampled(images), encoding_space_ref=1)], both))
    torch.testing.assert_close(images_of(v)[0], images)
    assert v.calibration is None


def test_calibration_of_other_contrasts_is_that_of_the_first(save):
    kspace, flag = oversampled(smooth())[0], ismrmrd.ACQ_IS_PARALLEL_CALIBRATION
    calibration = [one for c in (1, 0) for one in lines((c + 1) * kspace, slice(6, 14), contrast=c)]
    for one in calibration:
        one.set_flag(flag)
    v = read_ismrmrd(save([*calibration, *lines(kspace, contrast=2)]))
    torch.testing.assert_close(v.calibration.measured(0)[0], v.calibration.mask * fft2c(smooth()))


def test_echoes_are_not_mixed(save):
    kspace = oversampled(smooth())[0]
    v = read_ismrmrd(save(lines(kspace, contrast=0) + lines(-0.5 * kspace, contrast=1)))
    assert (v.frames, v.calibration, v.fully_sampled) == (2, None, True)
    torch.testing.assert_close(v.kspace[1], -0.5 * v.kspace[0])


# Receiver noise


def coloured(covariance: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Noise ``(..., channel, sample)`` whose channels have this covariance, ``shape`` without channels."""
    n = (rng.normal(size=(*shape[:-1], len(covariance), shape[-1], 2)) @ [1, 1j]) / np.sqrt(2)
    return np.linalg.cholesky(covariance) @ n


def random_covariance(rng: np.random.Generator) -> np.ndarray:
    mixing = rng.normal(size=(COILS, COILS, 2)) @ [1, 1j]
    return mixing @ mixing.conj().T + 0.1 * np.eye(COILS)


def noise_scan(covariance: np.ndarray, rng: np.random.Generator, samples: int = 20000, **settings: Any) -> Any:
    return acquisition(
        coloured(covariance, (samples,), rng), ismrmrd.ACQ_IS_NOISE_MEASUREMENT, center_sample=0, **settings
    )


@pytest.mark.parametrize(("dwell", "bandwidth", "averages"), [(5.0, None, 1), (2.5, 0.793, 1), (10.0, None, 4)])
@pytest.mark.parametrize("seed", range(3))
def test_noise_becomes_white_and_is_known(save, dwell, bandwidth, averages, seed):
    """Images of noise alone, of the covariance that the noise scan measured with another dwell time and filter."""
    rng = np.random.default_rng(seed)
    psi = random_covariance(rng)
    of_images = psi * (dwell / 5.0) / (bandwidth or 1)
    noise = coloured(of_images, (averages, WIDTH, 2 * HEIGHT), rng)
    rows = [acquisition(noise[a, x], kspace_encode_step_1=x, average=a) for a in range(averages) for x in range(WIDTH)]
    scan = noise_scan(psi, rng, sample_time_us=dwell)
    v = read_ismrmrd(save([scan, *rows], replace(HEADER, bandwidth=bandwidth)))
    assert v.noise_sigma == pytest.approx(np.sqrt(np.trace(of_images).real / COILS / 2 / averages), rel=0.03)
    read = v.kspace[0].numpy().reshape(COILS, -1)
    covariance = read @ read.conj().T / read.shape[1]
    np.testing.assert_allclose(covariance, 2 * v.noise_sigma**2 * np.eye(COILS), atol=0.45 * v.noise_sigma**2)
    assert v.attributes == {"prewhitening": "from 20000 noise samples per channel"}


def test_prewhitening_keeps_the_image_and_its_units(save):
    rng = np.random.default_rng(0)
    psi = random_covariance(rng)
    L = np.linalg.cholesky(psi)
    kspace = oversampled(smooth())[0]
    rows, scan = lines(kspace), noise_scan(psi, rng, samples=50000)
    W = np.sqrt(np.trace(psi).real / COILS) * np.linalg.inv(L)
    plain, v = read_ismrmrd(save(rows, name="plain")), read_ismrmrd(save([scan, *rows]))
    expected = np.tensordot(W, plain.kspace[0].numpy(), 1)
    assert np.linalg.norm(v.kspace[0].numpy() - expected) < 0.02 * np.linalg.norm(expected)


def test_calibration_is_whitened_too(save):
    rng = np.random.default_rng(0)
    kspace = oversampled(smooth())[0]
    rows = [one for r in range(2) for one in lines(kspace, repetition=r)]
    v = read_ismrmrd(save([noise_scan(random_covariance(rng), rng), *rows]))
    torch.testing.assert_close(v.calibration.measured(0)[0][0], v.kspace[0] * v.calibration.mask)


def test_noise_is_not_known_where_lines_have_different_averages(save):
    rng = np.random.default_rng(0)
    kspace = oversampled(smooth())[0]
    rows = [noise_scan(random_covariance(rng), rng), *lines(kspace), *lines(kspace, slice(5, 9), average=1)]
    v = read_ismrmrd(save(rows))
    assert v.noise_sigma is None and "from 20000" in v.attributes["prewhitening"]


def test_noise_is_not_known_without_a_dwell_time(save):
    rng = np.random.default_rng(0)
    scan = noise_scan(random_covariance(rng), rng, sample_time_us=0.0)
    assert read_ismrmrd(save([scan, *lines(oversampled(smooth())[0])])).noise_sigma is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda n: n[:, :29], "29 noise samples are too few for 3 channels, 30 are needed"),
        (lambda n: n[:2], "other channels"),
        (lambda n: n * np.array([[1], [0], [1]]), "channel 1 has no noise"),
        (lambda n: n[[0, 1, 0]] * np.array([[1], [1], [2j]]), "that of others"),
    ],
    ids=["too few", "channels", "dead", "repeated"],
)
def test_a_noise_scan_that_is_of_no_use_changes_nothing(save, change, reason):
    noise = coloured(np.eye(COILS), (1000,), np.random.default_rng(0))
    rows = lines(oversampled(smooth())[0])
    plain = read_ismrmrd(save(rows, name="plain"))
    v = read_ismrmrd(save([acquisition(change(noise), ismrmrd.ACQ_IS_NOISE_MEASUREMENT), *rows]))
    assert torch.equal(v.kspace[0], plain.kspace[0])
    assert v.noise_sigma is None
    assert reason in v.attributes["prewhitening"]


# Geometry


def rotation(seed: int) -> np.ndarray:
    """Three orthogonal unit vectors as rows."""
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0].T


@pytest.mark.parametrize("slices", [1, 4])
@pytest.mark.parametrize("seed", range(3))
def test_places_of_voxels(save, slices, seed):
    read, phase, normal = rotation(seed)
    centre = np.array([12.5, -30.0, 41.0])
    kspace = oversampled(random_images(COILS, HEIGHT, WIDTH))
    rows = [
        one
        for s in range(slices)
        for one in lines(
            kspace,
            slice=s,
            position=tuple(centre - 6.5 * s * normal),  # against slice_dir, with a gap of 1.5 mm
            read_dir=tuple(read),
            phase_dir=tuple(phase),
            slice_dir=tuple(normal),
        )
    ]
    v = read_ismrmrd(save(rows, Header(recon_field_of_view=(240.0, 150.0, 5.0))))
    assert v.geometry.oriented
    assert v.geometry.voxel_size == pytest.approx((10, 10, 6.5 if slices > 1 else 5))
    to_ras = np.diag([-1, -1, 1])
    for s in range(slices):
        for y, x in ((0, 0), (HEIGHT // 2, 8), (HEIGHT - 1, 14)):  # of the cropped image, whose centre is at 12, 8
            place = centre - 6.5 * s * normal + 10 * (y - HEIGHT // 2) * read + 10 * (x - 8) * phase
            np.testing.assert_allclose((v.geometry.affine @ [x, y, s, 1])[:3], to_ras @ place, atol=1e-3)


def test_without_directions_only_the_spacing_is_known(save):
    kspace = oversampled(random_images(COILS, HEIGHT, WIDTH))
    v = read_ismrmrd(save([one for s in range(3) for one in lines(kspace, slice=s, position=(0.0, 0.0, 7.0 * s))]))
    assert not v.geometry.oriented
    assert v.geometry.voxel_size == pytest.approx((10, 10, 7))


# Files of other programs


@pytest.fixture(scope="module")
def generate(tmp_path_factory) -> Callable[..., Path]:
    if shutil.which(GENERATOR) is None:
        pytest.skip(f"needs {GENERATOR}")

    def run(*arguments: str) -> Path:
        path = tmp_path_factory.mktemp("generated") / "phantom.h5"
        subprocess.run([GENERATOR, *arguments, "-o", str(path)], check=True, capture_output=True)
        return path

    return run


def stored_complex(path: Path, name: str) -> Tensor:
    """A data set of the generator, its axes (phase, readout) turned to ``(y, x)``."""
    with h5py.File(path) as file:
        values = file[f"dataset/{name}"][0]
    return torch.from_numpy(values["real"] + 1j * values["imag"]).mT


@pytest.mark.parametrize(
    ("arguments", "frames", "acceleration"),
    [
        (("-a", "4", "-r", "2"), 8, 4),
        (("-a", "4", "-w", "24"), 4, 4),
        (("-a", "4", "-C"), 4, 4),
        (("-k",), 1, 1),
        (("-a", "2", "-w", "16", "-C", "-k", "-r", "2"), 4, 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else str(value),
)
def test_generated_files_end_to_end(generate, arguments, frames, acceleration):
    path = generate("-m", "96", "-c", "8", "-n", "0.005", *arguments)
    v = read_volume(path)
    assert (v.frames, len(v), v.acceleration) == (frames, frames, acceleration)
    assert v.kspace[0].shape == (8, 96, 96)
    phantom, maps = stored_complex(path, "phantom"), stored_complex(path, "csm")
    inside = phantom.abs() > 0.05
    if "-C" in arguments:  # the noise is in the units of what is stored
        assert v.noise_sigma == pytest.approx(0.005, rel=0.05)
    for i in (0, len(v) - 1):
        scan = v.scan(i)
        if "-C" not in arguments:  # whitening from some 200 samples mixes channels a little
            scalar = torch.linalg.vector_norm(maps, dim=0)
            agreement = (scan.A.maps[0].conj() * maps).sum(0).abs() / scalar
            assert agreement[inside].mean() > 0.995 and agreement[inside].min() > 0.8
        image = CGSense(lam=0.003)(scan.y, scan.A)[0].abs()
        found, truth = image[inside], (phantom.abs() * torch.linalg.vector_norm(maps, dim=0))[inside]
        scaled = truth * (found @ truth) / (truth @ truth)
        assert torch.linalg.vector_norm(found - scaled) < 0.2 * torch.linalg.vector_norm(found)
        assert np.corrcoef(image.flatten(), phantom.abs().flatten())[0, 1] > 0.95


def test_the_ismrmrd_package_reads_the_same(generate):
    path = generate("-m", "48", "-c", "3", "-a", "2", "-r", "2")
    v = read_ismrmrd(path)
    expected = np.zeros((4, 3, 96, 48), dtype=np.complex64)
    with ismrmrd.Dataset(str(path), "dataset", False) as dataset:
        for i in range(dataset.number_of_acquisitions()):
            one = dataset.read_acquisition(i)
            expected[one.idx.repetition, :, :, one.idx.kspace_encode_step_1] = one.data
    images = ifft2c(torch.from_numpy(expected))[..., 24:72, :]
    torch.testing.assert_close(images_of(v), images)


def test_a_whole_volume_is_reconstructed(generate):
    v = read_volume(generate("-m", "48", "-c", "4", "-a", "2", "-w", "12", "-r", "1", "-C"))
    result = reconstruct(CGSense(), v)
    assert result.images.shape == (2, 48, 48) and bool(result.images.abs().isfinite().all())


# What is not supported


def with_counters(**counters: int) -> Callable[[list[Any]], None]:
    def change(rows: list[Any]) -> None:
        for name, value in counters.items():
            setattr(rows[3].idx, name, value)

    return change


def with_fields(**fields: int) -> Callable[[list[Any]], None]:
    def change(rows: list[Any]) -> None:
        for name, value in fields.items():
            setattr(rows[3], name, value)

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
        (None, Header(trajectory="radial"), "trajectory 'radial' is not supported: expected 'cartesian'"),
        (None, Header(trajectory="epi"), "trajectory 'epi' is not supported"),
        (None, Header(trajectory=""), "trajectory '' is not supported"),
        (with_flag(ismrmrd.ACQ_IS_REVERSE), HEADER, "EPI .* is not supported"),
        (with_flag(ismrmrd.ACQ_COMPRESSION1), HEADER, "compressed samples are not supported"),
        (with_counters(kspace_encode_step_2=1), HEADER, "three-dimensional encoding is not supported"),
        (None, Header(matrix=(2 * HEIGHT, WIDTH, 8)), "three-dimensional encoding is not supported"),
        (with_fields(encoding_space_ref=1), HEADER, r"several encoding spaces \[0, 1\] are not supported"),
        (replaced(COILS + 1, 2 * HEIGHT), HEADER, r"active_channels: expected the same .* got \[3, 4\]"),
        (replaced(COILS, HEIGHT), HEADER, r"number_of_samples: expected the same .* got \[24, 48\]"),
        (with_fields(center_sample=20), HEADER, "center_sample: expected the same"),
        (with_counters(kspace_encode_step_1=WIDTH), HEADER, "acquisition 3: got line 20 .* outside .* matrix of 20"),
        (None, Header(limits=(0, WIDTH - 1, 0)), "acquisition 10: got line 10 with the centre .* at line 0"),
        (None, Header(matrix=(2 * HEIGHT - 2, WIDTH, 1)), "48 samples .* do not fit the encoded matrix of 46"),
        (None, Header(matrix=(60000, 60000, 1)), "slices of 3 x 60000 x 60000 .* at most 1 GiB"),
    ],
)
def test_what_is_not_supported_is_named(save, change, header, message):
    rows = lines(oversampled(random_images(COILS, HEIGHT, WIDTH)))
    if change is not None:
        change(rows)
    path = save(rows, header)
    with pytest.raises(ValueError, match=message) as error:
        read_ismrmrd(path)
    assert str(error.value).startswith(str(path))


def test_a_frame_that_lacks_a_slice_is_named(save):
    kspace = oversampled(random_images(COILS, HEIGHT, WIDTH))
    rows = lines(kspace, slice=0) + lines(kspace, slice=1) + lines(kspace, slice=0, repetition=2)
    with pytest.raises(ValueError, match="no lines of contrast 0, phase 0, repetition 2, set 0, slice 1"):
        read_ismrmrd(save(rows))


# What is damaged


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
        (set_data(2, lambda v: v[:-1]), "acquisition 2: expected 2 x 3 channels x 48 samples.* got 287 numbers"),
        (set_data(2, lambda v: v[:0]), "acquisition 2: .* got 0 numbers"),
        (set_data(2, lambda v: np.tile(v, 100)), "acquisition 2: .* got 28800 numbers"),
        (set_head(1, "number_of_samples", 0), "acquisition 1: expected 2 x 3 channels x 0 samples"),
        (set_head(1, "active_channels", 65535), "acquisition 1: expected 2 x 65535 channels"),
        (set_head(1, "flags", 2**64 - 1), "compressed"),
        (set_head(1, "discard_pre", 48), "discard_pre: expected the same"),
        (without("xml"), "expected the ISMRMRD header 'xml', got none"),
        (without("data"), "dataset/data: expected the acquisitions of the scanner, got no such data set"),
        (set_xml(ENTITIES), "too long or has a document type"),
        (set_xml("<ismrmrdHeader>"), "not an ISMRMRD header, or a damaged one"),
        (set_xml(Header().xml().replace("<x>48</x>", "<x>-48</x>")), "encodedSpace/matrixSize/x.* got '-48'"),
        (set_xml(Header().xml().replace("<y>20</y>", "<y>many</y>")), "encodedSpace/matrixSize/y.* got 'many'"),
        (set_xml(Header().xml().replace("480.0", "nan")), "fieldOfView_mm/x: expected a positive number, got 'nan'"),
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
    with pytest.raises(ValueError, match=message) as error:
        read_ismrmrd(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


def test_noise_alone_is_no_image(save):
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="got only noise, calibration"):
        read_ismrmrd(save([noise_scan(np.eye(COILS), rng)]))


def test_zeros_alone_are_no_image(save):
    with pytest.raises(ValueError, match="got only zeros"):
        read_ismrmrd(save(lines(np.zeros((COILS, 2 * HEIGHT, WIDTH)))))


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_ismrmrd(tmp_path / "absent.h5")


def test_a_file_that_changes_is_noticed(save):
    path = save(lines(oversampled(random_images(COILS, HEIGHT, WIDTH))))
    v = read_ismrmrd(path)
    set_data(2, lambda values: values[:-1])(path)
    with pytest.raises(ValueError, match="acquisition 2"):
        v.kspace[0]


def test_fastmri_files_are_others(tmp_path):
    path = tmp_path / "fastmri.h5"
    with h5py.File(path, "w") as file:
        file["kspace"] = np.ones((1, 2, 8, 8), dtype=np.complex64)
        file["extra/data"] = 1
    with opened(path) as file:
        assert not is_ismrmrd(file)
    assert len(read_volume(path)) == len(read_fastmri(path)) == 1
