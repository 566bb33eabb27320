import pytest
import torch

from smug.models.classical import CGSense, ZeroFilled
from smug.models.normalised import normalised
from smug.models.reconstructors import RSE2E, SMUG, MoDL
from smug.shifts import sigma, steps
from smug.shifts.model import Inapplicable
from smug.training.config import Config
from smug.training.runs import Model


def denoiser(x: torch.Tensor) -> torch.Tensor:
    return 0.9 * x


WRAPPERS = {
    "bare": lambda f: f,
    "normalised": normalised,
    "model": lambda f: Model("m", f, Config(), {}),
}


def core(f):
    return getattr(f, "reconstructor", f)


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
@pytest.mark.parametrize("kind", [MoDL, SMUG, RSE2E])
def test_steps(wrap, kind, scan):
    f = wrap(kind(denoiser, steps=3))
    for value in (1, 16):
        changed = steps(f, value)
        assert type(changed) is type(f)
        assert core(changed).steps == value
        assert core(changed).denoiser is denoiser
    assert core(f).steps == 3
    expected = wrap(kind(denoiser, steps=1))(scan.y, scan.A)
    assert torch.equal(steps(f, 1)(scan.y, scan.A), expected)


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_sigma(wrap):
    f = wrap(SMUG(denoiser))
    assert core(sigma(f, 0.05)).smoothing.sigma == 0.05
    assert core(f).smoothing.sigma == 0.01


@pytest.mark.parametrize("f", [MoDL(denoiser), normalised(MoDL(denoiser)), CGSense()])
def test_what_is_not_smoothed_has_no_sigma(f):
    name = type(core(f)).__name__
    with pytest.raises(Inapplicable, match=rf"sigma: {name} has no smoothing noise; expected .* f\.replace\(sigma"):
        sigma(f, 0.1)


@pytest.mark.parametrize("f", [CGSense(), ZeroFilled(), normalised(CGSense()), denoiser])
def test_what_does_not_unroll_has_no_steps(f):
    with pytest.raises(Inapplicable, match=r"steps: (CGSense|ZeroFilled|denoiser) has no unrolling steps"):
        steps(f, 2)


def test_values_out_of_range():
    assert issubclass(Inapplicable, ValueError)
    with pytest.raises(ValueError, match="an integer of at least 1, got 0"):
        steps(MoDL(denoiser), 0)
    with pytest.raises(ValueError, match="sigma: expected a finite number"):
        sigma(SMUG(denoiser), -1.0)
