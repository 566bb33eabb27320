import pytest
import torch

from smug.data.phantom import head_phantom
from smug.data.simulate import Acquisition, simulate
from smug.evaluation.metrics import psnr
from smug.evaluation.tuning import LAMBDAS, tuned_cg_sense
from smug.models.classical import CGSense, ZeroFilled


def scan(noise, device, seeds=(0, 1)):
    images = torch.stack([head_phantom(seed, 32) for seed in seeds])
    names = [str(seed) for seed in seeds]
    return simulate(images, Acquisition(coils=6, noise=noise, profile_width=0.5), seeds, names).to(device)


@pytest.mark.parametrize("lam", [1e-3, 0.1, 1.0])
def test_cg_sense_solves_its_equation(problem, lam):
    A, y = problem.A, problem.y
    x = CGSense(lam)(y, A)
    torch.testing.assert_close(A.gram(x) + lam * x, A.H(y), rtol=1e-5, atol=1e-5)


def test_cg_sense_is_linear(problem):
    f, A, y = CGSense(0.1), problem.A, problem.y
    torch.testing.assert_close(f(2 * y, A), 2 * f(y, A))


def test_zero_filled(problem):
    assert torch.equal(ZeroFilled()(problem.y, problem.A), problem.A.H(problem.y))


def test_nothing_is_random(problem):
    for f in (CGSense(), ZeroFilled()):
        with_seed = f(problem.y, problem.A, generator=torch.Generator().manual_seed(3))
        assert torch.equal(with_seed, f(problem.y, problem.A))


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_tuning_finds_the_best_lam(noise, device):
    scans = [scan(noise, device), scan(noise, device, seeds=(2,))]
    best = tuned_cg_sense(scans).lam

    def quality(lam):
        return torch.cat([psnr(CGSense(lam)(s.y, s.A), s.truth, "slice") for s in scans]).mean()

    assert all(quality(best) >= quality(lam) for lam in LAMBDAS)


def test_more_noise_asks_for_more_regularisation(device):
    quiet, loud = tuned_cg_sense([scan(0.0, device)]), tuned_cg_sense([scan(0.1, device)])
    assert quiet.lam < loud.lam


def test_tuning_takes_an_iterator_and_other_values(device):
    assert tuned_cg_sense(iter([scan(0.1, device)]), lams=(1e-4, 0.2)) == CGSense(0.2)


def test_negative_lam(problem):
    with pytest.raises(ValueError, match="lam: expected"):
        CGSense(-1.0)(problem.y, problem.A)
