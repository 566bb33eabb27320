"""APGD: against the paper's algorithm written out, and against closed forms of linear reconstructors."""

import math
from dataclasses import replace

import pytest
import torch

from smug.attacks import APGD, PGD, Threat, attack, to_clean
from smug.attacks import start as starts
from smug.attacks.problem import pose
from smug.attacks.start import singular
from smug.models.noise import complex_normal

from .conftest import make_slices

THREAT = Threat(0.1, "l2", "kspace-l2")
SEEDS = torch.tensor([3, 4])


def weighted(y, A, generator=None):
    """A linear reconstructor whose singular values lie apart."""
    x = A.H(y)
    rows, columns = (torch.linspace(0, 1, n, dtype=x.real.dtype, device=x.device) for n in x.shape[-2:])
    return x * (rows[:, None] + columns)


def wiggly(y, A, generator=None):
    x = A.H(y)
    return x * torch.cos(30 * x.abs())


def noisy(y, A, generator):
    x = A.H(y)
    return wiggly(y, A) + 0.3 * x.abs() * complex_normal(generator, x.shape[1:], x.dtype, x.device)


def algorithm_1(f, slices, threat, steps, start):
    """Croce and Hein's algorithm for one slice, with lists; returns the points that gradients were taken at, and x_max.

    As in their code, checkpoints come before the gradient.
    """
    y, A, target = slices
    radius, support = threat.radius(y, A, target), A.sampled.expand(y.shape)

    def value(x):
        return float((f(y + x, A) - target).abs().square().mean())

    def ascent(x, size):
        x = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad((f(y + x, A) - target).abs().square().mean(), x)
        return threat.project(x.detach() + size * threat.steepest(gradient * support), radius)

    p = [0.0, 0.22]
    while p[-1] < 1:
        p.append(p[-1] + max(p[-1] - p[-2] - 0.03, 0.06))
    w = [math.ceil(round(fraction * steps, 9)) for fraction in p]

    x, size = [start], 2 * radius
    values, best, raised, size_at, best_at = [value(start)], (value(start), start), [], {0: size}, {0: None}
    for k in range(steps):
        if k in w[1:]:
            before = w[w.index(k) - 1]
            size_at[k], best_at[k] = size, best[0]
            few = sum(raised[before:k]) < 0.75 * (k - before)
            if few or (size_at[before] == size_at[k] and best_at[before] == best_at[k]):
                size = size / 2
                x[k], values[k] = best[1], best[0]
        z = ascent(x[k], size)
        if k:
            z = threat.project(x[k] + 0.75 * (z - x[k]) + 0.25 * (x[k] - x[k - 1]), radius)
        x.append(z)
        values.append(value(z))
        raised.append(values[-1] > values[-2])
        best = max(best, (values[-1], z), key=lambda pair: pair[0])
    return x[:-1], best[1], 2 * radius / size


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_it_is_the_papers_algorithm(slices, norm):
    one, threat, visited = slices[0], replace(THREAT, norm=norm), []

    def watched(y, A, generator=None):
        if torch.is_grad_enabled():
            visited.append((y - one.y).detach())
        return wiggly(y, A)

    result = attack(watched, one, threat, rule=APGD(25), generator=SEEDS[:1])
    expected, best, shrunk = algorithm_1(wiggly, one, threat, 25, visited[0])
    assert shrunk >= 4, "the case must make steps smaller"
    torch.testing.assert_close(torch.stack(visited), torch.stack(expected), rtol=0, atol=1e-7)
    torch.testing.assert_close(result.delta, best, rtol=0, atol=1e-7)


def test_checkpoints_are_the_papers():
    assert APGD(100).checkpoints == (0, 22, 41, 57, 70, 80, 87, 93, 99)


def test_the_size_stays_where_exactly_three_quarters_of_the_steps_helped(device):
    scan, rule = make_slices(3).to(device), APGD(20)
    assert rule.checkpoints[1:3] == (5, 9)
    zero = torch.zeros(3, dtype=torch.float64, device=device)
    before = zero + torch.tensor([1, 2, 3], device=device)  # of three steps; the fourth helped each slice
    state = replace(rule.init(torch.zeros_like(scan.y), 0), index=9, value=zero, best_value=zero, raised=before)
    assert rule.step(state, zero + 1, pose(weighted, scan, THREAT)).size.tolist() == [1, 2, 2]


@pytest.mark.parametrize(
    "rule",
    [APGD(100), APGD(60, start=singular), PGD(20, start=singular)],
    ids=["apgd", "apgd singular", "pgd singular"],
)
def test_l2_attack_of_a_linear_reconstructor_reaches_the_largest_singular_value(slices, rule):
    y, A, _ = one = slices[0]
    columns = torch.eye(y[0].numel(), dtype=y.dtype, device=y.device)[A.sampled.expand(y.shape).flatten()]
    images = torch.cat([weighted(part.reshape(-1, *y.shape[1:]), A).flatten(1) for part in columns.split(200)])
    values = torch.linalg.svdvals(images)
    assert values[40] < 0.9 * values[0], "the case must tell the largest from others"
    threat = Threat(0.05, "l2", "kspace-l2")
    result = attack(weighted, one, threat, rule=rule, objective=to_clean, generator=torch.tensor([0]))
    reached = (result.objective * one.target[0].numel()).sqrt()
    bound = threat.radius(*one) * values[0]
    assert (reached <= bound * (1 + 1e-9)).all()
    assert (reached >= 0.99 * bound).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("start", [starts.zero, starts.image, singular])
def test_a_linear_functional_reaches_the_dual_norm(slices, norm, start):
    c = complex_normal(torch.tensor(9), slices.target.shape[1:], slices.y.dtype, slices.y.device)
    threat = replace(THREAT, norm=norm)

    def functional(x, target, clean):
        return (c.conj() * x).real.sum((1, 2))

    gradient = torch.view_as_real(slices.A(c.expand_as(slices.target))).flatten(1)
    dual = torch.linalg.vector_norm(gradient, 1 if norm == "linf" else 2, dim=1)
    rule = APGD(20, start=start)
    result = attack(lambda y, A: A.H(y), slices, threat, rule=rule, objective=functional, generator=SEEDS)
    torch.testing.assert_close(result.objective - result.clean_objective, threat.radius(*slices) * dual)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("start", [starts.image, singular])
def test_a_slice_alone_is_the_slice_in_its_batch_and_twice_the_same(slices, norm, start):
    threat = replace(THREAT, norm=norm)
    rule = APGD(6, start=start, restarts=2, draws=2, selection_draws=2)
    together = attack(noisy, slices, threat, rule=rule, generator=SEEDS)
    assert torch.equal(together.delta, attack(noisy, slices, threat, rule=rule, generator=SEEDS).delta)
    assert (threat.size(together.delta) <= together.radius).all()
    assert (together.selected_objective > together.clean_objective).all()
    for i in range(2):
        alone = attack(noisy, slices[i], threat, rule=rule, generator=SEEDS[i : i + 1])
        torch.testing.assert_close(alone.delta[0], together.delta[i])
        torch.testing.assert_close(alone.gradient_norm[:, 0], together.gradient_norm[:, i])


def test_one_slices_nan_leaves_the_others_alone(slices):
    def broken(y, A, generator=None):
        return wiggly(y, A) * torch.tensor([1.0, torch.nan], device=y.device)[:, None, None]

    result, healthy = (attack(f, slices, THREAT, rule=APGD(12), generator=SEEDS) for f in (broken, wiggly))
    torch.testing.assert_close(result.delta[0], healthy.delta[0])
    assert result.gradient_norm[:, 1].isnan().all()
    assert result.delta.isfinite().all()


def test_refuses_counts_below_one():
    with pytest.raises(ValueError, match="steps: expected an integer of at least 1, got 0"):
        APGD(0)
