import pytest
import torch
from torch.autograd.function import once_differentiable

from smug.bounds.bound import Estimate, LowerBound
from smug.bounds.gain import jacobian, local_gain
from smug.models.classical import CGSense, ZeroFilled
from smug.models.didn import DIDN
from smug.models.noise import complex_normal
from smug.models.normalised import normalised
from smug.models.reconstructors import SMUG, MoDL
from smug.models.smoothing import Smoothing
from smug.physics.sense import Sense

from ..gradients import Tenfold
from ..scans import tiny_scan

SHAPE = (6, 5)
COILS = 2
ROUNDING = 2e-5  # that of the solver's tolerance, and of central differences


@pytest.fixture
def scan(device):
    scan = tiny_scan(2, COILS, *SHAPE, device=device)
    return scan.y, scan.A


@torch.no_grad()
def dense(f, y, A, row):
    """The Jacobian of one slice over real and imaginary parts, by central differences along every sampled part."""
    support, step = A[row].sampled.expand(y[row : row + 1].shape)[0], 1e-5
    places = support.flatten().nonzero()[:, 0]
    directions = torch.zeros(2 * len(places), support.numel(), dtype=y.dtype, device=y.device)
    directions[torch.arange(len(places)), places] = 1
    directions[len(places) + torch.arange(len(places)), places] = 1j
    moved = step * directions.reshape(-1, *y.shape[1:])
    change = (f(y[row] + moved, A[row]) - f(y[row] - moved, A[row])) / (2 * step)
    return torch.view_as_real(change).flatten(1).T, directions.reshape(-1, *y.shape[1:])


def tiny(seed=0):
    torch.manual_seed(seed)
    net = torch.nn.Conv2d(2, 2, 3, padding=1).double()

    def denoiser(x):
        channels = torch.view_as_real(x).movedim(-1, 1)
        return x + torch.view_as_complex(torch.tanh(net(channels)).movedim(1, -1).contiguous())

    return denoiser


RECONSTRUCTORS = {
    "zero-filled": ZeroFilled(),
    "cg-sense": CGSense(0.1),
    "modl": MoDL(tiny(), steps=2),
    "normalised": normalised(MoDL(tiny(), steps=2)),
    "magnitude": lambda y, A: A.H(y).abs().square() + 0j,  # not complex differentiable
}


@pytest.mark.parametrize("name", RECONSTRUCTORS)
def test_gain_against_the_dense_jacobian(name, scan):
    f, (y, A) = RECONSTRUCTORS[name], scan
    found = local_gain(f, y, A, iterations=15, probes=60)
    for row in range(2):
        J, basis = dense(f, y, A, row)
        exact = float(torch.linalg.matrix_norm(J, 2))
        assert exact * 0.999 <= float(found.worst[row]) <= exact * (1 + ROUNDING)
        rms = float(torch.linalg.matrix_norm(J)) / J.shape[1] ** 0.5
        assert float(found.average[row]) == pytest.approx(rms, rel=0.15)
        v = (basis.conj() * found.vector[row]).real.flatten(1).sum(1)
        assert float(torch.linalg.vector_norm(v)) == pytest.approx(1)
        assert float(torch.linalg.vector_norm(J @ v)) == pytest.approx(float(found.worst[row]), rel=ROUNDING)
    assert not found.vector[~A.sampled.expand(y.shape)].any()
    assert (found.ratio > 1).all()


def test_every_iterate_is_a_lower_bound(scan):
    y, A = scan
    f = MoDL(tiny(), steps=2)
    exact = torch.stack([torch.linalg.matrix_norm(dense(f, y, A, row)[0], 2) for row in range(2)])
    found = [local_gain(f, y, A, iterations=iterations, probes=1).worst for iterations in (1, 2, 4)]
    assert all((worst <= exact * (1 + ROUNDING)).all() for worst in found)
    assert (found[0] < found[1]).all()
    assert (found[1] < found[2]).all()


def test_jacobian_and_its_adjoint_agree(scan):
    y, A = scan
    J, JH = jacobian(lambda z: MoDL(tiny(), steps=2)(z, A), y, A.sampled.expand(y.shape))
    v = complex_normal(torch.tensor(3), y.shape, y.dtype, y.device)
    w = complex_normal(torch.tensor(4), (2, *SHAPE), y.dtype, y.device)
    one, other = (J(v).conj() * w).real.sum(), (v.conj() * JH(w)).real.sum()
    torch.testing.assert_close(one, other, rtol=1e-6, atol=0)


def test_the_noise_of_the_reconstructor_is_frozen(scan):
    y, A = scan
    f = SMUG(tiny(), smoothing=Smoothing(sigma=0.3, num_samples=2), steps=2)
    first, second, third = (local_gain(f, y, A, generator=torch.tensor([s, s])) for s in (1, 1, 2))
    assert torch.equal(first.worst, second.worst)
    assert not torch.equal(first.worst, third.worst)


def test_shipped_kind_of_network(scan):
    y, A = (part.to(torch.complex64) if torch.is_tensor(part) else part for part in scan)
    A = Sense(mask=A.mask, maps=A.maps.to(torch.complex64))
    found = local_gain(MoDL(DIDN(channels=4, blocks=1).to(y.device), steps=2), y, A, iterations=3)
    assert (found.worst > 0).all()


def test_typed_and_under_no_grad(scan):
    y, A = scan
    with torch.no_grad():
        found = local_gain(ZeroFilled(), y, A)
    worst, average = found.bounds(1)
    assert isinstance(worst, LowerBound)
    assert isinstance(average, Estimate)
    assert worst.value == pytest.approx(1, abs=0.01)
    assert "certif" not in f"{worst} {average}"


def test_a_reconstructor_of_magnitudes_has_a_gain(scan):
    def magnitude(y, A, generator=None):
        return A.H(y).abs()

    y, A = scan
    found, whole = (local_gain(f, y, A, iterations=20).worst for f in (magnitude, ZeroFilled()))
    assert (found <= whole * 1.001).all() and (found > 0.5 * whole).all()


def test_a_cut_gradient_is_told(scan):
    y, A = scan
    with pytest.raises(ValueError, match="its gradient is cut"):
        local_gain(lambda y, A: A.H(y).detach(), y, A)


class Once(torch.autograd.Function):
    """The identity with a gradient that cannot be differentiated again."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        return gradient


def straight_through(x):
    return x + (torch.view_as_complex((4 * torch.view_as_real(x)).round() / 4) - x).detach()


@pytest.mark.parametrize("after", [Tenfold.apply, Once.apply, straight_through])
def test_a_gradient_of_something_else_is_told(after, scan):
    """Or it would be a lower bound that nothing reaches."""
    y, A = scan
    with pytest.raises(ValueError, match="the gradient is not that of the image"):
        local_gain(lambda y, A: after(A.H(y)), y, A)


def test_rounding_has_no_gradient(scan):
    y, A = scan
    with pytest.raises(ValueError, match="its gradient is cut"):
        local_gain(lambda y, A: torch.view_as_complex(torch.view_as_real(A.H(y)).round()), y, A)


def test_a_constant_has_no_gain(scan):
    y, A = scan
    found = local_gain(lambda y, A: 0 * A.H(y) + 1, y, A)
    assert not found.worst.any()
    assert not found.vector.any()


def test_a_slice_without_signal_has_the_gain_of_any_other(scan):
    y, A = scan
    dark = torch.cat((0 * y[:1], y[1:]))
    found, clean = (local_gain(CGSense(0.1), measured, A, iterations=3).worst for measured in (dark, y))
    torch.testing.assert_close(found, clean)


@pytest.mark.parametrize("counts", [{"iterations": 0}, {"probes": 0}])
def test_counts(counts, scan):
    with pytest.raises(ValueError, match="expected an integer of at least 1, got 0"):
        local_gain(ZeroFilled(), *scan, **counts)
