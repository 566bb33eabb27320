"""The noise of volumes, scans and files."""

from dataclasses import replace

import pytest
import torch

import smug
from smug.data.kspace.read import undersample
from smug.data.kspace.volume import Volume

NOISE = 0.02


@pytest.fixture(scope="module")
def volume() -> Volume:
    """Three slices, of which one holds no signal."""
    images = torch.stack([smug.head_phantom(seed, 96) for seed in (1, 2)])
    y = smug.simulate(images, smug.Acquisition(coils=8, acceleration=1, noise=NOISE)).y
    kspace = (y[0], torch.zeros_like(y[0]), y[1])
    return Volume("head", kspace, torch.ones(1, 96, dtype=torch.bool), 96, True, (96, 96))


def test_it_is_the_median_of_the_slices_with_signal(volume):
    for each in (volume, undersample(volume, 3, seed=0)):
        level = smug.noise_level(each)
        assert level.sigma == pytest.approx(NOISE, rel=0.05) and level.source == "background of k-space"
        assert str(level) == f"{level.sigma:.3g} (background of k-space)"


def test_a_noise_scan_is_believed(volume):
    assert str(smug.noise_level(replace(volume, noise_sigma=0.01234))) == "0.0123 (noise scan)"


def test_a_simulated_scan_has_one_too(volume):
    assert smug.noise_level(volume.scan(0)).sigma == pytest.approx(NOISE, rel=0.05)


def test_slices_that_do_not_tell_it_are_left_out(volume):
    y, clean = volume.kspace[0], smug.simulate(smug.head_phantom(1, 96)[None], smug.Acquisition(8, noise=0)).y[0]
    one_of_two, one_of_three = (replace(volume, kspace=kspace) for kspace in ((y, clean), (clean, y, clean)))
    assert smug.noise_level(one_of_two) == smug.noise_level(replace(volume, kspace=(y,)))
    assert smug.noise_level(one_of_three).sigma is None and "(" in str(smug.noise_level(one_of_three))
    assert str(smug.noise_level(replace(volume, kspace=(0 * y,)))) == "unknown (no signal)"


def test_measured_files(data_root):
    """Against the background of the coil images where that is noise; the T1 scan was filtered."""
    folder = data_root / "multicoil_kspace"
    assert str(smug.noise_level(folder / "brain_t1_4ch.h5")) == "unknown (the corners of k-space hold no noise)"
    sixteen = smug.read(folder / "brain_16ch_96.h5")
    for acceleration in (1, 3, 4):
        kept = sixteen if acceleration == 1 else undersample(sixteen, acceleration, seed=1)
        assert smug.noise_level(kept).sigma == pytest.approx(2.75, rel=0.1)


def test_magnitudes_without_background_are_unknown(data_root):
    images = smug.load_images("openms", "val", 256, count=3, root=data_root).images
    A = smug.Sense(mask=torch.ones(1, 256, dtype=torch.bool))
    for image in images:
        scan = smug.Scan(A(image[None]), A, None, ("slice",))
        assert smug.noise_level(scan).sigma is None


def test_the_background_of_complex_images(data_root):
    """SIAT's background noise is stated as 0.7 to 1.5 % of the peak."""
    images = smug.load_images("siat", "val", 256, count=6, root=data_root).images
    A = smug.Sense(mask=torch.ones(1, 256, dtype=torch.bool))
    scans = [smug.Scan(A(image[None]), A, None, ("slice",)) for image in images]
    known = [level for scan in scans if (level := smug.noise_level(scan).sigma) is not None]
    assert len(known) >= 4 and all(0.006 < level < 0.015 for level in known)
