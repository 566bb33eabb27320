import re

import pytest
import torch

import smug
from benchmarks.measured.cases import CEILING, Case, full_scan, reconstructed, remembered_maps, scores
from smug.cli import main
from smug.data.kspace.read import undersample
from smug.metrics import head_mask, psnr, ssim
from smug.models.noise import complex_normal

CPU = torch.device("cpu")


def noisy(y, A, generator=None):
    return A.H(y) + 0.1 * complex_normal(generator, y.shape[-2:])


@pytest.mark.parametrize("kind", ["random", "equispaced"])
def test_images_are_those_of_smug_reconstruct(write, tmp_path, kind, monkeypatch):
    path, made = write(tmp_path / "head.h5", slices=2), {}
    reconstruct = smug.reconstruct

    def recorded(*args, **options):
        made["images"] = (result := reconstruct(*args, **options)).images
        return result

    monkeypatch.setattr("smug.reconstruction.reconstruct", recorded)
    monkeypatch.setattr("smug.zoo.load", lambda name: noisy)
    monkeypatch.chdir(tmp_path)
    assert main(["reconstruct", "head.h5", "--undersample", "3", "--lines", kind, "--seed", "3"]) == 0
    images, seconds = reconstructed(Case("head", 3, kind, 3, full_scan(path)), noisy, CPU)
    assert torch.equal(images, made["images"]) and seconds > 0


def test_the_reference_is_of_all_lines(scan):
    volume, full = scan.volume, scan
    assert len(full.signal) == 2 and full.reference.is_complex() and not full.rss.is_complex()
    for i in range(2):
        assert torch.equal(full.reference[i], volume.scan(i).truth[0]) and torch.equal(full.rss[i], volume.rss(i)[0])
    assert torch.equal(full.head, head_mask(full.reference)) and 0.2 < full.head.float().mean() < 0.9
    alike = (full.reference.abs() / full.rss)[full.head & (full.rss > full.rss.amax() / 4)]
    assert 0.98 < float(alike.median()) <= 1 and float(alike.max()) < 1.001  # all but the noise beside the signal
    kept = undersample(volume, 3, seed=0)
    assert not torch.equal(kept.scan(0).truth[0], full.reference[0])  # whose maps are of the lines that are kept


def test_scores_are_inside_the_head(case):
    images = reconstructed(case, smug.CGSense(0.01), CPU)[0]
    found, full = scores(images, case, 0.5), case.full
    assert found.psnr == pytest.approx(float(psnr(images, full.reference, region=full.head).mean()))
    assert found.ssim == pytest.approx(float(ssim(images, full.reference, region=full.head).mean()))
    assert found.psnr_rss == pytest.approx(float(psnr(images, full.rss, region=full.head).mean()))
    assert found.seconds == 0.5 and 20 < found.psnr < 50
    outside = images + 10 * images.abs().amax() * ~torch.nn.functional.max_pool2d(full.head.float(), 21, 1, 10).bool()
    assert scores(outside, case, 0.5).psnr == found.psnr and scores(outside, case, 0.5).ssim == found.ssim


def test_the_reference_itself_has_the_highest_psnr(case):
    found = scores(case.full.reference, case, 0.0)
    assert (found.psnr, found.ssim, found.ghost) == (CEILING, pytest.approx(1), 0)


def test_a_model_that_knows_the_reference(case):
    """Through scale and all: what remains is rounding."""
    left = list(case.full.reference)

    def knows(y, A, generator=None):
        scale = case.volume.measured(0)[0].abs().max() / y.abs().max() if len(left) == 2 else knows.scale
        knows.scale = scale
        return (left.pop(0) / scale)[None]

    assert scores(reconstructed(case, knows, CPU)[0], case, 0.0).psnr > 100


def test_slices_without_signal_do_not_count(write, tmp_path):
    import h5py

    path = write(tmp_path / "head.h5", slices=2)
    with h5py.File(path, "r+") as file:
        file["kspace"][0] = 0
    full = full_scan(path)
    assert full.signal == (1,) and full.reference.shape == (1, 48, 48)
    images = reconstructed(Case("head", 3, "random", 0, full), smug.CGSense(), CPU)[0]
    assert images.shape == (1, 48, 48) and images.any()


def test_one_coil(write, tmp_path):
    full = full_scan(write(tmp_path / "one.h5", coils=1))
    torch.testing.assert_close(full.reference.abs(), full.rss)
    case = Case("one", 3, "random", 0, full)
    assert scores(reconstructed(case, smug.CGSense(), CPU)[0], case, 0.0).psnr > 15


def test_a_file_of_some_lines_is_refused_in_one_line(write, tmp_path):
    path = write(tmp_path / "half.h5", keep=slice(None, None, 2))
    with pytest.raises(ValueError, match=re.escape(f"{path}: expected all lines, which make a reference, got 2.00x")):
        full_scan(path)


def test_maps_are_estimated_once():
    calls = []
    maps = remembered_maps(lambda y, mask: calls.append(y) or 2 * y)
    y, mask = torch.randn(1, 2, 4, 4), torch.ones(1, 4, dtype=torch.bool)
    assert torch.equal(maps(y, mask), 2 * y) and torch.equal(maps(y.clone(), mask), 2 * y) and len(calls) == 1
    maps(y, ~mask)
    maps(y + 1, mask)
    assert len(calls) == 3
