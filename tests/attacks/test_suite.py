"""The worst of several attacks, slice by slice, on draws that none of them saw."""

from dataclasses import dataclass
from functools import partial

import pytest
import torch

from smug.attacks import PGD, Attempt, SuiteResult, Threat, attack, pgd, strongest, to_clean, transferred
from smug.attacks.problem import SCORE, SELECTION
from smug.attacks.start import warm_start
from smug.attacks.suite import SUITE
from smug.models.noise import complex_normal, derive
from smug.reconstructor import Configured

THREAT = Threat(0.1, "l2", "kspace-l2")
SEEDS = torch.tensor([3, 4])


def noisy(y, A, generator):
    x = A.H(y)
    return x * (1 + x.abs()) + 0.5 * x.abs() * complex_normal(generator, x.shape[1:], x.dtype, x.device)


def known(delta):
    """An attack that answers with a perturbation as it is."""
    return partial(attack, rule=PGD(1, step_size=1e-12, start=warm_start(delta), keep="last"))


@pytest.fixture
def attempts(slices):
    strong = pgd(noisy, slices, THREAT, generator=SEEDS).delta
    weak = 0.1 * strong
    row = torch.tensor([True, False], device=strong.device)[:, None, None, None]
    return (
        Attempt("first", known(torch.where(row, strong, weak))),
        Attempt("second", known(torch.where(row, weak, strong))),
    )


def test_every_slice_has_its_worst(slices, attempts):
    result = strongest(noisy, slices, THREAT, attempts, generator=SEEDS)
    assert isinstance(result, SuiteResult)
    assert result.attack == ("first", "second")
    for index, name in enumerate(result.attack):
        single = strongest(noisy, slices, THREAT, [attempts[index]], generator=SEEDS)
        torch.testing.assert_close(result.delta[index], single.delta[index])
        assert result.selected_objective[index] == result.objectives[name][index]
    assert torch.equal(result.selected_objective, torch.stack(list(result.objectives.values())).amax(0))
    assert result.gradient_norm.shape == (2, 2)
    assert result.flags == ((), ())


def test_scores_are_of_draws_that_no_attempt_saw(slices, attempts):
    y, A, target = slices
    seen = []

    def watched(y, A, generator):
        seen.append(tuple(generator.tolist()))
        return noisy(y, A, generator)

    result = strongest(watched, slices, THREAT, attempts, selection_draws=2, score_draws=3, generator=SEEDS)
    suite = derive(SEEDS, SUITE)

    def mean(delta, stream, draws):
        xs = [noisy(y + delta, A, derive(suite, stream, draw)) for draw in range(draws)]
        return torch.stack([(x - target).abs().square().mean((1, 2)) for x in xs]).mean(0)

    torch.testing.assert_close(result.selected_objective, mean(result.delta, SELECTION, 2))
    torch.testing.assert_close(result.objective, mean(result.delta, SCORE, 3))
    torch.testing.assert_close(result.clean_objective, mean(0, SCORE, 3))
    own = [tuple(derive(suite, SELECTION, d).tolist()) for d in range(2)] * 2
    own += [tuple(derive(suite, SCORE, d).tolist()) for d in range(3)] * 2
    assert seen[-len(own) :] == own
    assert not set(own) & set(seen[: -len(own)])


def test_a_slice_alone_is_the_slice_in_its_batch(slices):
    attempts = [Attempt(str(n), partial(attack, rule=PGD(n))) for n in (1, 3)]
    together = strongest(noisy, slices, THREAT, attempts, generator=SEEDS)
    for i in range(2):
        alone = strongest(noisy, slices[i], THREAT, attempts, generator=SEEDS[i : i + 1])
        torch.testing.assert_close(alone.delta[0], together.delta[i])
        assert alone.attack[0] == together.attack[i]


def test_the_objective_decides(slices, attempts):
    result = strongest(noisy, slices, THREAT, attempts, objective=to_clean, generator=SEEDS)
    clean = strongest(noisy, slices, THREAT, [Attempt("none", known(torch.zeros_like(slices.y)))], objective=to_clean)
    assert (result.objective > clean.objective).all()


def test_an_attempt_that_gives_nan_never_wins(slices, attempts):
    def fragile(y, A, generator=None):
        moved = (y - slices.y).abs().amax((1, 2, 3)) > 0
        return torch.where(moved[:, None, None], torch.nan, 1) * A.H(y)

    nothing = Attempt("nothing", lambda f, scan, threat, generator=None: pgd(f, scan, Threat(0)))
    assert strongest(fragile, slices, THREAT, [attempts[0], nothing]).attack == ("nothing", "nothing")


def test_a_transfer_is_made_on_the_noise_free_reconstructor(slices):
    @dataclass(frozen=True)
    class Switchable(Configured):
        num_samples: int = 1

        def __call__(self, y, A, generator=None):
            assert self.num_samples == 0 or not torch.is_grad_enabled()
            return A.H(y)

    transfer = transferred(partial(attack, rule=PGD(2)))
    result = strongest(Switchable(), slices, THREAT, [Attempt("transfer", transfer)])
    assert result.delta.any()


def test_refuses_no_attempts_equal_names_and_what_leaves_the_threat(slices, attempts):
    with pytest.raises(ValueError, match="attempts"):
        strongest(noisy, slices, THREAT, [])
    with pytest.raises(ValueError, match=r"different names, got .*'first', 'first'"):
        strongest(noisy, slices, THREAT, [attempts[0], attempts[0]])
    larger = Attempt("larger", lambda f, scan, threat, generator=None: pgd(f, scan, Threat(1)))
    with pytest.raises(RuntimeError, match="leaves the threat"):
        strongest(noisy, slices, THREAT, [larger])
