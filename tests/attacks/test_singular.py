"""The start along the top singular vector, and the starts that are made of others."""

import pytest
import torch

from smug.attacks import Threat, start
from smug.attacks import start as starts
from smug.attacks.problem import pose
from smug.models.noise import complex_normal

from ..scans import tiny_scan

THREAT = Threat(1e-6, "l2", "kspace-l2")
SEEDS = torch.tensor([3, 4])


def nonlinear(y, A, generator=None):
    x = A.H(y)
    rows = torch.linspace(0, 1, x.shape[-2], dtype=x.real.dtype, device=x.device)[:, None] ** 2
    return rows * (x * (0.2 + torch.tanh(4 * x.abs())) + 0.5 * x.conj())


@pytest.fixture
def tiny(device):
    """One slice of 6 x 5 with 2 coils: its Jacobian fits in memory."""
    return tiny_scan(1, 2, 6, 5, noise=0, device=device)


def test_it_is_the_top_right_singular_vector_of_the_jacobian(tiny, monkeypatch):
    y, A = tiny.y, tiny.A
    monkeypatch.setattr(start, "ITERATIONS", 200)
    delta = starts.singular(pose(nonlinear, tiny, THREAT), 0)
    support = A.sampled.expand(y.shape)
    assert not delta[~support].any()

    def parts(entries):
        moved = torch.zeros_like(y).masked_scatter(support, torch.view_as_complex(entries))
        return torch.view_as_real(nonlinear(y + moved, A))

    entries = torch.zeros(int(support.sum()), 2, dtype=torch.float64, device=y.device)
    jacobian = torch.autograd.functional.jacobian(parts, entries).reshape(-1, entries.numel())
    values, vectors = torch.linalg.svd(jacobian)[1:]
    found = torch.view_as_real(delta[support]).flatten()
    assert values[1] < 0.97 * values[0], "the case must have one top vector"
    assert (vectors[0] @ found).abs() / found.norm() > 0.999


def test_it_is_as_large_as_the_threat_allows(slices):
    for norm in ("linf", "l2"):
        threat = Threat(0.1, norm, "kspace-l2")
        problem = pose(nonlinear, slices, threat, generator=SEEDS)
        torch.testing.assert_close(threat.size(starts.singular(problem, 0)), problem.radius)


def test_the_noise_of_the_reconstructor_is_frozen(slices):
    def noisy(y, A, generator):
        x = nonlinear(y, A)
        return x + complex_normal(generator, x.shape[1:], x.dtype, x.device)

    deltas = [starts.singular(pose(f, slices, THREAT, generator=SEEDS), 0) for f in (nonlinear, noisy)]
    torch.testing.assert_close(*deltas, rtol=1e-5, atol=1e-8)


def test_a_blind_gradient_starts_at_zero(slices):
    cut = pose(lambda y, A, generator=None: A.H(y).detach(), slices, THREAT)
    broken = pose(lambda y, A, generator=None: torch.nan * A.H(y), slices, THREAT)
    assert not starts.singular(cut, 0).any()
    assert not starts.singular(broken, 0).any()


def test_starts_in_turn_opposite_and_known(slices):
    problem = pose(nonlinear, slices, THREAT, generator=SEEDS)
    start = starts.in_turn(starts.image, starts.image, starts.singular, starts.opposite(starts.singular))
    first, second, plus, minus, again = (start(problem, restart) for restart in range(5))
    assert torch.equal(minus, -plus)
    assert not torch.equal(first, second)
    assert torch.equal(again, starts.image(problem, 4))
    assert torch.equal(starts.warm_start(second)(problem, 0), second)
