import math

import pytest
import torch

from smug.bounds import chain
from smug.bounds.sector_bound import sector_bound
from smug.bounds.spectrum import Spectrum
from smug.models.sector import Sector

from ..scans import dense
from .conftest import unrolled_matrix

SECTORS = [Sector(0.9, 1.1), Sector(0.5, 1.5), Sector(0, 1), Sector(-1, 1), Sector(-0.9, 0.9), Sector(0.3, 0.8)]


def spectrum(*values: float) -> Spectrum:
    s = torch.tensor(values, dtype=torch.float64)
    return Spectrum(s, s)


def reached(s: torch.Tensor, steps: int, lam: float, sector: Sector) -> float:
    """The worst that gradient ascent finds over d and over u_k with ``||u_k|| = rho ||e_k||``: a lower bound."""
    q, b = lam / (s**2 + lam), s / (s**2 + lam)
    generator = torch.Generator().manual_seed(0)
    d = torch.randn(len(s), dtype=torch.float64, generator=generator).requires_grad_()
    u = torch.randn(steps, len(s), dtype=torch.float64, generator=generator).requires_grad_()
    optimiser = torch.optim.Adam([d, u], lr=0.05)
    best = 0.0
    for _ in range(150):
        e, unit = s * d / d.norm(), d / d.norm()
        for k in range(steps):
            e = q * (sector.centre * e + sector.radius * e.norm() * u[k] / u[k].norm()) + b * unit
        best = max(best, float(e.norm().detach()))
        optimiser.zero_grad()
        (-e.norm().log()).backward()
        optimiser.step()
    return best


@pytest.mark.parametrize("sector", SECTORS)
@pytest.mark.parametrize("lam", [0.2, 1.0])
def test_it_is_reached_within_three_percent_and_never_exceeded(sector, lam):
    s = torch.tensor([0.0] * 6 + [0.3] * 6 + [1.0] * 6, dtype=torch.float64)
    bound = sector_bound(Spectrum(s, s), 4, lam, sector)
    found = reached(s, 4, lam, sector)
    assert found <= bound
    assert found >= 0.97 * bound


@pytest.mark.parametrize("sector", SECTORS)
def test_it_is_sharper_than_the_closed_forms(sector):
    values = spectrum(*torch.linspace(0, 1, 30).tolist())
    bound = sector_bound(values, 8, 1.0, sector)
    assert bound <= chain.residual_bound(values, 8, 1.0, sector.residual)
    assert bound <= chain.linear(values, 8, 1.0, sector.lipschitz)


def test_the_identity_is_exact():
    values = spectrum(*torch.linspace(0, 1, 30).tolist())
    assert sector_bound(values, 8, 1.0, Sector(1, 1)) == pytest.approx(chain.largest_phi(8, values, 1.0), rel=1e-5)


def test_linear_denoisers_in_the_sector(operator):
    """Symmetric D, whose eigenvalues are the ends of the sector, in several bases."""
    A, sector = dense(operator), Sector(-0.2, 1.1)
    bound = sector_bound(Spectrum.of(operator), 6, 0.5, sector)
    U = torch.linalg.eigh(A.mH @ A).eigenvectors
    Q, _ = torch.linalg.qr(torch.randn(48, 48, dtype=A.dtype, generator=torch.Generator().manual_seed(0)).to(A.device))
    ends = torch.where(torch.arange(48, device=A.device) % 2 == 0, sector.low, sector.high).to(A.dtype)
    for basis in (U, Q, (U + U.flip(1)) / math.sqrt(2)):
        gain = torch.linalg.matrix_norm(unrolled_matrix(A, basis * ends @ basis.mH, 6, 0.5), 2)
        assert float(gain) <= bound


def test_intervals_cover_what_is_in_them():
    edges = torch.linspace(0, 1, 257, dtype=torch.float64)
    cover = sector_bound(Spectrum(edges[:-1], edges[1:], exact=False), 8, 1.0, Sector(0, 1))
    inside = sector_bound(Spectrum(edges, edges), 8, 1.0, Sector(0, 1))
    assert inside <= cover <= 1.02 * inside


def test_what_overflows_is_infinite():
    assert sector_bound(spectrum(0.0, 1.0), 40, 1.0, Sector(-1e5, 1e5)) == math.inf


def test_it_works_in_inference_mode():
    with torch.inference_mode():
        assert sector_bound(spectrum(0.0, 1.0), 2, 1.0, Sector(0, 1), iterations=3) < 3
