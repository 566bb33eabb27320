from functools import partial

import pytest
import torch

from smug.evaluation.tuning import LAMBDAS, tuned
from smug.metrics import psnr
from smug.models.classical import CGSense, TotalVariation

from ..scans import phantom_scan

FAMILIES = [CGSense, TotalVariation]


def scan(noise, device, seeds=(0, 1)):
    made = phantom_scan(count=len(seeds), seed=seeds[0], coils=6, acceleration=2, noise=noise, profile_width=0.5)
    return made.to(device)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_tuning_finds_the_best_lam(family, noise, device):
    scans, lams = [scan(noise, device), scan(noise, device, seeds=(2,))], (1e-3, 1e-2, 0.1)
    best = tuned(family, scans, lams).lam

    def quality(lam):
        return torch.cat([psnr(family(lam)(s.y, s.A), s.truth, "slice") for s in scans]).mean()

    assert all(quality(best) >= quality(lam) for lam in lams)


@pytest.mark.parametrize("family", FAMILIES)
def test_more_noise_asks_for_more_regularisation(family, device):
    quiet, loud = (tuned(family, [scan(noise, device)]) for noise in (0.0, 0.1))
    assert quiet.lam < loud.lam < max(LAMBDAS[family])


def test_tuning_takes_an_iterator_and_other_values(device):
    assert tuned(CGSense, iter([scan(0.1, device)]), lams=(1e-4, 0.2)) == CGSense(0.2)


def test_any_family_with_values(device):
    short = partial(TotalVariation, iterations=5)
    assert tuned(short, [scan(0.1, device)], lams=(1e-9, 0.02)) == TotalVariation(0.02, 5)
    with pytest.raises(ValueError, match="lams: expected"):
        tuned(short, [scan(0.1, device)])
