import pytest
import torch

from smug.bounds.spectrum import Spectrum, tikhonov
from smug.physics.sense import Sense

from ..scans import dense


@pytest.mark.parametrize("lam", [0.05, 1.0])
def test_against_dense_singular_values(operator, lam):
    s = torch.linalg.svdvals(dense(operator)).cpu()
    found = Spectrum.of(operator)
    inside = (found.low[:, None] <= s + 1e-12) & (s - 1e-12 <= found.high[:, None])
    assert bool(inside.any(0).all())
    values = {
        "norm": (found.norm, s.max()),
        "alpha": (found.inverse_norm(lam), (1 / (s.square() + lam)).max()),
        "kappa": (found.contraction(lam), (lam / (s.square() + lam)).max()),
        "a": (found.gain(lam), (s / (s.square() + lam)).max()),
    }
    for name, (bound, exact) in values.items():
        assert bound >= float(exact) - 1e-12, name
        if found.exact:
            assert bound == pytest.approx(float(exact), rel=1e-6), name


def test_exact_where_it_can_be(operator):
    assert Spectrum.of(operator).exact == (operator.is_line_mask or operator.maps.shape[1] == 1)


def test_a_batch_is_covered_as_a_whole(coils, one_coil):
    maps = torch.cat((coils.maps, one_coil.maps.expand_as(coils.maps) / 3**0.5))
    both = Spectrum.of(Sense(coils.mask, maps))
    assert both.norm == pytest.approx(max(Spectrum.of(Sense(coils.mask, m[None])).norm for m in maps))


def test_an_interval_holds_the_peak():
    wide = Spectrum(torch.tensor([0.0, 0.6]).double(), torch.tensor([0.6, 1.0]).double())
    assert float(tikhonov(wide, 0.25)[0]) == pytest.approx(1.0)
    assert float(tikhonov(wide, 0.25)[1]) == pytest.approx(0.6 / 0.61)


def test_rounding_of_a_coil_in_single_precision():
    phase = torch.exp(1j * torch.rand(1, 1, 6, 8, generator=torch.Generator().manual_seed(0)))
    found = Spectrum.of(Sense(torch.rand(1, 6, 8, generator=torch.Generator().manual_seed(1)) < 0.5, phase))
    assert found.exact
    assert found.norm == pytest.approx(1, abs=1e-6)
    assert found.norm >= 1
