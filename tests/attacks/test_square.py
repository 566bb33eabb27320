"""The black box: better than its start, and blind to gradients."""

from dataclasses import replace

import pytest
import torch

from smug.attacks import PGD, Square, Threat, attack
from smug.attacks.problem import pose
from smug.attacks.square import _square

THREAT = Threat(0.1, "l2", "kspace-l2")
SEEDS = torch.tensor([3, 4])


def opaque(y, A, generator=None):
    """A reconstructor without gradients."""
    assert not torch.is_grad_enabled()
    x = A.H(y).numpy()
    return torch.from_numpy(x * (1 + abs(x)))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_it_improves_on_its_start_without_gradients(slices, norm):
    threat = replace(THREAT, norm=norm)
    few, many = (attack(opaque, slices, threat, rule=Square(n), generator=SEEDS) for n in (1, 200))
    start = pose(opaque, slices, threat, generator=SEEDS)
    begun = start.value(start.project(Square().start(start, 0)))
    assert (few.objective >= begun).all()
    gain, begun = (v - many.clean_objective for v in (many.objective, begun))
    assert (gain > 1.5 * begun).all()
    assert many.gradient_norm.shape == (0, 2)


def test_random_search_is_weaker_than_a_gradient_that_works(slices):
    def f(y, A, generator=None):
        return A.H(y) * (1 + A.H(y).abs())

    white = attack(f, slices, THREAT, rule=PGD(10), generator=SEEDS)
    black = attack(f, slices, THREAT, rule=Square(100), generator=SEEDS)
    assert (black.objective < white.objective).all()


def test_it_sees_through_a_gradient_that_is_masked(slices):
    def f(y, A, generator=None):
        return A.H(y).detach() + 0 * A.H(y)

    white = attack(f, slices, THREAT, rule=PGD(10), generator=SEEDS)
    black = attack(f, slices, THREAT, rule=Square(100), generator=SEEDS)
    assert (black.objective > white.objective).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_slice_alone_is_the_slice_in_its_batch_and_twice_the_same(slices, norm):
    threat = replace(THREAT, norm=norm)
    together = attack(opaque, slices, threat, rule=Square(30), generator=SEEDS)
    assert torch.equal(together.delta, attack(opaque, slices, threat, rule=Square(30), generator=SEEDS).delta)
    assert (threat.size(together.delta) <= together.radius).all()
    for i in range(2):
        alone = attack(opaque, slices[i], threat, rule=Square(30), generator=SEEDS[i : i + 1])
        torch.testing.assert_close(alone.delta[0], together.delta[i])


@pytest.mark.parametrize("area", [0.8, 0.1, 1e-4])
def test_squares_have_their_area_and_lie_anywhere(slices, area):
    problem = pose(opaque, slices, THREAT)
    seeds = torch.arange(2 * 300).reshape(300, 2)
    squares = torch.stack([_square(problem, pair, area) for pair in seeds])
    pixels = (squares != 0).flatten(2).sum(-1)
    height, width = slices.target.shape[-2:]
    side = max(1, round((area * height * width) ** 0.5))
    assert (pixels == min(side, height) * min(side, width)).all()
    assert (squares[0].abs().flatten(1).amax(1) - 1).abs().max() < 1e-12
    covered = (squares != 0).flatten(0, 1)
    assert covered.any(2).any(0).all()
    assert covered.any(1).any(0).all()
