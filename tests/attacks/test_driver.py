"""What the driver promises for every rule: selection, randomness, isolation, and failures that show."""

from dataclasses import dataclass, replace

import pytest
import torch

from smug.attacks import PGD, Threat, attack, pgd, to_clean
from smug.attacks import start as starts
from smug.attacks.pgd import PGDState
from smug.attacks.problem import GRADIENT, SCORE, SELECTION
from smug.data.scan import Scan
from smug.models.noise import complex_normal, derive
from smug.physics.sense import Sense

THREAT = Threat(0.1, "l2", "kspace-l2")
SEEDS = torch.tensor([3, 4])


def smooth(y, A, generator=None):
    x = A.H(y)
    return x * (1 + 0.5 * torch.tanh(3 * x.abs()))


def noisy(y, A, generator):
    x = A.H(y)
    eta = complex_normal(generator, x.shape[1:], x.dtype, x.device)
    return smooth(y, A) + 0.5 * eta * x.abs()


@pytest.mark.parametrize("f", [smooth, noisy])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_slice_alone_is_the_slice_in_its_batch(slices, f, norm):
    threat = replace(THREAT, norm=norm)
    options = {"steps": 3, "restarts": 2, "draws": 2, "selection_draws": 2}
    together = pgd(f, slices, threat, generator=SEEDS, **options)
    for i in range(2):
        alone = pgd(f, slices[i], threat, generator=SEEDS[i : i + 1], **options)
        torch.testing.assert_close(alone.delta[0], together.delta[i])
        torch.testing.assert_close(alone.objective[0], together.objective[i])
        torch.testing.assert_close(alone.gradient_norm[:, 0], together.gradient_norm[:, i])


def test_same_seed_same_attack_other_seed_other_attack(slices):
    def delta(seed):
        return pgd(noisy, slices, THREAT, steps=2, generator=torch.Generator().manual_seed(seed)).delta

    assert torch.equal(delta(1), delta(1))
    assert not torch.equal(delta(1), delta(2))
    assert torch.equal(pgd(noisy, slices, THREAT).delta, pgd(noisy, slices, THREAT).delta)


def test_the_callers_autograd_state_is_untouched(slices):
    y, A, target = slices
    weight = torch.nn.Parameter(torch.tensor(0.5, dtype=torch.float64, device=y.device))
    weight.grad = torch.tensor(7.0, dtype=torch.float64, device=y.device)
    y = y.clone().requires_grad_()

    def f(y, A, generator=None):
        return smooth(y, A) * weight

    with torch.no_grad():
        quiet = pgd(f, Scan(y, A, target, slices.id), THREAT, generator=SEEDS)
        assert not torch.is_grad_enabled()
    result = pgd(f, Scan(y, A, target, slices.id), THREAT, generator=SEEDS)
    with torch.inference_mode():
        inferred = pgd(f, Scan(y, A, target, slices.id), THREAT, generator=SEEDS)
    assert torch.equal(quiet.delta, result.delta)
    assert torch.equal(inferred.delta, result.delta)
    assert weight.grad.item() == 7.0
    assert weight.requires_grad
    assert y.requires_grad
    assert y.grad is None
    assert not result.delta.requires_grad
    assert not result.objective.requires_grad


def test_the_perturbation_replaces_y_everywhere(slices):
    """A gradient that misses one of two ways from y to the image is a different gradient."""
    y, A, target = slices
    y = y + 0.1 * ~A.sampled  # not measured, but this reconstructor looks at it

    def f(y, A, generator=None):
        return A.H(y) / y.abs().square().mean((1, 2, 3)).sqrt()[:, None, None]

    result = attack(f, Scan(y, A, target, slices.id), THREAT, rule=PGD(steps=1, start=starts.zero, keep="last"))
    free = y.clone().requires_grad_()
    (gradient,) = torch.autograd.grad((f(free, A) - target).abs().square().mean((1, 2)).sum(), free)
    expected = torch.linalg.vector_norm((gradient * A.sampled).flatten(1), dim=1)
    torch.testing.assert_close(result.gradient_norm[0], expected)


def test_keeping_the_best_is_never_worse_than_doing_nothing(slices):
    def wiggly(y, A, generator=None):
        return A.H(y) * torch.cos(300 * A.H(y).abs())

    for steps in (1, 3):
        best = pgd(wiggly, slices, THREAT, steps=steps, generator=SEEDS)
        assert (best.objective >= best.clean_objective).all()
        assert torch.equal(best.objective, best.selected_objective)


def test_a_reconstructor_at_its_worst_keeps_zero(slices):
    def worst_when_clean(y, A, generator=None):
        return A.H(y) + slices.target * (10 / (1 + (y - slices.y).abs().square().sum((1, 2, 3))))[:, None, None]

    result = pgd(worst_when_clean, slices, THREAT, steps=2)
    assert not result.delta.any()


def test_restarts_keep_the_best_of_all_per_slice(slices):
    rule = PGD(steps=2, keep="last")
    one = attack(smooth, slices, THREAT, rule=rule, generator=SEEDS)
    five = attack(smooth, slices, THREAT, rule=replace(rule, restarts=5), generator=SEEDS)
    assert (five.objective >= one.objective).all()
    assert (five.objective > one.objective).any()
    assert five.gradient_norm.shape == (10, 2)
    torch.testing.assert_close(five.gradient_norm[:2], one.gradient_norm)


def test_every_stream_of_noise_is_its_own(slices):
    seen = {True: [], False: []}

    def f(y, A, generator):
        seen[torch.is_grad_enabled()].append(generator.clone())
        return noisy(y, A, generator)

    rule = PGD(steps=2, restarts=2, draws=3, selection_draws=2)
    attack(f, slices, THREAT, rule=rule, generator=SEEDS)
    gradients = [derive(SEEDS, GRADIENT, r, s, k) for r in range(2) for s in range(2) for k in range(3)]
    assert all(torch.equal(a, b) for a, b in zip(seen[True], gradients, strict=True))
    others = {tuple(seeds.tolist()) for seeds in seen[False]}
    assert others == {tuple(derive(SEEDS, stream, k).tolist()) for stream in (SELECTION, SCORE) for k in range(2)}
    assert len({*others, *(tuple(g.tolist()) for g in gradients)}) == 16


def test_gradients_are_averaged_over_the_draws(slices):
    y, A, target = slices
    rule = PGD(steps=1, start=starts.zero, keep="last", draws=4)
    result = attack(noisy, slices, THREAT, rule=rule, generator=SEEDS)
    mean = torch.zeros_like(y)
    for draw in range(4):
        free = y.clone().requires_grad_()
        x = noisy(free, A, derive(SEEDS, GRADIENT, 0, 0, draw))
        mean += torch.autograd.grad((x - target).abs().square().mean((1, 2)).sum(), free)[0] / 4
    mean = mean * A.sampled
    length = torch.linalg.vector_norm(mean.flatten(1), dim=1)
    torch.testing.assert_close(result.gradient_norm[0], length)
    step = (THREAT.radius(*slices) / length)[:, None, None, None] * mean  # 2.5 radii, projected
    torch.testing.assert_close(result.delta, step)


def test_the_reported_objective_is_on_fresh_draws(slices):
    y, A, target = slices
    result = pgd(noisy, slices, THREAT, steps=2, selection_draws=3, generator=SEEDS)

    def mean(delta, stream):
        xs = [noisy(y + delta, A, derive(SEEDS, stream, k)) for k in range(3)]
        return torch.stack([(x - target).abs().square().mean((1, 2)) for x in xs]).mean(0)

    torch.testing.assert_close(result.objective, mean(result.delta, SCORE))
    torch.testing.assert_close(result.clean_objective, mean(torch.zeros_like(y), SCORE))
    torch.testing.assert_close(result.selected_objective, mean(result.delta, SELECTION))


def test_instability_is_blind_at_zero_and_shows_it(slices):
    result = attack(smooth, slices, THREAT, rule=PGD(steps=2, start=starts.zero), objective=to_clean, generator=SEEDS)
    assert not result.gradient_norm.any()
    assert not result.delta.any()
    assert (pgd(smooth, slices, THREAT, objective=to_clean, generator=SEEDS).objective > 0).all()


def test_nan_of_one_slice_shows_and_stays_there(slices):
    def broken(y, A, generator=None):
        return smooth(y, A) * torch.tensor([1.0, torch.nan], device=y.device)[:, None, None]

    healthy = pgd(smooth, slices, THREAT, steps=3, generator=SEEDS)
    result = pgd(broken, slices, THREAT, steps=3, generator=SEEDS)
    assert result.gradient_norm[:, 1].isnan().all()
    assert result.objective[1].isnan()
    assert result.delta.isfinite().all()
    torch.testing.assert_close(result.delta[0], healthy.delta[0])
    torch.testing.assert_close(result.objective[0], healthy.objective[0])


def test_nan_never_wins_against_a_number(slices):
    def breaks_far_out(y, A, generator=None):
        far = THREAT.size((y - slices.y).detach()) > 0.5 * THREAT.radius(*slices)
        return torch.where(far[:, None, None], torch.nan, 1) * smooth(y, A)

    result = attack(
        breaks_far_out, slices, THREAT, rule=PGD(steps=8, step_size=0.2, start=starts.zero), generator=SEEDS
    )
    assert (result.objective > result.clean_objective).all()
    assert result.gradient_norm.isnan().any(0).all()


def test_a_cut_graph_shows_as_zero_gradient(slices):
    result = pgd(lambda y, A, generator=None: smooth(y, A).detach(), slices, THREAT, steps=2)
    assert result.gradient_norm.eq(0).all()


def test_zero_size_is_no_attack(slices):
    for norm in ("linf", "l2"):
        result = pgd(smooth, slices, Threat(0, norm, "kspace-l2"))
        assert not result.delta.any()
        torch.testing.assert_close(result.objective, result.clean_objective)
        assert not result.relative_l2.any()


def test_result_tells_the_size(slices):
    result = pgd(smooth, slices, THREAT, generator=SEEDS)
    torch.testing.assert_close(result.radius, THREAT.radius(*slices))
    assert (result.relative_l2 <= 0.1).all()
    assert (result.relative_l2 > 0.09).all()


def test_single_precision_stays_single(slices):
    y, A, target = slices
    A = Sense(mask=A.mask, maps=A.maps.to(torch.complex64))
    result = pgd(smooth, Scan(y.to(torch.complex64), A, target.to(torch.complex64), slices.id), THREAT)
    assert result.delta.dtype == torch.complex64
    assert {v.dtype for v in vars(result).values()} == {torch.complex64, torch.float32}
    assert (THREAT.size(result.delta) <= result.radius.double()).all()


@dataclass(frozen=True)
class Runaway(PGD):
    off_support: bool = False

    def step(self, state, value, problem):
        delta = torch.ones_like(state.delta) * 1e-9 if self.off_support else 2 * problem.y
        return PGDState(delta, state.gradient_norm, state.restart, state.index + 1)


@pytest.mark.parametrize("off_support", [False, True])
def test_a_rule_that_leaves_the_threat_is_caught(slices, off_support):
    with pytest.raises(RuntimeError, match="leaves the threat"):
        attack(smooth, slices, THREAT, rule=Runaway(keep="last", off_support=off_support))


def test_refuses_shapes_that_do_not_fit(slices):
    with pytest.raises(ValueError, match="shape of the target"):
        pgd(lambda y, A, generator=None: smooth(y, A)[:, None], slices, THREAT)
    with pytest.raises(ValueError, match="seeds"):
        pgd(smooth, slices, THREAT, generator=torch.tensor([1, 2, 3]))
    with pytest.raises(ValueError, match="expected a fully sampled target"):
        pgd(smooth, replace(slices, target=None), THREAT)
