"""Denoisers that are told the level: what they are told at every step, with smoothing, batches and wrappers."""

import pytest
import torch

from smug import losses
from smug.data.scan import Scan
from smug.models.compute import in_precision, recomputed
from smug.models.lam import ResidualLam
from smug.models.level import ALIASING, FALL, denoised, takes_level
from smug.models.reconstructors import RSE2E, SMUG, MoDL, WeightedSMUG
from smug.models.unet import LevelUNet, UNet
from smug.physics.residual import LEAST, residual_rms

from .conftest import SMOOTHING, far_from_start, make_problem, seeded, toy_encoder


class Recording(torch.nn.Module):
    """A denoiser that shrinks the image and keeps the levels that it is told."""

    takes_level = True

    def __init__(self):
        super().__init__()
        self.told = []

    def forward(self, x, level=None):
        self.told.append(level)
        return 0.9 * x


def level_unet(device):
    """A small one, a little away from the identity."""
    network = seeded(lambda: LevelUNet(channels=4, levels=2), device)
    with torch.no_grad():
        network.network.tail[0].weight += 0.1
    return network


def reconstructors(device):
    D, lam = level_unet(device), ResidualLam(2.0)
    yield MoDL(D, 2, lam)
    yield SMUG(D, SMOOTHING, 2, lam)
    yield WeightedSMUG(D, toy_encoder(device), SMOOTHING, 2, lam)
    yield RSE2E(D, SMOOTHING, 2, lam)


def test_it_is_told_the_residual_at_its_image_and_what_aliasing_is_left(problem):
    D = Recording()
    for n, step in enumerate(MoDL(D, 3, 0.5).iterate(problem.y, problem.A)):
        expected = (residual_rms(step.x, problem.y, problem.A) ** 2 + (ALIASING * FALL**n) ** 2).sqrt()
        torch.testing.assert_close(D.told[n], expected)
    assert len(D.told) == 3 and D.told[0].shape == (2,)


def test_smoothing_adds_its_noise_to_the_level_where_it_adds_noise(problem):
    for samples, sigma in ((4, SMOOTHING.sigma), (0, 0.0)):
        D = Recording()
        SMUG(D, SMOOTHING, 1, 0.5).replace(num_samples=samples)(problem.y, problem.A, problem.seeds)
        residual = residual_rms(problem.A.H(problem.y), problem.y, problem.A)
        (told,) = D.told
        expected = (residual**2 + sigma**2 + ALIASING**2).sqrt()
        torch.testing.assert_close(told, expected.expand(max(samples, 1), 2).flatten())


def test_the_residual_is_the_noise_of_the_measurements_at_the_true_image(device):
    problem = make_problem(device, height=64, width=64)
    noise = 0.02 * torch.randn(*problem.y.shape, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y = problem.y + torch.view_as_complex(noise).to(device)
    torch.testing.assert_close(
        residual_rms(problem.target, y, problem.A), torch.full((2,), 0.02).double(), rtol=0.03, atol=0
    )
    assert residual_rms(problem.target, problem.y, problem.A).tolist() == pytest.approx([LEAST, LEAST])


def test_each_image_is_told_its_own(problem, device):
    for f in reconstructors(device):
        together = f(problem.y, problem.A, problem.seeds)
        alone = [f(p.y, p.A, p.seeds) for p in (problem[0], problem[1])]
        torch.testing.assert_close(together, torch.cat(alone), rtol=1e-5, atol=1e-6)


def test_gradients_go_through_the_level(device):
    problem = make_problem(device, batch=1, height=4, width=6, coils=2)
    f = MoDL(level_unet(device), 2, ResidualLam(2.0))
    y = torch.view_as_real(problem.y).clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda y: torch.view_as_real(f(torch.view_as_complex(y), problem.A)), y, atol=1e-4)


def test_wrapped_networks_are_told_too(device):
    network = LevelUNet(channels=4)
    for wrapped in (network, recomputed(network), in_precision(network, torch.bfloat16)):
        assert takes_level(wrapped)
    assert not takes_level(UNet(channels=4)) and not takes_level(recomputed(UNet(channels=4)))
    problem = make_problem(device)
    scan = Scan(problem.y, problem.A, problem.target, ("a", "b"))
    gradients = []
    for f in (MoDL(level_unet(device), 2), MoDL(recomputed(D := level_unet(device)), 2)):
        losses.supervised(f, scan).backward()
        D = f.denoiser if isinstance(f.denoiser, LevelUNet) else D
        gradients.append([p.grad for p in D.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_the_correction_is_in_proportion_to_the_level(device):
    """The same image is changed more where it is said to be noisier, and by nothing but the level for the cleanest."""
    D = far_from_start(lambda: LevelUNet(channels=4)).to(device)
    x = torch.randn(2, 11, 14, dtype=torch.complex64, generator=torch.Generator().manual_seed(0)).to(device)
    with torch.no_grad():
        clean, noisy = ((denoised(D, x, torch.full((2,), s, device=device)) - x).abs().mean() for s in (1e-6, 0.1))
    assert clean < 1e-3 * noisy
    assert torch.equal(D(x), denoised(D, x, torch.full((2,), LEAST, device=device)))


def test_denoising_is_the_mean_square_in_parts_of_the_noise(device):
    t = torch.zeros(2, 64, 64, dtype=torch.complex64, device=device)
    seeds = torch.tensor([3, 4])
    assert float(losses.denoising(lambda x: x, t, (0.01, 0.1), seeds)) == pytest.approx(1, rel=0.03)
    assert float(losses.denoising(lambda x: 0 * x, t, (0.01, 0.1), seeds)) == 0
    D = Recording()
    losses.denoising(D, t, (0.01, 0.1), seeds)
    losses.pretraining(D, t, 0.05, seeds)
    drawn, fixed = D.told
    assert bool(((drawn >= 0.01) & (drawn <= 0.1)).all()) and drawn[0] != drawn[1]
    torch.testing.assert_close(fixed, torch.full((2,), 0.05, device=device))
