import pytest
import torch
from torch.autograd import gradcheck

from smug.physics.consistency import solve
from smug.physics.factor import spectrum
from smug.physics.sense import Sense

from .conftest import OPERATORS, image_shape, random_maps, random_mask

FACTORED = [name for name in OPERATORS if name not in ("any mask", "one coil")]


@pytest.mark.parametrize("name", FACTORED)
@pytest.mark.parametrize("lam", [1.0, 0.01])
def test_factor_equals_conjugate_gradients(name, lam, device, randn):
    A = OPERATORS[name]().to(device)
    b = randn(3, *image_shape(A))
    expected = solve(A, b, lam, tolerance=1e-12, max_iterations=1000).value
    torch.testing.assert_close(A.factor(lam).solve(b), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("rows", [1, 4, 100])
def test_blocks_of_rows_do_not_change_the_solution(rows, device, randn, monkeypatch):
    A = OPERATORS["lines"]().to(device)
    b, lam = randn(2, 6, 9), torch.tensor([0.5, 2.0], dtype=torch.float64, device=device)
    expected, eigenvalues = A.factor(lam).solve(b), spectrum(A)
    monkeypatch.setattr("smug.physics.factor.BLOCK", rows * A.batch * 9**2 * 16)
    assert len(A.factor(lam).blocks) == -(-6 // rows)
    torch.testing.assert_close(A.factor(lam).solve(b), expected)
    torch.testing.assert_close(spectrum(A), eigenvalues)


def test_one_row_serves_all_rows(device, randn):
    A = OPERATORS["lines"]().to(device)
    b = randn(2, 1, 9)
    torch.testing.assert_close(A.factor(0.5).solve(b), A.factor(0.5).solve(b.expand(2, 6, 9)))


def test_one_lam_per_slice(device, randn):
    A = OPERATORS["lines"]().to(device)
    lam = torch.tensor([0.5, 2.0], dtype=torch.float64, device=device)
    b = randn(2, 6, 9)
    torch.testing.assert_close(A.factor(lam).solve(b), solve(A, b, lam, tolerance=1e-12).value)


def test_one_coil_with_phase_and_any_mask(device, randn):
    maps = torch.polar(torch.ones(2, 1, 5, 6).double(), torch.rand(2, 1, 5, 6).double())
    A = Sense(random_mask(2, 5, 6), maps).to(device)
    b = randn(2, 5, 6)
    torch.testing.assert_close(A.factor(0.7).solve(b), solve(A, b, 0.7, tolerance=1e-12).value)


def test_gradient_through_the_factor(device):
    mask = random_mask(1, 4).to(device)
    maps = random_maps(1, 2, 3, 4).to(device).requires_grad_()
    b = torch.randn(1, 3, 4, dtype=torch.complex128, device=device, requires_grad=True)
    lam = torch.tensor(0.6, dtype=torch.float64, device=device, requires_grad=True)
    assert gradcheck(lambda b, lam, maps: Sense(mask, maps).factor(lam).solve(b), (b, lam, maps))


def test_what_cannot_be_factored_is_refused(device):
    with pytest.raises(ValueError, match=r"use smug\.solve"):
        OPERATORS["any mask"]().to(device).factor(1.0)
    with pytest.raises(ValueError, match="expected a positive number"):
        OPERATORS["lines"]().to(device).factor(0.0)
