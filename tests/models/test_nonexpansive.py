import pytest
import torch
from torch import Tensor
from torch.nn import functional

from smug import SMUG, MoDL, Sense, Smoothing
from smug.models.adapters import as_channels
from smug.models.noise import complex_normal
from smug.models.nonexpansive import (
    Nonexpansive,
    ShrinkageGradient,
    as_weight,
    modulus_clipped,
    norm_bound,
    spectral_norm,
)
from smug.models.sector import Sector

from .conftest import far_from_start


def noise(seed: int, *shape: int) -> Tensor:
    return complex_normal(torch.tensor(seed), shape, torch.complex128)


def trained_like(depth: int = 2, seed: int = 0, step: float = 1.0) -> Nonexpansive:
    """A network with weights far from their start."""
    return far_from_start(lambda: Nonexpansive(channels=4, depth=depth, size=3, step=step).double(), seed)


def circular_matrix(filters: Tensor, height: int, width: int) -> Tensor:
    """The dense matrix of the filters' circular convolutions, pixel by pixel."""
    half = filters.shape[-1] // 2
    W = filters.new_zeros(len(filters), height, width, height, width)
    for y, x, v, u in torch.cartesian_prod(*(torch.arange(n) for n in (height, width, *filters.shape[-2:]))).tolist():
        W[:, y, x, (y + v - half) % height, (x + u - half) % width] += filters[:, v, u]
    return W.reshape(-1, height * width)


@pytest.mark.parametrize(("height", "width"), [(5, 6), (7, 4), (4, 3), (1, 2)])
@pytest.mark.parametrize("size", [3, 5])
def test_spectral_norm_is_that_of_the_dense_matrix(size, height, width):
    filters = noise(0, 3, size, size)
    W = circular_matrix(filters, height, width)
    exact = torch.linalg.matrix_norm(W, 2)
    torch.testing.assert_close(spectral_norm(filters, height, width), exact)
    assert float(exact) <= float(norm_bound(filters))


def test_the_convolution_is_that_matrix(device):
    filters = noise(1, 3, 3, 3)
    x = noise(2, 1, 6, 5)
    padded = functional.pad(as_channels(x), (1, 1, 1, 1), mode="circular")
    found = functional.conv2d(padded.to(device), as_weight(filters).to(device)).cpu()
    expected = (circular_matrix(filters, 6, 5) @ x.flatten()).reshape(3, 6, 5)
    torch.testing.assert_close(torch.complex(found[0, :3], found[0, 3:]), expected)


@pytest.mark.parametrize("seed", range(5))
def test_the_bound_holds_for_images_of_every_size_and_is_not_loose(seed):
    filters = noise(seed, 2, 5, 5)
    norms = [float(spectral_norm(filters, n, n + 1)) for n in (5, 17, 33, 100, 257)]
    assert max(norms) <= float(norm_bound(filters)) <= 1.02 * norms[-1]


def test_the_bound_holds_where_the_peak_is_between_the_frequencies():
    """One complex exponential modulates a smooth filter, so that p peaks anywhere."""
    index = torch.arange(5, dtype=torch.float64)
    for shift in torch.linspace(0, 2 * torch.pi / 64, 7, dtype=torch.float64):
        ramp = torch.exp(1j * shift * index)
        filters = (ramp[:, None] * ramp)[None]
        assert float(norm_bound(filters)) >= 25  # the sum of the moduli, p's continuous maximum


def jacobian(f, x: Tensor) -> Tensor:
    def real(parts: Tensor) -> Tensor:
        return torch.view_as_real(f(torch.view_as_complex(parts.reshape(*x.shape, 2)))).flatten()

    return torch.autograd.functional.jacobian(real, torch.view_as_real(x).flatten())


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("step", [0.5, 1.0, 1.9])
def test_jacobians_lie_in_the_sector(depth, step):
    denoiser = trained_like(depth, step=step)
    sector = denoiser.sector
    for scale in (1e-3, 0.1, 3.0):
        J = jacobian(denoiser, scale * noise(3, 1, 5, 6))
        identity = torch.eye(len(J), dtype=J.dtype)
        assert float(torch.linalg.matrix_norm(J, 2)) <= sector.lipschitz + 1e-9
        assert float(torch.linalg.matrix_norm(J - identity, 2)) <= sector.residual + 1e-9
        assert float(torch.linalg.matrix_norm(J - sector.centre * identity, 2)) <= sector.radius + 1e-9
        if depth == 1:  # a gradient: symmetric
            torch.testing.assert_close(J, J.mT)
            values = torch.linalg.eigvalsh(J)
            assert sector.low - 1e-9 <= float(values.min()) <= float(values.max()) <= sector.high + 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_gradient_ascent_on_pairs_never_leaves_the_sector(seed):
    denoiser = trained_like(2, seed)
    sector = denoiser.sector
    pair = (0.1 * noise(seed, 2, 8, 7)).requires_grad_()
    optimiser = torch.optim.Adam([pair], lr=0.01)
    for _ in range(15):
        x = pair[:1], pair[1:]
        e, w = x[1] - x[0], denoiser(x[1]) - denoiser(x[0])
        ratio = torch.linalg.vector_norm(w - sector.centre * e) / torch.linalg.vector_norm(e)
        assert float(ratio.detach()) <= sector.radius + 1e-9
        optimiser.zero_grad()
        (-ratio).backward()
        optimiser.step()


@torch.no_grad()
def test_single_precision_and_other_sizes():
    denoiser = trained_like().float()
    for shape in ((1, 1), (2, 3), (13, 18), (64, 40)):
        x = noise(4, 2, 3, *shape).to(torch.complex64)
        e, w = x[1] - x[0], denoiser(x[1]) - denoiser(x[0])
        assert w.shape == e.shape
        assert w.dtype == torch.complex64
        assert float(torch.linalg.vector_norm(w)) <= (1 + 1e-5) * float(torch.linalg.vector_norm(e))


def test_phase_and_constants_pass_through():
    denoiser = trained_like()
    x, phase = noise(5, 1, 8, 6), torch.exp(torch.tensor(0.7j, dtype=torch.complex128))
    torch.testing.assert_close(denoiser(phase * x), phase * denoiser(x))
    constant = torch.full((1, 8, 6), 0.3 - 0.2j, dtype=torch.complex128)
    torch.testing.assert_close(denoiser(constant), constant)


def test_the_gradient_of_a_layer_is_finite_at_zero():
    layer = ShrinkageGradient(channels=2, size=3).double()
    parts = torch.zeros(1, 2, 6, 6, dtype=torch.float64, requires_grad=True)
    layer(parts).sum().backward()
    assert bool(parts.grad.isfinite().all())


def test_it_learns_to_denoise_and_stays_nonexpansive(device):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        denoiser = Nonexpansive(channels=8, depth=2, size=3).to(device)
    clean = torch.zeros(2, 24, 20, dtype=torch.complex64)
    clean[:, 6:18, 5:15] = 0.8 + 0.3j
    noisy = clean + 0.05 * noise(6, 2, 24, 20).to(torch.complex64)
    clean, noisy = clean.to(device), noisy.to(device)
    optimiser = torch.optim.Adam(denoiser.parameters(), lr=0.02)
    losses = []
    for _ in range(20):
        loss = (denoiser(noisy) - clean).abs().square().mean()
        losses.append(float(loss.detach()))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[1] < losses[0]
    assert losses[-1] < 0.7 * losses[0]
    assert all(bool(p.grad.isfinite().all()) and bool(p.grad.any()) for p in denoiser.parameters())
    for layer in denoiser.layers:
        assert float(spectral_norm(layer.filters_of_norm_one().detach(), 200, 200)) <= 1


@torch.no_grad()
def test_it_serves_the_reconstructors(device):
    denoiser = trained_like().to(device)
    mask = torch.tensor([[True, False] * 4], device=device)
    A = Sense(mask)
    y = A(noise(7, 1, 6, 8).to(device))
    plain = MoDL(denoiser, steps=2)(y, A)
    smoothed = SMUG(denoiser, Smoothing(num_samples=2), steps=2)(y, A)
    assert plain.shape == smoothed.shape == (1, 6, 8)
    assert float((plain - smoothed).abs().max()) < 0.1


def test_weights_are_real_so_that_they_can_be_stored_and_filled():
    one, other = trained_like(seed=0), trained_like(seed=1)
    assert not any(value.is_complex() for value in one.state_dict().values())
    other.load_state_dict(one.state_dict())
    x = noise(8, 1, 6, 6)
    torch.testing.assert_close(other(x), one(x))


def test_it_can_be_stored_with_channels_last(device):
    denoiser, x = trained_like().to(device), noise(8, 1, 6, 6).to(device)
    before = denoiser(x)
    torch.testing.assert_close(denoiser.to(memory_format=torch.channels_last)(x), before)


def test_clipped_modulus():
    clipped = modulus_clipped(trained_like(1), limit=0.5)
    x = 2 * noise(9, 1, 6, 6)
    with torch.no_grad():
        inner, outer = clipped.denoiser(x), clipped(x)
    inside = inner.abs() <= 0.5
    assert 0 < int(inside.sum()) < inside.numel()
    assert float(outer.abs().max()) <= 0.5 + 1e-12
    torch.testing.assert_close(outer[inside], inner[inside])
    torch.testing.assert_close(outer.angle(), inner.angle())
    assert clipped.sector == Sector(0, 1).then(Sector(0, 1))
    assert modulus_clipped(torch.nn.Identity()).sector is None
    J = jacobian(clipped, x)
    centre = clipped.sector.centre * torch.eye(len(J), dtype=J.dtype)
    assert float(torch.linalg.matrix_norm(J - centre, 2)) <= clipped.sector.radius + 1e-9


@pytest.mark.parametrize("changes", [{"size": 4}, {"size": 1}, {"size": 33}, {"step": 0}, {"step": 2}, {"depth": 0}])
def test_refuses_settings_without_a_proof(changes):
    with pytest.raises(ValueError, match="nonexpansive"):
        Nonexpansive(**changes)


@pytest.mark.parametrize("limit", [0.0, float("inf"), float("nan")])
def test_refuses_limits_that_clip_nothing(limit):
    with pytest.raises(ValueError, match="limit"):
        modulus_clipped(torch.nn.Identity(), limit)
