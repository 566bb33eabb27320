import math

import numpy as np
import pytest
import torch
from scipy import stats

from smug.bounds.percentile import (
    CERTIFICATE,
    Release,
    certified_error,
    draw_seeds,
    needed_draws,
    order,
    percentile_curve,
    release_errors,
    shifted_level,
)
from smug.foreign import slicewise
from smug.metrics import psnr
from smug.models.classical import ZeroFilled
from smug.models.noise import complex_normal
from smug.physics.sense import Sense

ALPHA = 0.05
CALIBRATIONS = 2000
TOO_FEW = stats.binom.ppf(1e-4, CALIBRATIONS, 1 - ALPHA) / CALIBRATIONS  # what 95 % of them is at least, by chance


@pytest.fixture
def slice_(device):
    mask = torch.tensor([[True, False, True, True, False, True]])
    A = Sense(mask=mask.to(device))
    target = complex_normal(torch.tensor([5]), (8, 6), torch.complex128, device)
    return A(target), A, target


@pytest.mark.parametrize(("n", "pbar"), [(100, 0.841), (100, 0.5), (18, 0.8414), (17, 0.8414), (500, 0.97725), (3, 1)])
@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_order_against_brute_force(n, pbar, alpha):
    brute = next(k for k in range(n + 2) if 1 - stats.binom.cdf(k - 1, n, pbar) <= alpha)
    assert order(n, pbar, alpha) == brute


def test_the_numbers_of_the_literature():
    assert order(100, 0.841) == 91
    assert [needed_draws(ratio) for ratio in (1, 1.5, 2, 2.5, 3)] == [18, 44, 131, 481, 2218]


@pytest.mark.parametrize("ratio", [0, 0.7, 1, 2, 3])
def test_needed_draws_are_the_least_that_reach(ratio):
    n = needed_draws(ratio, alpha=0.01)
    assert order(n, shifted_level(ratio), 0.01) <= n
    assert n == 1 or order(n - 1, shifted_level(ratio), 0.01) == n


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0, 1.5])
@pytest.mark.parametrize("p", [0.5, 0.8])
def test_coverage_without_and_under_the_worst_shift(ratio, p):
    """e = ||y + zeta - t|| in 6 dimensions: the worst shift leads away from t, and ncx2 knows the rest exactly."""
    sigma, distance, dimensions, n = 0.7, 1.3, 6, 200
    draws = np.random.default_rng(0).normal(size=(CALIBRATIONS, n, dimensions)) * sigma
    draws[..., 0] += distance
    errors = torch.from_numpy(np.linalg.norm(draws, axis=-1))
    bounds = np.array([certified_error(e, ratio, p=p).value for e in errors])
    for shift in (0, ratio * sigma):
        away = ((distance + shift) / sigma) ** 2
        covered = stats.ncx2.cdf((bounds / sigma) ** 2, dimensions, away)
        assert (covered >= p).mean() >= TOO_FEW


def test_coverage_is_not_much_more_than_promised():
    """For e that is monotone along one axis, e = y + zeta far from 0, the proof has no slack but that of integers."""
    ratio, n = 1.0, 100
    draws = np.random.default_rng(1).normal(size=(CALIBRATIONS, n))
    bounds = np.array([certified_error(torch.from_numpy(e + 1000), ratio).value for e in draws]) - 1000
    covered = stats.norm.cdf(bounds, loc=ratio) >= 0.5
    exact = 1 - stats.binom.sf(order(n, shifted_level(ratio)) - 1, n, shifted_level(ratio))
    assert 0.95 <= exact < 0.98
    assert covered.mean() == pytest.approx(exact, abs=0.02)


def test_one_order_less_would_fail():
    ratio, n = 1.0, 100
    k = order(n, shifted_level(ratio)) - 1
    draws = np.sort(np.random.default_rng(2).normal(size=(CALIBRATIONS, n)), axis=1)
    assert (stats.norm.cdf(draws[:, k - 1], loc=ratio) >= 0.5).mean() < TOO_FEW


def test_a_curve_holds_as_a_whole_with_bonferroni_only():
    ratios, n = [0, 0.25, 0.5, 0.75, 1, 1.25, 1.5], 200
    levels = [shifted_level(ratio) for ratio in ratios]
    draws = np.sort(np.random.default_rng(3).uniform(size=(20_000, n)), axis=1)  # e is its own distribution function

    def together(alpha):
        ks = [order(n, level, alpha) for level in levels]
        return np.all([draws[:, k - 1] >= level for k, level in zip(ks, levels, strict=True)], axis=0).mean()

    assert together(ALPHA) < 0.9
    assert together(ALPHA / len(ratios)) >= 1 - ALPHA


def test_grows_with_eps_and_says_when_it_is_vacuous():
    errors = torch.rand(150, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    ratios = torch.linspace(0, 3, 31).tolist()
    bounds = [certified_error(errors, ratio) for ratio in ratios]
    values = [bound.value for bound in bounds]
    assert values == sorted(values)
    assert [bound.vacuous for bound in bounds] == [needed_draws(ratio) > 150 for ratio in ratios]
    assert bounds[0].alpha == ALPHA
    assert "150 draws" in " ".join(bounds[0].assumptions)
    assert certified_error(errors, 1.0, statements=20).value > certified_error(errors, 1.0).value


def test_an_error_without_a_number_is_never_certified():
    errors = torch.ones(200)
    errors[50:] = torch.nan
    assert certified_error(errors, 0.0).vacuous


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_an_image_that_is_not_finite_is_never_certified(value, slice_):
    y, A, target = slice_
    curve = percentile_curve(lambda y, A: A.H(y).abs() + value, y, A, target, 0.1, (0.0,), draws=20)
    assert math.isinf(curve.points[0].error.value) and curve.points[0].error.vacuous


def test_measurements_without_signal_have_a_certificate(slice_):
    y, A, target = slice_
    point = percentile_curve(ZeroFilled(), 0 * y, A, target, 0.1, (1.0,), draws=20).points[0]
    assert point.relative_l2 == math.inf and math.isfinite(point.error.value)


def test_release_adds_noise_where_something_is_sampled(slice_):
    y, A, _ = slice_
    seen = []
    Release(lambda z, A: seen.append(z) or A.H(z), 0.1)(y.expand(2000, -1, -1, -1), A, torch.arange(2000))
    zeta = (seen[0] - y)[..., A.mask[0]]
    assert not (seen[0] - y)[..., ~A.mask[0]].any()
    assert zeta.real.std() == pytest.approx(0.1, rel=0.01)
    assert zeta.imag.std() == pytest.approx(0.1, rel=0.01)


def test_magnitudes_are_compared_with_the_magnitude_of_the_target(slice_):
    def magnitude(y, A, generator=None):
        return A.H(y).abs()

    y, A, target = slice_
    found = release_errors(magnitude, y, A, target, 1e-9, torch.arange(2))
    expected = (A.H(y).abs() - target.abs()).norm().double()
    torch.testing.assert_close(found, expected.expand(2), rtol=1e-5, atol=0)


def test_errors_do_not_depend_on_the_chunk(slice_):
    y, A, target = slice_
    seeds, told = draw_seeds(torch.tensor([3]), CERTIFICATE, 11), []
    first, second = (
        release_errors(ZeroFilled(), y, A, target, 0.1, seeds, chunk=chunk, advance=told.append) for chunk in (4, 11)
    )
    torch.testing.assert_close(first, second)
    assert told == [4, 4, 3, 11]
    assert len(first.unique()) == 11


def test_curve_of_a_linear_reconstructor_under_its_worst_shift(slice_):
    """F = A^H, y = A x + b: what is certified holds for the shift along the error, which is the worst."""
    y, A, target = slice_
    y, sigma, ratio = y + 0.3 * A.sampled, 0.2, 1.0
    direction = A(A.H(y) - target)
    shift = ratio * sigma * direction / torch.linalg.vector_norm(direction)
    after = release_errors(ZeroFilled(), y + shift, A, target, sigma, torch.arange(4000), chunk=500)
    kept = []
    for seed in range(60):
        curve = percentile_curve(
            ZeroFilled(), y, A, target, sigma, [ratio], draws=40, generator=torch.tensor([seed]), chunk=40
        )
        kept.append(bool((after <= curve.points[0].error.value).double().mean() >= 0.5))
    assert np.mean(kept) >= stats.binom.ppf(1e-4, 60, 1 - ALPHA) / 60


def test_curve_in_decibels(slice_):
    y, A, target = slice_
    curve = percentile_curve(ZeroFilled(), y, A, target, 1e-9, [0.0, 1.0, 3.0], draws=20)
    exact = float(psnr(A.H(y), target, "complex"))
    assert curve.clean_psnr == pytest.approx(exact, abs=1e-4)
    assert [point.psnr for point in curve.points] == pytest.approx([exact, exact, -math.inf], abs=1e-4)
    assert curve.points[1].relative_l2 == pytest.approx(1e-9 / float(torch.linalg.vector_norm(y)))
    assert curve.points[2].error.vacuous


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: shifted_level(1, p=1.0), "0 < p < 1"),
        (lambda: shifted_level(-1), "eps / sigma >= 0"),
        (lambda: order(0, 0.5), "n >= 1"),
        (lambda: order(5, 0.5, alpha=0), "alpha"),
        (lambda: certified_error(torch.ones(2, 2), 1.0), "(n,)"),
        (lambda: certified_error(torch.ones(2), 1.0, statements=0), "statements >= 1"),
        (lambda: Release(ZeroFilled(), 0.0), "sigma"),
        (lambda: draw_seeds(torch.tensor([0]), 0, 0), "draws"),
    ],
)
def test_values_out_of_range(call, message):
    with pytest.raises(ValueError, match="(?s)" + message.replace("(", r"\(").replace(")", r"\)")):
        call()


def test_several_slices_are_refused(slice_):
    y, A, target = slice_
    with pytest.raises(ValueError, match="of one slice"):
        release_errors(ZeroFilled(), y.expand(2, -1, -1, -1), A, target, 0.1, torch.arange(2))


def test_draws_that_see_each_other_are_refused(slice_):
    """Their errors are not independent, as the proof wants them, and change with the chunk."""
    y, A, target = slice_

    def of_the_batch(y, A):
        x = A.H(y)
        return x / x.abs().mean()

    with pytest.raises(ValueError, match="slicewise"):
        percentile_curve(of_the_batch, y, A, target, 0.2, (1,), draws=20)
    percentile_curve(slicewise(of_the_batch), y, A, target, 0.2, (1,), draws=20)
    percentile_curve(of_the_batch, y, A, target, 0.2, (1,), draws=20, chunk=1)


def test_draws_of_torchs_own_generator_are_independent(slice_):
    y, A, target = slice_
    percentile_curve(lambda y, A: A.H(y) + torch.randn_like(A.H(y)), y, A, target, 0.2, (1,), draws=20)
