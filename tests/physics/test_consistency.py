import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

import smug
from smug.physics.consistency import conjugate_gradient, observed_solutions, solve
from smug.physics.sense import Sense

from ..scans import dense
from .conftest import random_maps, random_mask


@pytest.mark.parametrize("lam", [1.0, 0.05])
def test_against_dense_linear_algebra(A, image, lam):
    solution = solve(A, image, lam, tolerance=1e-12, max_iterations=500)
    assert solution.converged.all()
    for i in range(A.batch):
        matrix = dense(A, i, image.shape[-2])
        system = matrix.mH @ matrix + lam * torch.eye(matrix.shape[1], dtype=matrix.dtype, device=matrix.device)
        exact = torch.linalg.solve(system, image[i].flatten()).reshape(image.shape[1:])
        torch.testing.assert_close(solution.value[i], exact, rtol=1e-8, atol=1e-9)


def test_each_slice_alone_and_with_leading_axes(A, image, randn):
    stacked = torch.stack((image, 1e4 * randn(*image.shape)))
    together = solve(A, stacked, 0.3)
    for k in range(2):
        for i in range(image.shape[0]):
            alone = solve(A[i], stacked[k, i : i + 1], 0.3)
            torch.testing.assert_close(together.value[k, i], alone.value[0], rtol=1e-9, atol=1e-9)
            assert together.iterations[k, i] == alone.iterations[0]


def test_the_right_hand_side_is_kept_and_may_be_a_conjugate(A, image):
    before = image.clone()
    expected = solve(A, image.conj().resolve_conj(), 0.3)
    torch.testing.assert_close(solve(A, image.conj(), 0.3).value, expected.value)
    assert torch.equal(image, before)
    expanded = solve(A, image.expand(3, *image.shape), 0.3)
    torch.testing.assert_close(expanded.value[2], solve(A, image, 0.3).value)


def test_reported_residual_is_true(A, image):
    solution = solve(A, image, 0.3, tolerance=1e-4)
    error = image - A.gram(solution.value) - 0.3 * solution.value
    expected = error.flatten(1).norm(dim=1) / image.flatten(1).norm(dim=1)
    torch.testing.assert_close(solution.residual, expected)
    assert (solution.residual < 1.01e-4).all()


@pytest.mark.parametrize("kind", ["lines", "mask"])
def test_gradients_are_complete_and_differentiable(kind, device):
    mask = random_mask(2, 4) if kind == "lines" else random_mask(2, 3, 4)
    maps = random_maps(2, 2, 3, 4).to(device).mul(0.9).requires_grad_()
    y = torch.randn(2, 2, 3, 4, dtype=torch.complex128, device=device, requires_grad=True)
    z = torch.randn(2, 3, 4, dtype=torch.complex128, device=device, requires_grad=True)
    lam = torch.tensor([0.7, 1.3], dtype=torch.float64, device=device, requires_grad=True)

    def step(y, z, lam, maps):
        A = Sense(mask.to(device), maps)
        return solve(A, A.H(y) + lam[:, None, None] * z, lam, tolerance=1e-14, max_iterations=200).value

    assert gradcheck(step, (y, z, lam, maps))
    assert gradgradcheck(step, (y, z, lam, maps), fast_mode=True)


def test_gradient_of_shared_lam_and_maps(device, randn):
    A = Sense(random_mask(3, 6).to(device), random_maps(1, 2, 5, 6).to(device).requires_grad_())
    lam = torch.tensor(0.8, dtype=torch.float64, device=device, requires_grad=True)
    b = randn(2, 3, 5, 6)
    shared = torch.autograd.grad(solve(A, b, lam, tolerance=1e-13).value.abs().square().sum(), (lam, A.maps))
    separate = [
        torch.autograd.grad(
            solve(Sense(A.mask[i : i + 1], A.maps), b[k, i : i + 1], lam, tolerance=1e-13).value.abs().square().sum(),
            (lam, A.maps),
        )
        for k in range(2)
        for i in range(3)
    ]
    torch.testing.assert_close(shared[0], sum(s[0] for s in separate))
    torch.testing.assert_close(shared[1], sum(s[1] for s in separate))


def test_zero_right_hand_side(A, image):
    solution = solve(A, torch.zeros_like(image), 1.0)
    assert not solution.value.any()
    assert solution.converged.all()
    assert not solution.iterations.any()


def test_nan_stays_in_its_slice_and_is_told(device, randn):
    A = Sense(random_mask(1, 6).to(device), random_maps(2, 2, 5, 6).to(device))
    b = randn(2, 5, 6)
    clean = solve(A, b, 1.0)
    b[0, 1, 1] = torch.nan
    solution = solve(A, b, 1.0)
    assert solution.value[0].isnan().all()
    assert solution.converged.tolist() == [False, True]
    torch.testing.assert_close(solution.value[1], clean.value[1])


def test_cap_is_told(A, image):
    solution = solve(A, image, 1e-3, tolerance=1e-15, max_iterations=1)
    assert (solution.iterations <= 1).all()
    assert torch.equal(solution.converged, solution.residual < 1e-14) or not solution.converged.any()


def test_indefinite_system_stops(randn):
    b = randn(1, 4, 4)
    x, iterations, converged = conjugate_gradient(lambda p: -p, b, 1e-6, 10)
    assert not converged.any()
    assert not iterations.any()
    assert not x.any()


def test_few_iterations_with_normalised_maps(device):
    A = Sense(random_mask(2, 24), random_maps(2, 3, 20, 24)).to(device)
    b = torch.randn(2, 20, 24, dtype=torch.complex64, device=device)
    A = Sense(A.mask, A.maps.to(torch.complex64))
    solution = solve(A, b, 1.0)
    assert solution.converged.all()
    assert (solution.iterations <= 10).all()  # the spectrum lies in [1, 2]


def test_bad_arguments(A, image):
    with pytest.raises(ValueError, match="lam: expected"):
        solve(A, image, -1.0)
    with pytest.raises(ValueError, match="tolerance"):
        solve(A, image, 1.0, tolerance=0)
    with pytest.raises(ValueError, match="image: expected"):
        solve(A, torch.cat((image, image), dim=-1), 1.0) if image.shape[-1] > 1 else solve(A, image.real, 1.0)


def test_observers_see_the_solutions_of_the_block_and_of_its_gradients(A, image):
    b = image.clone().requires_grad_()
    solve(A, b, 0.3)
    with observed_solutions() as outer:
        x = solve(A, b, 0.3).value
        with observed_solutions() as inner:
            solve(A, image, 1e-3, tolerance=1e-15, max_iterations=1)
        assert len(inner) == 1
        if x.device.type == "cpu":  # gradients on other devices have threads of their own
            torch.autograd.grad(x.abs().square().sum(), b)
            assert len(outer) == 3
    solve(A, b, 0.3)
    assert len(inner) == 1
    assert outer[1] is not inner[0]
    assert torch.equal(outer[0].value, x)
    assert not outer[0].value.requires_grad
    assert outer[0].converged.all()
    assert torch.equal(outer[1].converged, inner[0].converged)


def test_observers_leave_when_the_block_fails(A, image):
    with pytest.raises(ValueError, match="lam"), observed_solutions() as solutions:
        solve(A, image, -1.0)
    solve(A, image, 1.0)
    assert not solutions


def test_to_the_last_bit_a_solution_does_not_depend_on_the_batch(device):
    """Also where coils are summed in groups, which are as large as a processor's cache allows."""
    phantoms = smug.head_phantom(seed=1, size=144)[None].repeat(5, 1, 1)
    scan = smug.simulate(phantoms, smug.Acquisition(coils=14)).to(device)
    aliased = scan.A.H(scan.y)
    samples = torch.stack([aliased, 2 * aliased])
    whole, of_samples = scan.A.gram(aliased), scan.A.gram(samples)
    solved = solve(scan.A, aliased, 0.01).value
    for i in range(5):
        A, b = scan.A[i : i + 1], aliased[i : i + 1]
        assert torch.equal(A.gram(b), whole[i : i + 1])
        assert torch.equal(A.gram(samples[:, i : i + 1]), of_samples[:, i : i + 1])
        assert torch.equal(solve(A, b, 0.01).value, solved[i : i + 1])


@pytest.mark.parametrize("scale", [1e-36, 1e-22, 1e18, 1e36])
def test_any_unit_is_solved(A, image, scale):
    """Also where squares of single precision are zero or infinite."""
    b = image.to(torch.complex64)
    single = Sense(A.mask, A.maps.to(torch.complex64))
    found, expected = solve(single, scale * b, 0.3), solve(single, b, 0.3)
    torch.testing.assert_close(found.value / scale, expected.value, rtol=1e-5, atol=1e-5)
    assert torch.equal(found.iterations, expected.iterations) and bool(found.converged.all())


def test_what_is_no_number_has_not_converged(A, image):
    broken = image.clone()
    broken[0, 0, 0] = torch.nan
    found = solve(A, broken, 0.3)
    assert found.value[0].isnan().all() and found.value[1:].isfinite().all()
    assert found.converged.tolist() == [False] + [True] * (len(image) - 1)
