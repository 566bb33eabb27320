"""A ridge regulariser: its filters, derivatives, bounds, and the minimisers of its energies."""

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from smug.models.fixed_ridge import FixedRidge
from smug.models.minimise import accelerated_gradient, implicit
from smug.models.reconstructors import MoDL
from smug.models.ridge import RidgeRegulariser
from smug.models.ridge_energy import denoised, reconstruction
from smug.models.ridge_reconstruction import Ridge, RidgeDenoiser
from smug.physics import working_set
from smug.physics.parts import image_norm
from smug.physics.sense import Sense

CONVEX = pytest.mark.parametrize("convex", [True, False], ids=["convex", "weakly convex"])


def regulariser(convex, filters=6, seed=0, dtype=torch.float64):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        R = RidgeRegulariser(filters, (2,), convex=convex)
        with torch.no_grad():
            for parameter in R.parameters():
                if parameter.ndim == 1:
                    parameter.add_(0.3 * torch.randn_like(parameter))
    return R.to(dtype)


def images(*shape, seed=1, dtype=torch.complex128):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def at(R, x, sigma):
    with torch.no_grad():
        return R.at(x.shape, sigma, x)


def measured(height=6, width=8, coils=2, batch=2):
    maps = images(batch, coils, height, width, seed=3)
    maps = maps / maps.abs().square().sum(1, keepdim=True).sqrt()
    mask = torch.tensor([[True, False, True, True, False, True, True, False]]).expand(batch, -1)
    A = Sense(mask, maps)
    return A, A(images(batch, height, width, seed=4))


@CONVEX
def test_filters_have_zero_mean_and_unit_norm_and_are_those_that_are_convolved_with(convex):
    R = regulariser(convex)
    w = R.filters().detach()
    torch.testing.assert_close(w.sum((-2, -1)), torch.zeros(6, dtype=w.dtype))
    torch.testing.assert_close(w.square().sum((-2, -1)), torch.ones(6, dtype=w.dtype))
    x = images(1, 12, 15)
    response = R.at(x.shape, 0.1, x).responses(torch.fft.fft2(x))[0].detach()
    direct = sum(w[:, i, j, None, None] * x.roll((i, j), (-2, -1)) for i in range(9) for j in range(9))
    torch.testing.assert_close(response, direct.to(response.dtype))


@CONVEX
def test_filters_wrap_around_a_small_image(convex):
    R = regulariser(convex)
    tile = images(1, 4, 6)
    tiled = tile.tile(1, 3, 2)  # periodic: the responses are those of the tile
    torch.testing.assert_close(R(tiled, 0.1), 6 * R(tile, 0.1))


@CONVEX
def test_gradient_and_curvature_are_derivatives_of_the_value(convex):
    R = regulariser(convex)
    x, v = images(2, 7, 9), images(2, 7, 9, seed=2)
    sigma = torch.tensor([0.05, 2.0], dtype=torch.float64)
    fixed = at(R, x, sigma)
    h = 1e-5
    slope = (fixed.value(x + h * v) - fixed.value(x - h * v)) / (2 * h)
    torch.testing.assert_close((fixed.gradient(x).conj() * v).real.sum((-2, -1)), slope, rtol=1e-6, atol=1e-6)
    bend = (fixed.gradient(x + h * v) - fixed.gradient(x - h * v)) / (2 * h)
    torch.testing.assert_close(fixed.hessian(x)(v), bend, rtol=1e-5, atol=1e-6)


@CONVEX
def test_no_phase_is_preferred(convex):
    R, x = regulariser(convex), images(1, 8, 8)
    turn = torch.polar(torch.ones(()), torch.tensor(0.7)).to(x.dtype)
    torch.testing.assert_close(R(turn * x, 0.1), R(x, 0.1))


@CONVEX
@pytest.mark.parametrize("shape", [(5, 7), (16, 16), (13, 32)])
@pytest.mark.parametrize("size", [1e-4, 0.1, 10.0])
def test_curvature_lies_within_its_bounds(convex, shape, size):
    R = regulariser(convex)
    x = size * images(1, *shape)
    fixed = at(R, x, 0.05)
    largest, shift = float(R.lipschitz().detach()), float(R.weak_convexity().detach())
    v = images(1, *shape, seed=5)
    for sign in (1, -1):  # power iteration towards either end of the Hessian
        for _ in range(60):
            v = sign * fixed.hessian(x)(v) + (largest + shift) * v
            v = v / image_norm(v)[:, None, None]
        rayleigh = float((v.conj() * fixed.hessian(x)(v)).real.sum())
        assert -shift - 1e-9 <= rayleigh <= largest + 1e-9


def test_the_bound_of_the_curvature_is_sharp_where_the_image_is_small():
    R = regulariser(convex=True)
    x = torch.zeros(1, 64, 64, dtype=torch.complex128)
    v = images(1, 64, 64)
    fixed = at(R, x, 1.0)
    for _ in range(300):
        v = fixed.hessian(x)(v)
        v = v / image_norm(v)[:, None, None]
    assert float(image_norm(fixed.hessian(x)(v))) > 0.95 * float(R.lipschitz().detach())


def test_a_weakly_convex_one_is_not_convex_and_denoising_stays_so():
    R = regulariser(convex=False)
    with torch.no_grad():
        R.relief.fill_(6.0)
        R.log_spread.fill_(3.0)
    assert 0.4 < float(R.weak_convexity().detach()) <= 0.99 + 1e-9
    wave = torch.polar(torch.ones(16, 16), torch.pi / 2 * torch.arange(16.0).expand(16, 16)).to(torch.complex128)[None]
    along = [
        wave.conj() * at(R, x, 0.1).hessian(x)(wave) for x in wave * torch.logspace(-2, 1, 40)[:, None, None, None]
    ]
    curvatures = [float(product.real.mean()) for product in along]  # of R on the ray of a plane wave
    assert -0.99 <= min(curvatures) < -1e-3 and curvatures[0] > 0


@pytest.mark.parametrize("tau", [0.0, 0.05])
@CONVEX
def test_the_minimiser_has_no_gradient_and_the_least_energy(convex, tau):
    R, (A, y) = regulariser(convex), measured()
    found = Ridge(R, lam=0.3, sigma=0.2, tau=tau, tolerance=1e-9, max_iterations=20000).minimum(y, A)
    assert bool(found.converged.all())
    x = found.value
    slope = A.gram(x) - A.H(y) + 0.3 * R.gradient(x, 0.2) + tau * x
    assert bool((image_norm(slope) <= 1.01e-9 * image_norm(A.H(y))).all())

    def energy(x):
        data = (A(x) - y).abs().square().sum((-3, -2, -1)) / 2
        return data + 0.3 * R(x, 0.2) + tau / 2 * x.abs().square().sum((-2, -1))

    for seed in range(5):
        assert bool((energy(x + 0.01 * images(*x.shape, seed=seed)) >= energy(x)).all())


def test_an_iteration_that_ends_too_early_says_so():
    A, y = measured()
    found = Ridge(regulariser(True), lam=1.0, sigma=0.2, tolerance=1e-6, max_iterations=3).minimum(y, A)
    assert found.iterations.tolist() == [3, 3] and not bool(found.converged.any())


def test_a_reconstruction_that_ends_too_early_warns():
    A, y = measured()
    f = Ridge(regulariser(True), lam=1.0, sigma=0.2, tolerance=1e-6)
    with pytest.warns(RuntimeWarning, match="after 3 iterations with a gradient of about .* not 1e-06"):
        f.replace(max_iterations=3)(y, A)
    f.replace(max_iterations=3)(y * torch.nan, A)  # nothing to allow more of
    f(y, A)


class _Quadratic:
    """``c/2 ||x||^2 - <b, x>``."""

    def gradient(self, x, curvature, b):
        return curvature * x - b

    def hessian(self, x, curvature, b):
        return lambda v: curvature * v


def test_a_gradient_through_negative_curvature_says_so():
    b = images(2, 3, 4).requires_grad_()
    positive, negative = (torch.tensor(value, dtype=torch.float64) for value in (2.0, -1.0))
    (gradient,) = torch.autograd.grad(implicit(_Quadratic(), b.detach() / 2, (positive, b)).real.sum(), b)
    torch.testing.assert_close(gradient, torch.full_like(b, 0.5))
    stationary = implicit(_Quadratic(), -b.detach(), (negative, b))
    with pytest.warns(RuntimeWarning, match="2 of 2 images: the energy has negative curvature"):
        torch.autograd.grad(stationary.real.sum(), b)


def test_accelerated_gradient_solves_a_quadratic_like_linear_algebra():
    Q = torch.diag(torch.linspace(0.01, 1, 12, dtype=torch.float64)).to(torch.complex128)
    b = images(1, 12, 1)
    found = accelerated_gradient(lambda x: Q @ x - b, torch.zeros_like(b), 1.0, torch.tensor([1e-10]).double(), 5000)
    torch.testing.assert_close(found.value, torch.linalg.solve(Q, b))
    assert int(found.iterations) < 800  # plain gradient steps take over 2000


@CONVEX
def test_every_image_alone_is_what_it_is_in_a_batch(convex):
    R, (A, y) = regulariser(convex), measured(batch=3)
    f = Ridge(R, lam=0.3, sigma=torch.tensor([0.1, 0.2, 0.4], dtype=torch.float64), tolerance=1e-8)
    together = f(y, A)
    for i in range(3):
        alone = f.replace(sigma=f.sigma[i : i + 1])(y[i : i + 1], A[i])
        torch.testing.assert_close(alone, together[i : i + 1], rtol=1e-10, atol=1e-12)


@CONVEX
def test_implicit_gradients_are_those_of_the_unrolled_iteration(convex):
    R, (A, y) = regulariser(convex, filters=3), measured(height=4, batch=1)
    inputs = [y, A.maps, *(torch.tensor(v, dtype=torch.float64) for v in (0.4, 0.3, 0.05))]
    inputs = [value.clone().requires_grad_() for value in inputs]
    y, maps, lam, sigma, tau = inputs
    weights = list(R.parameters())
    A = Sense(A.mask, maps)
    f = Ridge(R, lam=lam, sigma=sigma, tau=tau, tolerance=1e-9, max_iterations=4000, solve_tolerance=1e-8)
    x = f(y, A)
    direction = images(*x.shape, seed=9)
    implicit = torch.autograd.grad((direction.conj() * x).real.sum(), (*inputs, *weights))
    u = torch.zeros_like(x)
    step = 1 / (1 + lam.detach() * R.lipschitz().detach() + tau.detach())
    fixed = R.at(u.shape, sigma, u)
    for _ in range(500):
        u = u - step * (A.gram(u) - A.H(y) + lam * fixed.gradient(u) + tau * u)
    u = (1 + tau) * u
    torch.testing.assert_close(x, u, rtol=1e-6, atol=1e-8)
    unrolled = torch.autograd.grad((direction.conj() * u).real.sum(), (*inputs, *weights))
    torch.testing.assert_close(implicit, unrolled, rtol=1e-4, atol=1e-6)
    assert all(float(gradient.abs().max()) > 0 for gradient in implicit)
    rough = f.replace(solve_tolerance=0.1)(y, A)
    (found,) = torch.autograd.grad((direction.conj() * rough).real.sum(), y)
    error = float(image_norm(found - implicit[0]).max() / image_norm(implicit[0]).max())
    assert 1e-6 < error < 0.3


@pytest.mark.parametrize("size", [2.0**-70, 2.0**70])
@CONVEX
def test_a_gradient_has_any_size(convex, size):
    """In single precision, whose squares are no numbers any more."""
    R, x = regulariser(convex, dtype=torch.float32), images(2, 9, 8, dtype=torch.complex64).requires_grad_()
    found = denoised(R, x, 0.1).value
    along = images(2, 9, 8, seed=5, dtype=torch.complex64)
    one, other = (torch.autograd.grad(found, x, factor * along, retain_graph=True)[0] for factor in (1, size))
    torch.testing.assert_close(other / size, one)


@CONVEX
def test_gradients_can_be_taken_twice(convex):
    R, (A, y) = regulariser(convex, filters=2), measured(height=3, batch=1, coils=1)
    inputs = [y, A.maps, *(torch.tensor(v, dtype=torch.float64) for v in (0.4, 0.5, 0.3))]

    def image(y, maps, lam, sigma, tau, kernel):
        return _with_kernel(
            R,
            kernel,
            lambda: (
                reconstruction(R, y, Sense(A.mask, maps), lam, sigma, tau, tolerance=1e-10, max_iterations=2000).value
            ),
        )

    arguments = tuple(v.clone().requires_grad_() for v in (*inputs, R.kernels[0].detach()))
    assert gradcheck(image, arguments, fast_mode=True, atol=1e-5)
    assert gradgradcheck(image, arguments, fast_mode=True, atol=1e-4)


def _with_kernel(R, kernel, call):
    """Call with a kernel that is a function's argument, not a parameter."""
    kept = R.kernels
    try:
        del R.kernels
        object.__setattr__(R, "kernels", [kernel, *list(kept)[1:]])
        return call()
    finally:
        object.__delattr__(R, "kernels")
        R.kernels = kept


def test_denoising_is_nonexpansive_for_a_convex_regulariser():
    D = RidgeDenoiser(regulariser(True), sigma=0.3).double()
    for seed in range(5):
        a, b = images(1, 10, 12, seed=seed), images(1, 10, 12, seed=seed + 50)
        assert float(image_norm(D(a) - D(b)).detach()) <= float(image_norm(a - b)) + 2e-3


def test_denoising_removes_noise():
    x = torch.zeros(1, 32, 32, dtype=torch.complex64)
    x[:, 8:24, 8:24] = 1
    noisy = x + 0.05 * images(1, 32, 32, dtype=torch.complex64)
    R = regulariser(True, filters=16, dtype=torch.float32)
    with torch.no_grad():
        R.log_scale.zero_()
    assert float(image_norm(denoised(R, noisy, 0.02).value.detach() - x)) < 0.9 * float(image_norm(noisy - x))


def test_a_ridge_denoiser_serves_in_modl_and_learns_there():
    A, y = measured()
    D = RidgeDenoiser(regulariser(False)).double()
    x = MoDL(D, steps=2, lam=0.5)(y, A)
    (x.abs().square().sum()).backward()
    assert all(float(p.grad.abs().sum()) > 0 for p in (D.log_sigma, D.regulariser.log_strength))


@pytest.mark.parametrize(
    "changes",
    [
        {"lam": 0.0},
        {"lam": float("nan")},
        {"sigma": -1.0},
        {"tau": -0.1},
        {"tolerance": 0.0},
        {"solve_tolerance": 1.0},
        {"max_iterations": 0},
    ],
)
def test_bad_settings_are_refused(changes):
    with pytest.raises(ValueError, match=f"{next(iter(changes))}: expected"):
        Ridge(regulariser(True), **changes)


@pytest.mark.parametrize("options", [{"filters": 0}, {"size": 4}, {"widths": (0,)}, {"size": 63}])
def test_bad_filters_are_refused(options):
    with pytest.raises(ValueError, match="ridge: expected"):
        RidgeRegulariser(**options)


@CONVEX
@pytest.mark.parametrize("size", [0.5, 2, 7, 100])
def test_nothing_depends_on_how_much_is_made_at_a_time(convex, size, monkeypatch):
    R, x, v = regulariser(convex), images(3, 8, 9), images(3, 8, 9, seed=2)
    fixed = at(R, x, torch.tensor([0.05, 0.3, 2.0], dtype=torch.float64))
    monkeypatch.setitem(working_set.BYTES, "cpu", 10**9)
    whole = fixed.value(x), fixed.gradient(x), fixed.hessian(x)(v)
    monkeypatch.setitem(working_set.BYTES, "cpu", int(size * x[0].nbytes))
    torch.testing.assert_close((fixed.value(x), fixed.gradient(x), fixed.hessian(x)(v)), whole)
    alone = FixedRidge(fixed.spectra, tuple((mu, s[1:2]) for mu, s in fixed.terms))
    torch.testing.assert_close(alone.gradient(x[1:2])[0], fixed.gradient(x)[1], rtol=0, atol=0)
    torch.testing.assert_close(alone.hessian(x[1:2])(v[1:2])[0], fixed.hessian(x)(v)[1], rtol=0, atol=0)
