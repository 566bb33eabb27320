import pytest
import torch
from torch import nn

from smug.data.phantom import head_phantom
from smug.models.adapters import as_complex
from smug.models.noise import complex_normal
from smug.models.normalised import Normalised, normalised
from smug.models.reconstructors import RSE2E, MoDL
from smug.models.smoothing import Smoothing
from smug.physics.consistency import solve
from smug.physics.scale import measurement_scale
from smug.physics.sense import Sense

from ..scans import phantom_scan
from .conftest import make, make_problem, seeded

# ---- units ----


def test_the_toy_reconstructors_alone_are_not_homogeneous(device, method):
    problem = make_problem(device)
    f = make(method, device)
    expected = 7 * f(problem.y, problem.A, problem.seeds)
    assert (f(7 * problem.y, problem.A, problem.seeds) - expected).norm() > 0.1 * expected.norm()


def test_every_slice_has_its_own_unit(device, method):
    problem = make_problem(device)
    f = normalised(make(method, device))
    unit = torch.tensor([1e-3, 1e4], dtype=torch.float64, device=device)[:, None, None]
    expected = unit * f(problem.y, problem.A, problem.seeds)
    result = f(unit.unsqueeze(-1) * problem.y, problem.A, problem.seeds)
    torch.testing.assert_close(result, expected, rtol=1e-8, atol=0)


@pytest.mark.parametrize("unit", [1e-15, 1e15])
def test_extreme_units_do_not_leave_single_precision(device, unit):
    problem = make_problem(device, torch.complex64)
    scale = measurement_scale(unit * problem.y, problem.A)
    torch.testing.assert_close(scale, unit * measurement_scale(problem.y, problem.A), rtol=1e-4, atol=0)


# ---- Euler's identity: F(c y) = c F(y), differentiated at c = 1, is J(y) y = F(y) ----


def euler_defect(f, problem):
    """Return how far <J^H g, y> is from <g, F(y)>, relative, for the worst of some random g."""
    y = problem.y.clone().requires_grad_()
    x = f(y, problem.A, problem.seeds)
    defects = []
    for k in range(5):
        g = complex_normal(torch.tensor(k), x.shape, x.dtype, x.device)
        inner = (g.conj() * x).real.sum()
        (gradient,) = torch.autograd.grad(inner, y, retain_graph=True)
        defects.append(((gradient.conj() * y).real.sum() - inner).abs() / (g.norm() * x.norm()))
    return torch.stack(defects).max().item()


def test_gradients_satisfy_eulers_identity(device, method):
    assert euler_defect(normalised(make(method, device)), make_problem(device)) < 1e-6


def test_eulers_identity_catches_a_cut_scale(device, method):
    cut = Normalised(make(method, device), scale=lambda y, A: measurement_scale(y.detach(), A))
    assert euler_defect(cut, make_problem(device)) > 1e-3


class Homogeneous(nn.Module):
    """D(c x) = c D(x): rectifiers without biases."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.ReLU(), nn.Conv2d(4, 2, 3, padding=1, bias=False)
        )

    def forward(self, x):
        return x + self.inner(x)


@pytest.mark.parametrize("cut", ["nothing", "the first image", "data consistency"])
def test_eulers_identity_catches_a_cut_loop(device, cut):
    """Normalised measurements do not change along y, so the loop shows its cuts only where it is homogeneous."""
    D = seeded(lambda: as_complex(Homogeneous()), device)

    def modl(y, A, generator=None):
        x = A.H(y.detach() if cut == "the first image" else y)
        aliased = A.H(y.detach() if cut == "data consistency" else y)
        for _ in range(3):
            x = solve(A, aliased + 0.8 * D(x), 0.8).value
        return x

    problem = make_problem(device)
    defect = euler_defect(modl, problem)
    assert defect < 1e-6 if cut == "nothing" else defect > 1e-3
    assert torch.equal(modl(problem.y, problem.A), MoDL(D, 3, 0.8)(problem.y, problem.A))


def test_eulers_identity_of_a_homogeneous_loop(device):
    D = seeded(lambda: as_complex(Homogeneous()), device)
    assert euler_defect(MoDL(D, 3, 0.8), make_problem(device)) < 1e-6
    assert euler_defect(RSE2E(D, Smoothing(sigma=0), 3, 0.8), make_problem(device)) < 1e-6


# ---- the scale ----


def at_rate(size, acceleration, center_fraction, seed, noise=0.01):
    return phantom_scan(size, seed=seed, acceleration=acceleration, center_fraction=center_fraction, noise=noise)


@pytest.mark.parametrize("size", [64, 128, 200])
def test_the_scale_hardly_depends_on_the_rate(size, device):
    for seed in range(3):
        rates = [(2, 0.08), (4, 0.08), (8, 0.04)]
        scans = [at_rate(size, *rate, seed).to(device) for rate in rates]
        scales = [measurement_scale(scan.y, scan.A).item() for scan in scans]
        assert scales[0] == pytest.approx(scales[1], rel=0.05)
        assert scales[0] == pytest.approx(scales[2], rel=0.05)


def test_the_scale_is_about_the_largest_magnitude(device):
    scans = [at_rate(64, 4, 0.08, seed).to(device) for seed in range(10)]
    ratios = torch.stack([measurement_scale(scan.y, scan.A) / scan.truth.abs().max() for scan in scans])
    assert ratios.min() > 0.25
    assert ratios.max() < 2.5
    assert ratios.mean() == pytest.approx(1, abs=0.3)


def test_the_scale_is_smooth_in_noise(device):
    quiet, noisy = (at_rate(64, 8, 0.04, 0, noise).to(device) for noise in (0.0, 0.02))
    assert measurement_scale(quiet.y, quiet.A).item() == pytest.approx(
        measurement_scale(noisy.y, noisy.A).item(), rel=0.02
    )


def test_the_background_does_not_count(device):
    """A field of view of twice the width, with the same object in it, has nearly the same scale."""
    image = head_phantom(1, 64).to(device)
    wide = torch.nn.functional.pad(image, (32, 32))
    scales = []
    for x in (image, wide):
        A = Sense(torch.ones(1, x.shape[-1], dtype=torch.bool, device=device))
        scales.append(measurement_scale(A(x[None]), A).item())
    assert scales[0] == pytest.approx(scales[1], rel=0.15)


def test_only_sampled_entries_count(device):
    problem = make_problem(device)
    anywhere = problem.y + torch.where(problem.A.sampled, 0, 1e3)
    torch.testing.assert_close(
        measurement_scale(anywhere, problem.A), measurement_scale(problem.y, problem.A), rtol=1e-12, atol=0
    )


def test_one_scale_may_be_given_for_a_volume(device):
    problem = make_problem(device)
    f = make("modl", device)
    scale = torch.full((1, 1, 1), 3.0, dtype=torch.float64, device=device)
    held = Normalised(f, scale=lambda y, A: scale)
    torch.testing.assert_close(held(problem.y, problem.A), 3 * f(problem.y / 3, problem.A))


def test_no_signal_in_the_centre(device):
    A = make_problem(device).A
    with pytest.raises(ValueError, match="expected signal in the centre of k-space"):
        normalised(make("modl", device))(torch.zeros(2, 3, 7, 10, dtype=torch.complex128, device=device), A)
    mask = torch.ones(1, 10, dtype=torch.bool, device=device)
    mask[:, 5] = False
    y = torch.ones(1, 1, 7, 10, dtype=torch.complex64, device=device)
    with pytest.raises(ValueError, match="is the centre sampled"):
        measurement_scale(y, Sense(mask))


def test_replace_reaches_the_settings_inside(device):
    f = normalised(make("smug", device))
    g = f.replace(steps=1, sigma=0.02)
    assert isinstance(g, Normalised)
    assert (g.reconstructor.steps, g.reconstructor.smoothing.sigma) == (1, 0.02)
    assert g.reconstructor.denoiser is f.reconstructor.denoiser
    assert g.scale is f.scale
    assert g.to(device).reconstructor.denoiser is f.reconstructor.denoiser
