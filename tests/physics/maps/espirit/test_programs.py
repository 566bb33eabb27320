"""Maps against those of BART and sigpy."""

import math

import pytest
import torch

from smug.physics.maps.eigenvectors import Espirit, espirit

from .conftest import KEEP, agreement, central, object_of, power, simulated


@pytest.mark.parametrize("case", ["head", "oblong", "coils"])
def test_agrees_with_bart(case, bart_ecalib):
    kspace, _ = {
        "head": lambda: simulated(),
        "oblong": lambda: simulated(size=(64, 96), seed=3),
        "coils": lambda: simulated(coils=8, profile_width=0.5, seed=2),
    }[case]()
    inside = object_of(kspace)
    maps, eigenvalues = bart_ecalib(kspace, "-c0")
    result = espirit(kspace, central(kspace.shape[-1], 24), KEEP)
    assert agreement(result.maps, maps)[inside].mean() > 0.9999
    torch.testing.assert_close(result.eigenvalues[inside], eigenvalues[inside], atol=0.01, rtol=0)


@pytest.mark.parametrize("threshold", [0.001, 0.01, 0.1])
def test_threshold_is_that_of_bart(head, bart_ecalib, threshold):
    """BART's -t is relative to the largest eigenvalue, that is to squared singular values."""
    kspace, _ = head
    _, eigenvalues = bart_ecalib(kspace, "-c0", "-t", str(threshold))
    ours = espirit(kspace, central(96, 24), Espirit(threshold=threshold, crop=0)).eigenvalues
    inside = object_of(kspace)
    assert (ours - eigenvalues)[inside].abs().max() < 0.02
    other = espirit(kspace, central(96, 24), Espirit(threshold=math.sqrt(threshold), crop=0)).eigenvalues
    assert (other - eigenvalues)[inside].abs().mean() > 10 * (ours - eigenvalues)[inside].abs().mean()


def test_crops_like_bart(head, bart_ecalib):
    kspace, _ = head
    maps, _ = bart_ecalib(kspace)
    ours = espirit(kspace, central(96, 24)).maps
    assert ((power(ours) > 0) == (power(maps) > 0)).float().mean() > 0.98


@pytest.mark.parametrize("coils", [4, 8])
def test_agrees_with_sigpy(coils):
    mri = pytest.importorskip("sigpy.mri")
    kspace, _ = simulated(coils=coils, size=(80, 64), seed=coils)
    reference = mri.app.EspiritCalib(
        kspace[0].numpy(), thresh=math.sqrt(0.001), crop=0, output_eigenvalue=True, show_pbar=False
    )
    maps, eigenvalues = map(torch.from_numpy, reference.run())
    maps, eigenvalues = maps[None], eigenvalues.reshape(1, 80, 64)
    result = espirit(kspace, central(64, 24), KEEP)
    inside = object_of(kspace)
    assert agreement(result.maps, maps)[inside].mean() > 0.99999
    torch.testing.assert_close(result.eigenvalues[inside], eigenvalues[inside], atol=1e-4, rtol=0)
    torch.testing.assert_close(result.eigenvalues, eigenvalues, atol=0.02, rtol=0)


def test_agrees_with_bart_on_measured_data(brain, bart_ecalib):
    maps, eigenvalues = bart_ecalib(brain)
    result = espirit(brain, central(256, 24))
    inside = object_of(brain)
    assert agreement(result.maps, maps)[inside].mean() > 0.9999
    assert (result.eigenvalues - eigenvalues)[inside].abs().max() < 0.02


def test_agrees_with_sigpy_on_measured_data(brain):
    mri = pytest.importorskip("sigpy.mri")
    reference = mri.app.EspiritCalib(brain[0].numpy(), thresh=math.sqrt(0.001), crop=0, max_iter=20, show_pbar=False)
    result = espirit(brain, central(256, 24), KEEP)
    assert agreement(result.maps, torch.from_numpy(reference.run())[None])[object_of(brain)].mean() > 0.9999
