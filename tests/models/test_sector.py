import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from smug.models.sector import Sector

pairs = st.tuples(st.floats(-2, 2), st.floats(0.1, 2)).filter(lambda p: abs(p[0]) <= p[1])


def member(sector: Sector, generator: torch.Generator) -> torch.Tensor:
    """A matrix in the sector: centre plus radius times an orthogonal one."""
    Q, _ = torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64, generator=generator))
    return sector.centre * torch.eye(5, dtype=torch.float64) + sector.radius * Q


def outside(sector: Sector, D: torch.Tensor) -> float:
    deviation = D - sector.centre * torch.eye(5, dtype=torch.float64)
    return float(torch.linalg.matrix_norm(deviation, 2)) - sector.radius


@given(first=pairs, second=pairs, seed=st.integers(0, 2**32))
def test_compositions_of_members_are_members(first, second, seed):
    generator = torch.Generator().manual_seed(seed)
    one, two = Sector(*first), Sector(*second)
    assert outside(one, member(one, generator)) < 1e-9
    assert outside(one.then(two), member(two, generator) @ member(one, generator)) < 1e-9


def test_composition_is_as_narrow_as_it_can_be():
    """Two rotations in a plane reach the lower end: the constant of Combettes and Yamada is sharp."""
    one = Sector(0, 1)
    angles = torch.linspace(0, torch.pi, 2001, dtype=torch.float64)
    product = (0.5 + 0.5 * torch.exp(1j * angles)) ** 2
    twice = one.then(one)
    distance = (product - twice.centre).abs().max()
    assert float(distance) == pytest.approx(twice.radius, rel=0.01)


def test_constants():
    sector = Sector(0.9, 1.2)
    assert (sector.centre, sector.radius) == pytest.approx((1.05, 0.15))
    assert sector.lipschitz == 1.2
    assert sector.residual == pytest.approx(0.2)
    assert Sector(-2, 2).then(Sector(0, 0.5)) == Sector(-1, 1)


@pytest.mark.parametrize("ends", [(1, 0), (-2, 1), (0, float("inf")), (float("nan"), 1)])
def test_refuses_what_is_no_sector(ends):
    with pytest.raises(ValueError, match="sector"):
        Sector(*ends)
