"""The presets: as strong as they claim, flags where they are not, and what they cost."""

from dataclasses import dataclass
from functools import partial

import pytest
import torch

from smug.attacks import (
    APGD,
    PRESETS,
    Attempt,
    Square,
    Threat,
    attack,
    cost,
    fast,
    presets,
    standard,
    strongest,
    transferred,
)
from smug.attacks.suite import Cost, CountingReconstructor
from smug.models.noise import complex_normal
from smug.reconstructor import Configured

THREAT = Threat(0.1, "l2", "kspace-l2")
SEEDS = torch.tensor([3, 4])


@dataclass(frozen=True)
class Smoothed(Configured):
    """A random reconstructor; ``blind`` slices have no gradient without noise."""

    num_samples: int = 1
    blind: tuple[bool, ...] = (False, False)

    def __call__(self, y, A, generator=None):
        x = A.H(y)
        x = x * (1 + torch.tanh(3 * x.abs()))
        if self.num_samples == 0:
            blind = torch.tensor(self.blind[: len(y)], device=y.device)[:, None, None]
            return torch.where(blind, x.detach(), x)
        return x + 0.1 * x.abs() * complex_normal(generator, x.shape[1:], x.dtype, x.device)


def damage(result):
    return result.objective - result.clean_objective


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("f", [Smoothed(), Smoothed(0)], ids=["noisy", "noise-free"])
def test_fast_finds_nine_tenths_of_what_ten_times_the_steps_find(slices, norm, f):
    threat = Threat(0.1, norm, "kspace-l2")
    result = fast(f, slices, threat, generator=SEEDS)
    long = Attempt("long", partial(attack, rule=APGD(100)))
    reference = strongest(f, slices, threat, [long], score_draws=8, generator=SEEDS)
    assert (damage(result) >= 0.9 * damage(reference)).all()
    assert (threat.size(result.delta) <= result.radius).all()
    assert result.flags == ((), ())


def test_fast_flags_the_slices_whose_noise_free_gradient_misleads(slices):
    result = fast(Smoothed(blind=(False, True)), slices, THREAT, generator=SEEDS)
    assert result.flags == ((), ("noise-free-gradient",))
    assert result.attack[1] == "noisy"


def test_fast_has_one_percent_as_its_threat_and_the_same_result_alone(slices):
    together = fast(Smoothed(), slices, generator=SEEDS)
    torch.testing.assert_close(together.relative_l2, torch.full_like(together.relative_l2, 0.01))
    alone = fast(Smoothed(), slices[1], generator=SEEDS[1:])
    torch.testing.assert_close(alone.delta[0], together.delta[1])
    torch.testing.assert_close(alone.objective[0], together.objective[1])


def test_standard_flags_a_masked_gradient_and_starts_from_what_it_is_given(slices, monkeypatch):
    monkeypatch.setattr(presets, "STEPS", 5)
    monkeypatch.setattr(presets, "QUERIES", 100)

    def masked(y, A, generator=None):
        x = A.H(y)
        return x.detach() + 1e-3 * torch.sin(300 * x.abs())

    one, threat = slices[0], Threat(0.5, "l2", "kspace-l2")
    result = standard(masked, one, threat, generator=SEEDS[:1])
    assert list(result.objectives) == ["apgd", "apgd to clean", "transfer", "square"]
    assert result.attack == ("square",)
    assert result.flags == (("masked-gradient",),)
    strong = fast(lambda y, A: A.H(y), one, threat).delta
    warm = standard(masked, one, threat, warm=strong, generator=SEEDS[:1])
    assert warm.attack == ("apgd warm",)
    assert warm.flags == ((),)


def test_standard_has_no_flag_where_gradients_work(slices, monkeypatch):
    monkeypatch.setattr(presets, "STEPS", 5)
    monkeypatch.setattr(presets, "QUERIES", 20)
    result = standard(Smoothed(), slices, THREAT, generator=SEEDS)
    assert result.flags == ((), ())
    assert (result.objective > result.clean_objective).all()


def test_costs_are_those_of_a_counting_reconstructor(slices):
    assert cost(PRESETS["paper"]) == Cost(3, 10, 0, 0)
    assert cost(fast) == Cost(forwards=25, gradients=2, noise_free_forwards=14, noise_free_gradients=10)
    f = CountingReconstructor()
    fast(f, slices, THREAT)
    assert f.calls == {(True, False): 25, (True, True): 2, (False, False): 14, (False, True): 10}


def test_the_cost_of_standard_is_the_documented_one(monkeypatch):
    steps, queries = 3, 7
    monkeypatch.setattr(presets, "STEPS", steps)
    monkeypatch.setattr(presets, "QUERIES", queries)
    assert cost(standard) == Cost(16 * steps + queries + 88, 16 * steps + 40, steps + 4, steps)


def test_cost_follows_the_rule():
    rule = APGD(steps=7, restarts=3, draws=2, selection_draws=4)
    run = partial(attack, rule=rule)
    assert cost(run) == Cost(
        forwards=4 * (1 + 3 * 8 + 2), gradients=7 * 3 * 2, noise_free_forwards=0, noise_free_gradients=0
    )
    attempts = [Attempt("transfer", transferred(run)), Attempt("square", partial(attack, rule=Square(5)))]
    assert cost(partial(strongest, attempts=attempts)) == Cost(7 + 2 + 4, 0, 4 * 27, 42)
