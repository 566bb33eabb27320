import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from smug.bounds import chain

from ..scans import dense
from .conftest import unrolled_matrix


def printed(norm: float, alpha: float, M: float, sigma: float, n: int) -> float:
    """C_n as the paper prints it, lam = 1."""
    r = M * alpha / (math.sqrt(2 * math.pi) * sigma)
    return alpha * norm * (1 - r**n) / (1 - r) + norm * r**n


@given(
    norm=st.floats(0.1, 1),
    alpha=st.floats(0.5, 1),
    M=st.floats(0.1, 5),
    sigma=st.floats(0.01, 10),
    n=st.integers(1, 12),
)
def test_is_what_the_paper_prints(norm, alpha, M, sigma, n):
    assert chain.constant(norm, alpha, M, sigma, n) == pytest.approx(printed(norm, alpha, M, sigma, n), rel=1e-6)


def test_ratio_of_one():
    sigma = 1 / math.sqrt(2 * math.pi)
    assert chain.constant(0.8, 1, 1, sigma, 8) == pytest.approx(8 * 0.8 + 0.8)


def test_the_paper_s_own_setting_is_astronomical():
    M = chain.bounded_modulus(1, 320 * 320)
    assert chain.constant(1, 1, M, 0.01, 8) == pytest.approx(1.8e35, rel=0.01)
    assert chain.constant(1, 1, M, 1e-10, 100) == math.inf
    assert chain.log_constant(1, 1, M, 1e-10, 100) / math.log(10) == pytest.approx(1240.7, abs=1)


def test_without_a_measurement_of_every_direction_it_does_not_fall_with_n():
    constants = [chain.constant(1, 1, 0.5, 1, n) for n in range(1, 20)]
    assert constants == sorted(constants)
    assert constants[-1] == pytest.approx(1 / (1 - chain.smoothed_lipschitz(0.5, 1)))


@pytest.mark.parametrize("lam", [0.1, 1.0, 4.0])
def test_no_linear_denoiser_of_lemma_1_s_constant_exceeds_it(coils, lam):
    A = dense(coils)
    s = torch.linalg.svdvals(A)
    alpha, L = float((1 / (s.square() + lam)).max()), chain.smoothed_lipschitz(2, 1)
    q, _ = torch.linalg.qr(torch.randn(48, 48, dtype=A.dtype, generator=torch.Generator().manual_seed(0)).to(A.device))
    for D in (L * q, L * torch.eye(48, dtype=A.dtype, device=A.device)):
        gain = float(torch.linalg.matrix_norm(unrolled_matrix(A, D, 6, lam), 2))
        assert gain <= chain.constant(float(s.max()), alpha, 2, 1, 6, lam)
