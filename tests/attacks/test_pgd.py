"""Projected gradient ascent: against the authors' recipe written out, and against closed forms."""

import pytest
import torch

from smug.attacks import PAPER, PGD, Threat, attack, paper, pgd, to_clean
from smug.attacks import start as starts
from smug.attacks.problem import START
from smug.models.noise import complex_normal, derive

from ..properties import assert_refused


def linear(y, A, generator=None):
    return A.H(y)


def nonlinear(y, A, generator=None):
    x = A.H(y)
    return x + 0.3 * torch.tanh(4 * x.abs()) * x


def wiggly(y, A, generator=None):
    x = A.H(y)
    return x * torch.cos(60 * x.abs())


THREATS = [
    Threat(0.05, "linf", "image-max"),
    Threat(0.05, "linf", "kspace-max"),
    Threat(0.05, "linf", "kspace-l2"),
    Threat(1.5, "linf", "noise", 0.01),
    Threat(0.05, "l2", "kspace-l2"),
    Threat(1.5, "l2", "noise", 0.01),
]


def test_paper_is_the_authors_recipe_step_for_step(slices):
    y, A, target = slices
    seeds = torch.tensor([11, 12])
    threat = Threat(0.02, "linf", "image-max")
    eps = 0.02 * target.abs().amax((1, 2))[:, None, None, None]
    start = eps * complex_normal(derive(seeds, START, 0), y.shape[1:], y.dtype, y.device)
    real = (start.real.clamp(-eps, eps) * A.sampled).clone()
    imag = (start.imag.clamp(-eps, eps) * A.sampled).clone()
    visited = []

    def watched(y, A, generator=None):
        if torch.is_grad_enabled():
            visited.append((y - slices.y).detach())
        return wiggly(y, A)

    result = paper(watched, slices, threat, generator=seeds)
    assert len(visited) == 10
    for step in range(10):
        torch.testing.assert_close(visited[step], torch.complex(real, imag), rtol=0, atol=1e-12)
        real, imag = real.requires_grad_(), imag.requires_grad_()
        loss = (wiggly(y + torch.complex(real, imag), A) - target).abs().pow(2).mean()
        loss.backward()
        with torch.no_grad():
            real = (real + eps / 3 * real.grad.sign()).clamp(-eps, eps) * A.sampled
            imag = (imag + eps / 3 * imag.grad.sign()).clamp(-eps, eps) * A.sampled
    torch.testing.assert_close(result.delta, torch.complex(real, imag), rtol=0, atol=1e-12)
    last = (wiggly(y + result.delta, A) - target).abs().square().mean((1, 2))
    best = torch.stack([(wiggly(y + d, A) - target).abs().square().mean((1, 2)) for d in visited]).amax(0)
    assert (last < best).any(), "the case must tell the last iterate from the best"


def test_paper_recipe_is_its_preset_and_wants_its_norm(slices):
    threat = Threat(0.02)
    a = paper(nonlinear, slices, threat, generator=torch.tensor([1, 2]))
    b = attack(nonlinear, slices, threat, rule=PAPER, generator=torch.tensor([1, 2]))
    assert torch.equal(a.delta, b.delta)
    assert_refused(lambda: paper(nonlinear, slices, Threat(0.1, "l2", "kspace-l2")), "linf")


@pytest.mark.parametrize("threat", THREATS, ids=str)
@pytest.mark.parametrize("start", [starts.zero, starts.uniform, starts.gaussian, starts.image])
def test_no_step_leaves_the_threat(slices, threat, start):
    y, A, _ = slices
    radius = threat.radius(*slices)
    outside = ~A.sampled.expand(y.shape)
    seen = 0

    def watched(attacked, A, generator=None):
        nonlocal seen
        seen += 1
        delta = attacked.detach() - y
        assert (threat.size(delta) <= radius * (1 + 1e-9)).all()  # the sum y + delta rounds
        assert not delta[outside].any()
        return nonlinear(attacked, A)

    rule = PGD(steps=4, step_size=0.9, start=start, restarts=2)
    result = attack(watched, slices, threat, rule=rule, generator=torch.tensor([1, 2]))
    assert seen > 8
    assert (threat.size(result.delta) <= radius).all()
    assert not result.delta[outside].any()
    assert (result.objective > result.clean_objective).all()


def test_l2_attack_of_a_linear_reconstructor_reaches_the_largest_singular_value(slices):
    y, A, _ = one = slices[0]
    columns = torch.eye(y[0].numel(), dtype=y.dtype, device=y.device)[A.sampled.expand(y.shape).flatten()]
    images = torch.cat([A.H(part.reshape(-1, *y.shape[1:])).flatten(1) for part in columns.split(200)])
    largest = torch.linalg.matrix_norm(images, ord=2)
    threat = Threat(0.05, "l2", "kspace-l2")
    rule = PGD(steps=80, step_size=10)  # long steps: the power method
    result = attack(linear, one, threat, rule=rule, objective=to_clean, generator=torch.tensor([0]))
    reached = (result.objective * one.target[0].numel()).sqrt()
    bound = threat.radius(*one) * largest
    assert (reached <= bound * (1 + 1e-9)).all()
    assert (reached >= 0.99 * bound).all()


def test_linf_attack_beats_random_corners(slices):
    y, A, target = one = slices[0]
    threat = Threat(0.05, "linf", "kspace-l2")
    signs = torch.view_as_complex(torch.view_as_real(complex_normal(torch.arange(2000), y.shape[1:], y.dtype)).sign())
    corners = threat.radius(*one) * A.sampled * signs.to(y.device)
    best = (A.H(y + corners) - target).abs().square().mean((1, 2)).max()
    assert (pgd(linear, one, threat, steps=10).objective > best).all()


def test_default_step_and_refusals():
    for name in ("steps", "restarts", "draws", "selection_draws"):
        with pytest.raises(ValueError, match=f"{name}: expected an integer of at least 1, got 0"):
            PGD(**{name: 0})
    assert_refused(lambda: PGD(step_size=0), "step_size")
    assert_refused(lambda: PGD(keep="first"), "keep")


def test_default_step_is_two_and_a_half_radii_over_all_steps(slices):
    threat = Threat(0.05, "l2", "kspace-l2")
    walked = []

    def watched(y, A, generator=None):
        if torch.is_grad_enabled():
            walked.append((y - slices.y).detach())
        return nonlinear(y, A)

    attack(watched, slices, threat, rule=PGD(steps=20, start=starts.zero))
    length = threat.size(walked[1] - walked[0])
    torch.testing.assert_close(length, 2.5 / 20 * threat.radius(*slices))
