"""Every reconstructor refuses measurements that do not belong together, and seeds that are none, before it computes."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

import smug
from smug import foreign
from smug.bounds.percentile import Release

IMAGES = torch.stack([smug.head_phantom(seed, 32) for seed in (1, 2)])
SCAN = smug.simulate(IMAGES, smug.Acquisition(coils=3), (1, 2))
Y, A = SCAN.y, SCAN.A
DENOISER = smug.DIDN(channels=8, blocks=1)
SMOOTHING = smug.Smoothing(num_samples=2)


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, 2, 3, padding=1)).eval()


RECONSTRUCTORS = {
    "MoDL": smug.MoDL(DENOISER, steps=1),
    "SMUG": smug.SMUG(DENOISER, SMOOTHING, steps=1),
    "Weighted SMUG": smug.WeightedSMUG(DENOISER, smug.WeightEncoder(4), SMOOTHING, steps=1),
    "RS-E2E": smug.RSE2E(DENOISER, SMOOTHING, steps=1),
    "CG-SENSE": smug.CGSense(),
    "total variation": smug.TotalVariation(iterations=2),
    "zero-filled": smug.ZeroFilled(),
    "normalised": smug.normalised(smug.ZeroFilled()),
    "modl": smug.load("modl"),
    "smug": smug.load("smug").replace(num_samples=2, steps=1),
    "ridge": smug.load("ridge").unscaled().replace(sigma=0.01),
    "tv": smug.load("tv").replace(iterations=2),
    "seeded": smug.attacks.with_seed(smug.SMUG(DENOISER, SMOOTHING, steps=1), 3),
    "release": Release(smug.CGSense(), 0.01),
    "image network": foreign.image_network(network()),
    "magnitude network": foreign.magnitude_network(nn.Conv2d(1, 1, 3, padding=1)),
    "fastMRI": foreign.fastmri_network(lambda kspace, mask: kspace[..., 0].sum(1)),
    "numpy": foreign.numpy_function(lambda kspace, mask, maps: kspace.sum(0)),
    "slicewise": foreign.slicewise(smug.ZeroFilled()),
}
STOCHASTIC = ["SMUG", "Weighted SMUG", "RS-E2E", "smug", "release", "slicewise"]

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # torch calls it experimental
    HALF = Y.to(torch.complex32)

WRONG = {
    "no batch axis": (Y[0], A, r"a single slice needs a batch axis: y\[None\]"),
    "an axis too many": (Y[None], A, r"expected k-space \(batch, coil, y, x\)"),
    "three slices, operator of two": (torch.cat([Y, Y])[:3], A, "expected complex"),
    "one slice, operator of two": (Y[:1], A, "expected complex"),
    "other coils": (Y[:, :2], A, "expected complex"),
    "one coil of three": (Y[:, :1], A, "expected complex"),
    "another width": (Y[..., :-2], A, "expected complex"),
    "another height": (Y[..., :-2, :], A, "expected complex"),
    "no slices": (Y[:0], A, "expected complex"),
    "real k-space": (Y.abs(), A, "complex64 or complex128, got torch.float32"),
    "real and imaginary parts": (torch.view_as_real(Y), A, "complex64 or complex128, got torch.float32"),
    "half precision": (HALF, A, "complex64 or complex128, got torch.complex32"),
    "an array": (Y.numpy(), A, "y: expected a Tensor, got ndarray"),
    "a scan": (SCAN, A, "y: expected a Tensor, got Scan"),
    "a mask for an operator": (Y, A.mask, "A: expected an Operator or a function, got Tensor"),
    "no operator": (Y, None, "A: expected an Operator or a function, got NoneType None"),
    "another device": (Y.to("meta"), A, "expected it on the device of A, cpu, got meta"),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", RECONSTRUCTORS)
def test_measurements_that_do_not_belong_together_are_refused(name, wrong):
    y, operator, message = WRONG[wrong]
    with pytest.raises(ValueError, match=message) as refused:
        RECONSTRUCTORS[name](y, operator)
    assert "expected" in str(refused.value) and "got" in str(refused.value)


@pytest.mark.parametrize("wrong", WRONG)
def test_functions_of_measurements_refuse_them_too(wrong):
    y, operator, _ = WRONG[wrong]
    for call in (
        lambda: smug.noise_map(smug.ZeroFilled(), y, operator, 0.1, 2),
        lambda: smug.bounds.local_gain(smug.ZeroFilled(), y, operator),
        lambda: smug.Scan(y, operator, None, ("a", "b")),
    ):
        with pytest.raises(ValueError, match=r"expected .* got "):
            call()


@pytest.mark.parametrize("name", RECONSTRUCTORS)
def test_good_measurements_give_images(name):
    assert RECONSTRUCTORS[name](Y, A).shape == (2, 32, 32)
    assert RECONSTRUCTORS[name](Y[:1], A[0]).shape == (1, 32, 32)


@pytest.mark.parametrize(
    "seeds",
    [3, np.int64(3), 2.5, "seed", [1, 2], np.array([1, 2]), torch.tensor(3), torch.tensor([1.0, 2]), torch.arange(3)],
)
@pytest.mark.parametrize("name", STOCHASTIC)
def test_what_are_no_seeds_is_refused(name, seeds):
    with pytest.raises(ValueError, match=r"generator: expected a torch.Generator or int64 seeds of shape \(2,\), got"):
        RECONSTRUCTORS[name](Y, A, seeds)


@pytest.mark.parametrize(
    ("target", "names", "message"),
    [
        (IMAGES[:1], ("a", "b"), r"target: expected \(2, 32, 32\), got \(1, 32, 32\)"),
        (IMAGES[:, :16], ("a", "b"), "target: expected"),
        (IMAGES.numpy(), ("a", "b"), "target: expected a Tensor or None"),
        (IMAGES, ("a",), "id: expected a tuple of 2 names"),
        (IMAGES, "ab", "id: expected"),
        (IMAGES, (1, 2), "id: expected"),
    ],
)
def test_a_scan_is_whole(target, names, message):
    with pytest.raises(ValueError, match=message):
        smug.Scan(Y, A, target, names)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_networks_in_half_precision_compute_in_it(dtype):
    full, half = network(), network()
    half.load_state_dict(full.state_dict())
    x, expected = (foreign.image_network(net)(Y, A) for net in (half.to(dtype), full))
    assert x.dtype == torch.complex64
    assert 0 < (x - expected).norm() < 0.02 * expected.norm()
    free = Y.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(foreign.image_network(half)(free, A).abs().square().sum(), free)
    assert gradient.dtype == torch.complex64 and gradient.isfinite().all() and gradient.any()


def scripted(layer: nn.Module) -> nn.Module:
    return torch.jit.script(nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), layer))


MODAL = {
    "batch norm": nn.BatchNorm2d(2),
    "batch norm in a network": nn.Sequential(nn.Conv2d(2, 2, 1), nn.Sequential(nn.BatchNorm2d(2))),
    "instance norm that tracks": nn.InstanceNorm2d(2, track_running_stats=True),
    "dropout": nn.Dropout(),
    "dropout of channels": nn.Dropout2d(),
    "alpha dropout": nn.AlphaDropout(),
    "random slopes": nn.RReLU(),
    "attention": nn.MultiheadAttention(2, 1, dropout=0.1),
    "transformer": nn.TransformerEncoderLayer(2, 1, dim_feedforward=2),
    "recurrent": nn.LSTM(2, 2, num_layers=2, dropout=0.1),
}

SCRIPTED = ["batch norm", "instance norm that tracks", "dropout", "dropout of channels", "alpha dropout"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", [*MODAL, *(f"scripted {name}" for name in SCRIPTED)])
def test_layers_that_do_something_else_in_training_are_refused_in_it(name):
    net = scripted(MODAL[name.removeprefix("scripted ")]) if name.startswith("scripted") else MODAL[name]
    net.train()
    with pytest.raises(ValueError, match=r"expected it in evaluation mode, got \w+ in training; call \.eval\(\)"):
        foreign.image_network(net)
    f = foreign.image_network(net.eval())
    net.train()  # afterwards
    with pytest.raises(ValueError, match="expected it in evaluation mode"):
        f(Y, A)


@pytest.mark.parametrize("layer", [nn.GroupNorm(1, 2), nn.InstanceNorm2d(2), nn.LSTM(2, 2), nn.Identity()])
def test_layers_that_do_the_same_in_training_are_good(layer):
    foreign.image_network(nn.Sequential(nn.Conv2d(2, 2, 1), layer).train())
