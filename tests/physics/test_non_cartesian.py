import sys

import pytest
import torch

import smug
from smug.physics.fourier import fft2c
from smug.physics.maps.simulated import simulated_maps
from smug.physics.non_cartesian import NonCartesian

from ..properties import assert_refused

HEIGHT, WIDTH, COILS = 8, 9, 3


def radial(spokes: int, samples: int = 16, size: int = 8) -> torch.Tensor:
    """Spokes over half a circle, ``(1, 2, samples * spokes)``."""
    k = size * (torch.arange(samples, dtype=torch.float64) - samples // 2) / samples
    angle = torch.pi * torch.arange(spokes, dtype=torch.float64) / spokes
    return torch.stack((torch.outer(angle.sin(), k).flatten(), torch.outer(angle.cos(), k).flatten()))[None]


def spiral(samples: int) -> torch.Tensor:
    t = torch.linspace(0, 1, samples, dtype=torch.float64)
    return 4 * t * torch.stack(((20 * t).cos(), (20 * t).sin()))[None]


TRAJECTORIES = {
    "radial": radial(7),
    "spiral": spiral(112),
    "random": (torch.rand(1, 2, 112, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.5) * 8,
}
TRAJECTORIES["of each image"] = torch.cat(list(TRAJECTORIES.values()))


@pytest.fixture(params=TRAJECTORIES)
def A(request, device):
    maps = simulated_maps(COILS, HEIGHT, WIDTH, seed=0).to(torch.complex128)
    return NonCartesian(TRAJECTORIES[request.param], maps, (HEIGHT, WIDTH)).to(device)


def draw(*shape, dtype=torch.complex128, device="cpu"):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(1)).to(device)


def matrix(A: NonCartesian, index: int) -> torch.Tensor:
    """The measurement of one image as an explicit Fourier matrix, ``(coil * samples, pixels)``."""
    k = A.trajectory[index if len(A.trajectory) > 1 else 0]
    y, x = (torch.arange(size, dtype=torch.float64) - size // 2 for size in A.shape)
    phase = k[0, :, None, None] * y[:, None] / HEIGHT + k[1, :, None, None] * x / WIDTH
    fourier = torch.exp(-2j * torch.pi * phase) / (HEIGHT * WIDTH) ** 0.5
    return (fourier * A.maps[0].cpu().to(torch.complex128)[:, None]).reshape(-1, HEIGHT * WIDTH)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.complex64, 1e-5), (torch.complex128, 1e-11)])
def test_it_is_the_fourier_sum(A, dtype, tolerance, device):
    A = A.to(dtype)
    images = draw(3, HEIGHT, WIDTH, dtype=dtype, device=device)
    measured = A(images)
    back = A.H(measured)
    assert measured.dtype == back.dtype == A.gram(images).dtype == dtype
    for i in range(3):
        exact = matrix(A, i)
        expected = exact @ images[i].flatten().cpu().to(exact.dtype)
        error = (measured[i].flatten().cpu() - expected).norm() / expected.norm()
        assert error < tolerance
        expected = exact.mH @ measured[i].flatten().cpu().to(exact.dtype)
        assert (back[i].flatten().cpu() - expected).norm() < tolerance * expected.norm()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.complex64, 1e-5), (torch.complex128, 1e-11)])
def test_it_has_the_properties_of_an_operator(A, dtype, tolerance, device):
    facts = smug.check_operator(A.to(dtype), (HEIGHT, WIDTH), dtype, tolerance=tolerance, device=device)
    assert facts.measured == (COILS, 112)
    exact = max(float(torch.linalg.matrix_norm(matrix(A, i), 2)) for i in range(A.batch))
    assert facts.norm == pytest.approx(exact, rel=1e-3)
    bound = A.norm_bound(draw(1, HEIGHT, WIDTH, device=device))
    assert exact <= float(bound.max()) <= 1.1 * exact


def test_the_whole_cartesian_grid_is_that_of_sense(device):
    grid = torch.cartesian_prod(torch.arange(HEIGHT) - HEIGHT // 2, torch.arange(WIDTH) - WIDTH // 2).double().T
    A = NonCartesian(grid[None], simulated_maps(COILS, HEIGHT, WIDTH, seed=0), (HEIGHT, WIDTH)).to(device)
    images = draw(2, HEIGHT, WIDTH, dtype=torch.complex64, device=device)
    kspace = fft2c(A.maps * images[:, None])
    torch.testing.assert_close(A(images).unflatten(-1, (HEIGHT, WIDTH)), kspace, rtol=0, atol=1e-5)
    torch.testing.assert_close(A.density, torch.ones_like(A.density), rtol=0, atol=1e-6)
    torch.testing.assert_close(A.gridded(A(images)), kspace, rtol=0, atol=1e-5)
    sense = smug.Sense(torch.ones(1, WIDTH, dtype=torch.bool, device=device), A.maps)
    torch.testing.assert_close(A.scale(A(images)), sense.scale(kspace), rtol=1e-4, atol=0)


def test_the_density_of_spokes_is_the_ramp():
    A = NonCartesian(radial(64, 64, 32), None, (32, 32))
    ramp = radial(64, 64, 32)[0].norm(dim=0)
    expected = torch.pi * ramp / 64 / 2  # the arc between spokes times the distance of samples
    for radius in range(1, 12):
        shell = (ramp >= radius) & (ramp < radius + 1)
        torch.testing.assert_close(A.density[0, 0][shell].mean(), expected[shell].mean(), rtol=0.05, atol=0)


def test_gradients_also_with_respect_to_the_maps(A):
    y, maps = draw(3, COILS, 112), A.maps.expand(1, -1, -1, -1).clone()

    def reconstructed(maps, y):
        own = NonCartesian(A.trajectory, maps, A.shape)
        return smug.solve(own, own.H(y), 0.1, tolerance=1e-13, max_iterations=500).value

    maps, y = 0.9 * maps.cpu().requires_grad_(), y.requires_grad_()
    assert torch.autograd.gradcheck(reconstructed, (maps.detach().requires_grad_(), y), fast_mode=True)


def test_second_derivatives(A):
    images = draw(3, HEIGHT, WIDTH, device=A.maps.device).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x: A.H(A(x).abs() * A(x)), (images,), fast_mode=True)


def test_leading_axes(A, device):
    images = draw(2, 3, HEIGHT, WIDTH, device=device)
    measured = A(images)
    assert measured.shape == (2, 3, COILS, 112)
    torch.testing.assert_close(measured[1], A(images[1]))
    torch.testing.assert_close(A.H(measured)[1], A.H(measured[1]))


def good() -> tuple[torch.Tensor, torch.Tensor, tuple[int, int]]:
    return radial(7), simulated_maps(COILS, HEIGHT, WIDTH, seed=0), (HEIGHT, WIDTH)


def changed(trajectory: torch.Tensor, index, value: float) -> torch.Tensor:
    trajectory = trajectory.clone()
    trajectory[index] = value
    return trajectory


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (lambda t, m, s: (t[0], m, s), "trajectory: expected real (batch, 2, samples)...trajectory[None]"),
        (lambda t, m, s: (t.mT, m, s), "trajectory: expected real (batch, 2, samples)"),
        (lambda t, m, s: (t[..., :0], m, s), "trajectory: expected real (batch, 2, samples)"),
        (lambda t, m, s: (t.long(), m, s), "trajectory: expected real"),
        (lambda t, m, s: (changed(t, (0, 0, 3), torch.nan), m, s), "trajectory: expected finite numbers"),
        (lambda t, m, s: (changed(t, (0, 1, 3), 4.6), m, s), "k_x: expected -4.5 to 4.5...got...to 4.6"),
        (lambda t, m, s: (changed(t, (0, 0, 3), -4.1), m, s), "k_y: expected -4 to 4...got -4.1"),
        (lambda t, m, s: (t.clone().requires_grad_(), m, s), "without gradient"),
        (lambda t, m, s: (t, m[..., 1:], s), "maps: expected (batch, coil, 8, 9)"),
        (lambda t, m, s: (t, 2 * m, s), "maps: expected sum over coils of |s|^2 <= 1"),
        (lambda t, m, s: (t.expand(3, -1, -1), m.expand(2, -1, -1, -1), s), "expected as many as trajectories"),
        (lambda t, m, s: (t, m, (0, 9)), "height"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    assert_refused(lambda: NonCartesian(*arguments(*good())), message)


def test_measurements_that_do_not_fit_are_refused():
    A = NonCartesian(*good())
    assert_refused(lambda: A.H(torch.zeros(1, COILS, 111, dtype=torch.complex64)), "expected complex...samples")
    assert_refused(lambda: A.check_measurements(torch.zeros(COILS, 112, dtype=torch.complex64)), "y[None]")
    assert_refused(lambda: A(torch.zeros(1, HEIGHT, HEIGHT, dtype=torch.complex64)), "image: expected complex")


def test_the_extra_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "finufft", None)
    assert_refused(lambda: NonCartesian(*good()), "finufft...pip install 'smug-mri[nufft]'")


@pytest.mark.parametrize("f", [smug.CGSense(), smug.TotalVariation(iterations=20)])
def test_attacks_act_on_the_samples_and_keep_their_budget(f):
    A = NonCartesian(*good())
    image = draw(2, HEIGHT, WIDTH, dtype=torch.complex64)
    scan = smug.Scan(A(image), A, image, ("a", "b"))
    for threat in (smug.Threat(0.02), smug.Threat(0.1, norm="l2", unit="kspace-l2")):
        result = smug.attacks.pgd(f, scan, threat, steps=3)
        assert (result.objective > result.clean_objective).all()
        assert result.delta.shape == scan.y.shape
        parts = torch.view_as_real(result.delta).flatten(1)
        size = parts.abs().amax(1) if threat.norm == "linf" else parts.norm(dim=1)
        assert (size <= threat.radius(scan.y, A, image) * (1 + 1e-6)).all()
