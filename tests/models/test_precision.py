from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from smug.losses import mean_square
from smug.models.adapters import as_complex, clamped
from smug.models.compute import in_precision, recomputed, tf32
from smug.models.didn import DIDN
from smug.models.noise import complex_normal
from smug.models.reconstructors import SMUG, MoDL, WeightedSMUG
from smug.models.smoothing import Smoothing
from smug.models.unet import LevelUNet, UNet
from smug.models.weight_encoder import WeightEncoder

from .conftest import Toy, make_problem, seeded

ROUNDING = 2**-8
"""Half a unit in the last place of bfloat16, relative."""

DENOISERS = {
    "didn": lambda: DIDN(channels=8, blocks=2),
    "unet": lambda: UNet(channels=8),
    "level-unet": lambda: LevelUNet(channels=8),
    "adapted": lambda: as_complex(Toy()),
    "clamped": lambda: clamped(as_complex(Toy())),
}


def randomised(network):
    """Return the network with every weight moved, so that nothing is zero."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        for parameter in network.parameters():
            parameter.data += 0.1 * torch.randn(parameter.shape).to(parameter)
    return network


@pytest.fixture(params=DENOISERS)
def denoiser(request, device):
    return randomised(seeded(DENOISERS[request.param], device, torch.complex64))


@pytest.fixture
def x(device):
    return complex_normal(torch.arange(2), (13, 18), torch.complex64, device)


def gradients(function, network, x):
    network.zero_grad()
    mean_square(function(x) - 1).backward()
    found = {name: parameter.grad.clone() for name, parameter in network.named_parameters()}
    network.zero_grad()
    return found


def cosine(a, b):
    return float(torch.cosine_similarity(a.flatten(), b.flatten(), dim=0))


def norm(x):
    return float(torch.linalg.vector_norm(x.detach()))


def test_float32_is_the_function_itself(denoiser):
    assert in_precision(denoiser, torch.float32) is denoiser


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64, torch.complex64, torch.int8])
def test_other_dtypes_are_refused(dtype):
    with pytest.raises(ValueError, match=f"expected torch.float32 or torch.bfloat16, got {dtype}"):
        in_precision(nn.Identity(), dtype)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_the_correction_is_rounded_and_the_image_is_not(denoiser, x, dtype):
    y = in_precision(denoiser, torch.bfloat16)(x.to(dtype))
    expected = denoiser(x)
    assert (y.dtype, y.shape) == (dtype, x.shape)
    error, correction = norm(y - expected), norm(expected - x)
    assert 0.01 * ROUNDING * correction < error < 8 * ROUNDING * correction


def test_a_new_network_is_still_the_identity(x, device):
    denoiser = seeded(lambda: DIDN(channels=8, blocks=1), device, torch.complex64)
    assert torch.equal(in_precision(denoiser, torch.bfloat16)(x), x)


def test_the_network_computes_in_bfloat16(x, denoiser):
    seen = set()
    for layer in denoiser.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda layer, inputs, output: seen.add(output.dtype))
    in_precision(denoiser, torch.bfloat16)(x)
    assert seen == {torch.bfloat16}
    assert not torch.is_autocast_enabled(x.device.type)


def test_gradients_reach_the_weights_in_single_precision(denoiser, x):
    exact = gradients(denoiser, denoiser, x)
    rounded = gradients(in_precision(denoiser, torch.bfloat16), denoiser, x)
    assert all(gradient.dtype == torch.float32 and gradient.isfinite().all() for gradient in rounded.values())
    assert all(gradient.any() for gradient in rounded.values())
    whole = [torch.cat([gradient.flatten() for gradient in found.values()]) for found in (exact, rounded)]
    assert 0.99 < cosine(*whole) < 1 - 1e-9


def test_gradients_reach_the_image(denoiser, x):
    inside = x.clone().requires_grad_()
    mean_square(in_precision(denoiser, torch.bfloat16)(inside)).backward()
    assert inside.grad.dtype == torch.complex64
    assert inside.grad.isfinite().all() and inside.grad.any()


@pytest.mark.parametrize("order", ["recomputed inside", "recomputed outside", "checkpoint"])
def test_recomputation_computes_in_the_same_precision(denoiser, x, order):
    """Autocast has ended where the gradient is computed: the activations must come in bfloat16 nevertheless."""
    function = in_precision(denoiser, torch.bfloat16)
    again = {
        "recomputed inside": in_precision(recomputed(denoiser), torch.bfloat16),
        "recomputed outside": recomputed(function),
        "checkpoint": lambda x: checkpoint(function, x, use_reentrant=False),
    }[order]
    inside = x.clone().requires_grad_()  # as in the unrolling, where the image depends on the weights
    expected, found = gradients(function, denoiser, inside), gradients(again, denoiser, inside)
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_the_encoder(x, device):
    encoder = randomised(seeded(WeightEncoder, device, torch.complex64))
    rounded = in_precision(encoder, torch.bfloat16)
    weights = rounded(x)
    assert weights.dtype == torch.float32
    torch.testing.assert_close(weights, encoder(x), rtol=0.02, atol=0.02)
    rounded(x).sum().backward()
    assert all(parameter.grad.isfinite().all() and parameter.grad.any() for parameter in encoder.parameters())


def test_a_network_in_double_precision_stays(x, device):
    denoiser = randomised(seeded(lambda: DIDN(channels=8, blocks=1), device))
    x = x.to(torch.complex128)
    assert torch.equal(in_precision(denoiser, torch.bfloat16)(x), denoiser(x))


def test_the_solver_keeps_its_precision(device):
    """With a denoiser that does nothing, no bit of the reconstruction changes."""
    problem = make_problem(device, torch.complex64)
    f = MoDL(nn.Identity(), steps=2)
    rounded = f.replace(denoiser=in_precision(f.denoiser, torch.bfloat16))
    assert torch.equal(rounded(problem.y, problem.A), f(problem.y, problem.A))


@pytest.mark.parametrize("weighted", [False, True])
def test_reconstructors(device, weighted):
    problem = make_problem(device, torch.complex64)
    D = randomised(seeded(lambda: DIDN(channels=8, blocks=1), device, torch.complex64))
    E = seeded(WeightEncoder, device, torch.complex64)
    smoothing = Smoothing(sigma=0.1, num_samples=2, chunk=1)
    f = WeightedSMUG(D, E, smoothing, steps=2) if weighted else SMUG(D, smoothing, steps=2)
    changes = {name: in_precision(network, torch.bfloat16) for name, network in f.networks().items()}
    x, rounded = f(problem.y, problem.A), f.replace(**changes)(problem.y, problem.A)
    assert rounded.dtype == torch.complex64
    assert 0 < norm(rounded - x) < 8 * ROUNDING * norm(x)


def test_a_copy_has_networks_of_its_own(denoiser, x):
    rounded = in_precision(denoiser, torch.bfloat16)
    before = deepcopy(rounded)
    expected = rounded(x)
    with torch.no_grad():
        for parameter in denoiser.parameters():
            parameter.zero_()
    assert torch.equal(before(x), expected)
    assert not torch.equal(rounded(x), expected)


@pytest.mark.parametrize("allowed", [True, False])
def test_tf32_is_restored(allowed):
    convolutions, products = torch.backends.cudnn, torch.backends.cuda.matmul
    before = convolutions.allow_tf32, products.allow_tf32
    with pytest.raises(KeyError), tf32(allowed):
        assert (convolutions.allow_tf32, products.allow_tf32) == (allowed, before[1])
        raise KeyError
    assert (convolutions.allow_tf32, products.allow_tf32) == before
