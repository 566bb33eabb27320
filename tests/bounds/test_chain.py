import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from smug.bounds import chain
from smug.bounds.spectrum import Spectrum


def of(*values: float) -> Spectrum:
    s = torch.tensor(values, dtype=torch.float64)
    return Spectrum(s, s)


@given(
    s=st.lists(st.floats(0, 1), min_size=1, max_size=4),
    lam=st.floats(0.05, 4),
    L=st.floats(0, 3),
    n=st.integers(1, 10),
)
def test_linear_chain_is_its_closed_form_and_below_theorem_1(s, lam, L, n):
    spectrum = of(*s)
    a, r, norm = spectrum.gain(lam), spectrum.contraction(lam) * L, spectrum.norm
    expected = a * sum(r**j for j in range(n)) + norm * r**n
    assert chain.linear(spectrum, n, lam, L) == pytest.approx(expected, rel=1e-9)
    M, sigma = L * math.sqrt(2 * math.pi), 1.0
    assert expected <= chain.constant(norm, spectrum.inverse_norm(lam), M, sigma, n, lam) * (1 + 1e-9)


def test_it_is_reached_by_one_singular_value():
    lam, L, n, s = 0.7, 1.3, 5, 0.6
    e = s
    for _ in range(n):
        e = (s + lam * L * e) / (s**2 + lam)
    assert chain.linear(of(s), n, lam, L) == pytest.approx(e)


@given(radius=st.floats(1e-6, 10), sigma=st.floats(0.01, 2), n=st.integers(1, 10))
def test_saturating_chain_is_below_the_linear_and_the_trivial(radius, sigma, n):
    spectrum, lam, jump = of(0.0, 0.4, 1.0), 1.0, 3.0
    bound = chain.saturating(spectrum, n, lam, sigma, jump, radius)
    assert bound <= chain.trivial(spectrum, lam, jump, radius) * (1 + 1e-12)
    assert bound <= chain.linear(spectrum, n, lam, chain.smoothed_lipschitz(jump, sigma)) * radius * (1 + 1e-9)


@given(y=st.floats(-2, 2), d=st.floats(-3, 3), sigma=st.floats(0.05, 1))
def test_saturating_chain_holds_for_the_sharpest_denoiser(y, d, sigma):
    """D = B sign: its smoothed version is B erf(x / (sqrt(2) sigma)), and no bounded D jumps more."""
    s, lam, B, n = 0.7, 0.5, 1.0, 6

    def reconstruct(y: float) -> float:
        x = s * y
        for _ in range(n):
            x = (s * y + lam * B * math.erf(x / (math.sqrt(2) * sigma))) / (s**2 + lam)
        return x

    error = abs(reconstruct(y + d) - reconstruct(y))
    assert error <= chain.saturating(of(s), n, lam, sigma, 2 * B, abs(d)) + 1e-12


def test_one_step_of_it_is_reached():
    """Points on both sides of the jump, where the total variation is attained."""
    s, lam, sigma, d = 0.7, 0.5, 0.3, 0.8
    error = (s * d + lam * 2 * math.erf(s * d / 2 / (math.sqrt(2) * sigma))) / (s**2 + lam)
    assert chain.saturating(of(s), 1, lam, sigma, 2.0, d) == pytest.approx(error)
