"""The geometry of the balls: projections, directions, uniform draws."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from smug.models.noise import complex_normal, derive
from smug.norm import L2, NORMS, Linf, parts

norms = st.sampled_from(sorted(NORMS))
dtypes = st.sampled_from([torch.complex64, torch.complex128])
sizes = st.floats(1e-6, 1e6)


def draw(seed, dtype=torch.complex128, batch=3):
    seeds = torch.arange(batch) + seed
    return complex_normal(seeds, (2, 5, 4), dtype)


def exact_size(norm, delta):
    values = torch.view_as_real(delta).double().flatten(1)
    return values.abs().amax(1) if norm == "linf" else values.square().sum(1).sqrt()


@given(norms, dtypes, sizes, sizes, st.integers(0, 10**6))
def test_projection_is_feasible_idempotent_and_leaves_the_inside_alone(norm, dtype, size, radius, seed):
    delta = size * draw(seed, dtype)
    radii = torch.tensor([radius, 10 * radius, 0.0], dtype=delta.real.dtype)
    projected = NORMS[norm].project(delta, radii)
    rounding = 1 + 1e-14  # of the reference sum, not of the projection
    assert (exact_size(norm, projected) <= radii.double() * rounding).all()
    assert torch.equal(NORMS[norm].project(projected, radii), projected)
    inside = NORMS[norm].size(delta) <= radii
    assert torch.equal(projected[inside], delta[inside])
    assert not projected[2].any()


@given(norms, st.integers(0, 10**6))
def test_projection_is_the_nearest_point(norm, seed):
    delta, radius = 3 * draw(seed), torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64)
    projected = NORMS[norm].project(delta, radius)
    other = NORMS[norm].project(draw(seed + 7), radius)
    away = torch.view_as_real(delta - projected).flatten(1)
    along = torch.view_as_real(other - projected).flatten(1)
    assert ((away * along).sum(1) <= 1e-9).all()  # the obtuse angle criterion of convex sets


@given(norms, st.integers(0, 10**6), st.sampled_from([1e-40, 1e-25, 1.0, 1e25]))
def test_steepest_is_a_unit_direction_that_no_other_beats(norm, seed, scale):
    gradient = (scale * draw(seed)).to(torch.complex64)
    step = NORMS[norm].steepest(gradient)
    torch.testing.assert_close(exact_size(norm, step), torch.ones(3, dtype=torch.float64), rtol=1e-4, atol=0)
    dual = torch.view_as_real(gradient).double().flatten(1)
    best = dual.abs().sum(1) if norm == "linf" else dual.square().sum(1).sqrt()
    torch.testing.assert_close((dual * torch.view_as_real(step).flatten(1)).sum(1), best, rtol=1e-3, atol=0)


@pytest.mark.parametrize("norm", NORMS)
def test_a_zero_gradient_gives_a_zero_step(norm):
    assert not NORMS[norm].steepest(torch.zeros(2, 3, 4, 5, dtype=torch.complex64)).any()


def test_linf_signs_parts_not_phases():
    gradient = torch.tensor([[[[3 - 4j]]]])
    assert Linf().steepest(gradient).item() == 1 - 1j


def test_linf_draws_uniform_parts():
    delta = Linf().uniform(torch.tensor([5]), torch.ones(1, 2, 40, 40).bool(), torch.tensor([2.0]))
    assert stats.kstest(torch.view_as_real(delta).flatten(), stats.uniform(-2, 4).cdf).pvalue > 0.01


def test_l2_draws_uniformly_from_the_ball():
    seeds = derive(torch.zeros(4000, dtype=torch.int64), 1) + torch.arange(4000)
    support = torch.tensor([[True, False, True]])[:, None, None].expand(4000, 1, 1, 3)
    delta = L2().uniform(seeds, support, torch.full((4000,), 2.0))
    assert not delta[..., 1].any()
    radial = (L2().size(delta) / 2) ** 4  # two complex entries: a ball of four dimensions
    assert stats.kstest(radial, stats.uniform.cdf).pvalue > 0.01
    angle = delta[:, 0, 0, 0].angle() / (2 * math.pi) + 0.5
    assert stats.kstest(angle, stats.uniform.cdf).pvalue > 0.01


@pytest.mark.parametrize("norm", NORMS)
def test_draws_depend_on_their_own_seed_only(norm, device):
    support = torch.ones(3, 2, 5, 4, device=device).bool()
    radius = torch.ones(3, device=device)
    together = NORMS[norm].uniform(torch.tensor([4, 5, 6]), support, radius)
    alone = NORMS[norm].uniform(torch.tensor([5]), support[:1], radius[:1])
    assert torch.equal(together[1:2], alone)
    assert not torch.equal(together[0], together[1])


def test_a_real_image_has_one_part():
    image = torch.tensor([[[3.0, -4.0]]])
    assert parts(image).shape == (1, 1, 2, 1)
    assert L2().size(image) == 5
    assert Linf().size(image) == 4
