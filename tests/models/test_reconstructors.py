import itertools
from functools import partial

import pytest
import torch
from torch.autograd import gradcheck

from smug.models import reconstructors
from smug.models.didn import DIDN
from smug.models.noise import complex_normal, derive
from smug.models.reconstructors import RSE2E, SMUG, MoDL, WeightedSMUG
from smug.models.smoothing import Smoothing
from smug.models.unet import UNet
from smug.physics.consistency import solve
from smug.physics.sense import Sense

from ..properties import assert_refused
from ..scans import dense, phantom_scan
from .conftest import METHODS, SMOOTHED, SMOOTHING, Counting, make, make_problem, seeded, toy_denoiser, toy_encoder

# ---- against literal loops ----


def test_modl_against_dense_algebra(problem, device):
    D, lam = toy_denoiser(device), 0.8
    result = MoDL(D, steps=3, lam=lam)(problem.y, problem.A)
    batch, _, height, width = problem.y.shape
    assert not torch.equal(problem.A.mask[0], problem.A.mask[1])
    for i in range(batch):
        matrix = dense(problem.A, i)
        aliased = matrix.mH @ problem.y[i].flatten()
        system = matrix.mH @ matrix + lam * torch.eye(height * width, dtype=matrix.dtype, device=device)
        x = aliased
        for _ in range(3):
            z = D(x.reshape(1, height, width)).flatten()
            x = torch.linalg.solve(system, aliased + lam * z)
        torch.testing.assert_close(result[i].flatten(), x, rtol=1e-5, atol=1e-5)


def noise(seeds, x, *address):
    return SMOOTHING.sigma * complex_normal(derive(seeds, *address), x.shape[1:], x.dtype, x.device)


def test_smug_against_equation_5(problem, device):
    D, A, y, seeds = toy_denoiser(device), problem.A, problem.y, problem.seeds
    x = A.H(y)
    for n in range(3):
        z = sum(D(x + noise(seeds, x, n, k)) for k in range(4)) / 4
        x = solve(A, A.H(y) + 0.8 * z, 0.8).value
    torch.testing.assert_close(make("smug", device)(y, A, seeds), x)


def test_weighted_smug_against_equation_11(problem, device):
    D, E = toy_denoiser(device), toy_encoder(device)
    A, y, seeds = problem.A, problem.y, problem.seeds
    x = A.H(y)
    for n in range(3):
        noisy = [x + noise(seeds, x, n, k) for k in range(4)]
        weights = [E(image)[:, None, None] for image in noisy]
        z = sum(w * D(image) for w, image in zip(weights, noisy, strict=True)) / sum(weights)
        x = solve(A, A.H(y) + 0.8 * z, 0.8).value
    torch.testing.assert_close(make("weighted-smug", device)(y, A, seeds), x)


def rs_e2e(problem, D, *, everywhere):
    A, y, seeds = problem.A, problem.y, problem.seeds
    outputs = []
    for k in range(4):
        noisy = A.H(y) + noise(seeds, A.H(y), 0, k)
        x = noisy
        for _ in range(3):
            x = solve(A, (noisy if everywhere else A.H(y)) + 0.8 * D(x), 0.8).value
        outputs.append(x)
    return sum(outputs) / 4


def test_rs_e2e_has_its_noise_in_the_first_image_and_in_every_solve(problem, device):
    result = make("rs-e2e", device)(problem.y, problem.A, problem.seeds)
    torch.testing.assert_close(result, rs_e2e(problem, toy_denoiser(device), everywhere=True))
    elsewhere = rs_e2e(problem, toy_denoiser(device), everywhere=False)
    assert (result - elsewhere).norm() > 1e-2 * result.norm()


# ---- the compositions ----


@pytest.mark.parametrize("settings", [{"sigma": 0}, {"num_samples": 0}])
@pytest.mark.parametrize("method", SMOOTHED)
def test_without_noise_all_are_modl(problem, device, method, settings):
    f = make(method, device).replace(**settings)
    modl = MoDL(f.denoiser, f.steps, f.lam)
    assert torch.equal(f(problem.y, problem.A, problem.seeds), modl(problem.y, problem.A))


@pytest.mark.parametrize(("method", "samples"), [("modl", 1), *itertools.product(SMOOTHED, [0, 4])])
def test_calls_of_the_denoiser(problem, device, method, samples):
    f = make(method, device)
    f = f if method == "modl" else f.replace(num_samples=samples)
    D = Counting(f.denoiser)
    f.replace(denoiser=D)(problem.y, problem.A)
    assert D.calls == 3  # every step evaluates its samples in one call
    assert D.images == 3 * 2 * max(1, samples)


def test_a_constant_encoder_makes_weighted_smug_smug(problem, device):
    f = make("weighted-smug", device)
    constant = f.replace(encoder=lambda x: torch.full((len(x),), 0.4, dtype=torch.float64, device=device))
    smug = make("smug", device)(problem.y, problem.A, problem.seeds)
    torch.testing.assert_close(constant(problem.y, problem.A, problem.seeds), smug)
    assert (f(problem.y, problem.A, problem.seeds) - smug).norm() > 1e-8 * smug.norm()


@pytest.mark.parametrize("method", ["modl", "smug", "weighted-smug"])
def test_iterate_ends_where_the_call_ends(problem, device, method):
    f = make(method, device)
    steps = list(f.iterate(problem.y, problem.A, problem.seeds))
    assert len(steps) == f.steps
    assert torch.equal(steps[0].x, problem.A.H(problem.y))
    for before, after in itertools.pairwise(steps):
        assert torch.equal(before.solution.value, after.x)
    assert torch.equal(steps[-1].solution.value, f(problem.y, problem.A, problem.seeds))


def test_every_step_has_noise_of_its_own(problem, device):
    f = SMUG(lambda x: x, SMOOTHING, steps=4)
    draws = [step.z.samples - step.x for step in f.iterate(problem.y, problem.A, problem.seeds)]
    etas = torch.stack(draws).flatten(0, 2).flatten(1)  # step, sample, image
    correlation = (etas @ etas.mH) / etas.norm(dim=1)[:, None] / etas.norm(dim=1)
    correlation.diagonal().zero_()
    assert correlation.abs().max() < 0.6  # 70 pixels


@pytest.mark.parametrize("method", ["smug", "weighted-smug"])
def test_draws_can_be_shared_by_all_steps(problem, device, method):
    f = make(method, device).replace(denoiser=lambda x: x, shared_draws=True)
    first, *others = (step.z.samples - step.x for step in f.iterate(problem.y, problem.A, problem.seeds))
    own = next(f.replace(shared_draws=False).iterate(problem.y, problem.A, problem.seeds))
    assert torch.equal(first, own.z.samples - own.x)
    for draws in others:
        torch.testing.assert_close(draws, first, atol=1e-5, rtol=1e-5)


# ---- randomness ----


@pytest.mark.parametrize("method", SMOOTHED)
def test_the_seed_decides(problem, device, method):
    f = make(method, device)

    def reconstruct(generator=None, f=f):
        return f(problem.y, problem.A, generator)

    generator = torch.Generator().manual_seed(1)
    first, second = reconstruct(generator), reconstruct(generator)
    assert torch.equal(first, reconstruct(torch.Generator().manual_seed(1)))
    assert torch.equal(reconstruct(problem.seeds), reconstruct(problem.seeds))
    assert torch.equal(reconstruct(), reconstruct())
    assert torch.equal(reconstruct(), reconstruct(torch.zeros_like(problem.seeds)))
    others = [first, second, reconstruct(), reconstruct(problem.seeds), reconstruct(f=f.replace(seed=1))]
    for a, b in itertools.combinations(others, 2):
        assert (a - b).norm() > 1e-4 * a.norm()


def test_bad_seeds(problem, device):
    with pytest.raises(ValueError, match="generator: expected"):
        make("smug", device)(problem.y, problem.A, torch.zeros(3, dtype=torch.int64))


# ---- gradients ----


@pytest.fixture
def exact(monkeypatch):
    """Solve to rounding, so that finite differences and implicit gradients can be compared."""
    monkeypatch.setattr(reconstructors, "solve", partial(solve, tolerance=1e-14, max_iterations=200))


@pytest.mark.usefixtures("exact")
def test_gradients_with_respect_to_measurements_and_lam(device, method):
    problem = make_problem(device, batch=1, coils=2, height=3, width=4)
    lam = torch.tensor(0.7, dtype=torch.float64, device=device, requires_grad=True)
    y = problem.y.clone().requires_grad_()

    def reconstruct(y, lam):
        f = make(method, device, smoothing=Smoothing(sigma=0.3, num_samples=2), steps=2, lam=lam)
        return f(y, problem.A, problem.seeds)

    assert gradcheck(reconstruct, (y, lam))


# ---- shapes ----

SHAPES = {
    "odd": {"coils": 3, "height": 7, "width": 9},
    "one coil": {"coils": 1, "height": 6, "width": 8},
    "one column": {"coils": 2, "height": 6, "width": 1},
    "one row": {"coils": 2, "height": 1, "width": 6},
    "one pixel": {"coils": 1, "height": 1, "width": 1},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_any_shape(device, method, shape):
    problem = make_problem(device, torch.complex64, batch=2, **SHAPES[shape])
    result = make(method, device, torch.complex64)(problem.y, problem.A)
    assert result.shape == problem.target.shape
    assert result.dtype == torch.complex64
    assert result.isfinite().all()


def test_a_single_sampled_line_without_maps(device, method):
    mask = torch.zeros(1, 8, dtype=torch.bool, device=device)
    mask[0, 4] = True
    A = Sense(mask)
    image = torch.ones(2, 5, 8, dtype=torch.complex64, device=device)
    result = make(method, device, torch.complex64)(A(image), A)
    assert result.shape == image.shape
    assert result.isfinite().all()


@pytest.mark.parametrize("build", [lambda: DIDN(channels=8, blocks=1), lambda: UNet(channels=8)])
def test_untrained_networks_make_the_proximal_point_iteration(device, build):
    """Networks start as the identity, so that an untrained MoDL is regularised least squares, not noise."""
    problem = make_problem(device, torch.complex64)
    f = MoDL(seeded(build, device, torch.complex64), steps=2)
    identity = MoDL(lambda x: x, steps=2)
    assert torch.equal(f(problem.y, problem.A), identity(problem.y, problem.A))


# ---- settings ----


def test_replace_keeps_the_weights(device, method):
    f = make(method, device)
    changes = {"steps": 16} | ({} if method == "modl" else {"sigma": 0.02, "chunk": 5})
    g = f.replace(**changes)
    assert type(g) is type(f)
    assert g.denoiser is f.denoiser
    assert (g.steps, f.steps, g.lam) == (16, 3, f.lam)
    if method != "modl":
        assert g.smoothing == Smoothing(sigma=0.02, num_samples=4, chunk=5)
        assert f.smoothing == SMOOTHING
    if method == "weighted-smug":
        assert g.encoder is f.encoder


def test_replace_takes_a_smoothing_and_changes_of_it(device):
    f = make("smug", device).replace(smoothing=Smoothing(num_samples=6), sigma=0.5)
    assert f.smoothing == Smoothing(sigma=0.5, num_samples=6)


def test_replace_refuses_unknown_names(device):
    with pytest.raises(ValueError, match=r"expected settings among .*'num_samples'.*, got \['epsilon', 'stepz'\]"):
        make("smug", device).replace(stepz=3, epsilon=1)
    assert_refused(lambda: make("modl", device).replace(sigma=0.1), "got ['sigma']")
    assert_refused(lambda: make("smug", device).replace(steps=0), "steps: expected an integer")


@pytest.mark.parametrize("build", [MoDL, SMUG, RSE2E, lambda D, **s: WeightedSMUG(D, D, **s)])
def test_settings_out_of_range(build):
    assert_refused(lambda: build(lambda x: x, steps=0), "steps: expected an integer of at least 1, got 0")
    for lam in (0.0, -1.0, float("nan"), float("inf"), torch.tensor(-1.0), torch.ones(2)):
        assert_refused(lambda: build(lambda x: x, lam=lam), "lam: expected")


def test_networks_are_named_by_their_field(device):
    f = WeightedSMUG(seeded(lambda: UNet(channels=4), device), toy_encoder(device))
    assert list(f.networks()) == ["denoiser", "encoder"]
    assert f.networks()["denoiser"] is f.denoiser
    assert list(MoDL(lambda x: x).networks()) == []
    assert f.to(device) is f
    assert {p.device.type for p in f.networks().parameters()} == {device.type}


def test_a_denoiser_is_any_callable(problem):
    f = SMUG(torch.sin, SMOOTHING, steps=2)
    assert f(problem.y, problem.A).isfinite().all()


@pytest.mark.parametrize("method", METHODS)
def test_a_solve_that_is_stopped_is_told_once_for_a_reconstruction(device, method):
    scan = phantom_scan(64, coils=8, acceleration=4).to(device)
    f = make(method, device, torch.complex64, steps=2, lam=1e-4)
    with pytest.warns(RuntimeWarning, match="stopped after 100 iterations with a relative residual of about") as told:
        f(scan.y, scan.A)
    assert len(told) == 1
    f.replace(lam=0.1)(scan.y, scan.A)  # no warning


def test_measurements_that_are_no_numbers_are_not_told_to_need_a_larger_lam(problem):
    MoDL(lambda x: x)(problem.y * torch.nan, problem.A)
