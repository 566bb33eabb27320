import pytest
import torch
from torch import Tensor

from smug.bounds import chain
from smug.bounds.spectrum import Spectrum

from ..scans import dense
from .conftest import unrolled_matrix

LAMS = [0.1, 1.0]


def phi(steps: int, s: Tensor, lam: float) -> Tensor:
    """Return ``phi_n(s)``, n = ``steps``: the gain of MoDL with D = I at singular values ``s >= 0`` of any shape."""
    q = lam / (lam + s.square())
    return torch.where(s > 0, (1 - q**steps) / s.clamp_min(torch.finfo(s.dtype).tiny) + s * q**steps, 0)


@pytest.mark.parametrize("lam", LAMS)
@pytest.mark.parametrize("steps", [1, 3, 8])
def test_phi_against_dense_svd(operator, steps, lam):
    A = dense(operator)
    s = torch.linalg.svdvals(A)
    unrolled = unrolled_matrix(A, torch.eye(48, dtype=A.dtype, device=A.device), steps, lam)
    expected = phi(steps, s, lam).sort(descending=True).values
    torch.testing.assert_close(torch.linalg.svdvals(unrolled), expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("lam", LAMS)
def test_largest_phi(operator, lam):
    s = torch.linalg.svdvals(dense(operator))
    expected = max(float(phi(n, s, lam).max()) for n in range(9))
    found = Spectrum.of(operator)
    bound = chain.largest_phi(8, found, lam)
    assert bound >= expected - 1e-9
    if found.exact:
        assert bound == pytest.approx(expected, rel=1e-6)


def test_phi_at_its_ends_and_at_its_worst():
    s = torch.linspace(0, 1, 1001, dtype=torch.float64)
    values = phi(8, s, 1.0)
    assert float(values[0]) == 0
    assert float(values[-1]) == 1
    assert float(values.max()) == pytest.approx(1.87, abs=0.005)
    assert float(phi(8, s, 0.1).max()) == pytest.approx(5.5, abs=0.05)


@pytest.mark.parametrize("rho", [0.05, 0.5, 1.0])
@pytest.mark.parametrize("lam", LAMS)
def test_linear_residuals_stay_below(operator, lam, rho):
    A = dense(operator)
    U, _, Vh = torch.linalg.svd(A.mH @ A)
    identity = torch.eye(48, dtype=A.dtype, device=A.device)
    crosstalk = U.flip(1) @ Vh  # exchanges what is measured and what is not
    bound = chain.residual_bound(Spectrum.of(operator), 8, lam, rho)
    for r in (rho * identity, -rho * identity, rho * crosstalk):
        assert float(torch.linalg.matrix_norm(unrolled_matrix(A, identity + r, 8, lam), 2)) <= bound
