"""Every broken reconstructor raises its own flag and no other; those that work raise none."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from smug.attacks import APGD, PGD, Square, Threat, start
from smug.data.scan import Scan
from smug.diagnosis import FLAGS, diagnose, repeatable
from smug.foreign import slicewise
from smug.models.adapters import as_complex
from smug.models.classical import CGSense, TotalVariation
from smug.models.normalised import normalised
from smug.models.reconstructors import RSE2E, SMUG, MoDL
from smug.models.smoothing import Smoothing
from smug.physics.sense import Sense
from smug.reconstructor import moved

from ..scans import tiny_scan
from . import broken

THREAT = Threat(0.02, "l2", "kspace-l2")
ATTACKS = {"white_box": APGD(steps=10), "black_box": Square(steps=20)}


def names(f, scan, threat=THREAT, **attacks):
    return [flag.name for flag in diagnose(f, scan, threat, **{**ATTACKS, **attacks}).flags]


class Residual(nn.Module):
    """A small denoiser with the kinks and biases of large ones: nothing about it is linear or homogeneous."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Conv2d(2, 8, 3, padding=1), nn.PReLU(), nn.Conv2d(8, 2, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return x - 0.3 * self.inner(x)


def denoiser() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return as_complex(Residual())


SMOOTHING = Smoothing(sigma=0.05, num_samples=2)
WORKING = {
    "CG-SENSE": CGSense,
    "total variation": lambda: TotalVariation(0.01, iterations=10),
    "MoDL": lambda: MoDL(denoiser(), steps=2),
    "SMUG": lambda: SMUG(denoiser(), SMOOTHING, steps=2),
    "RS-E2E": lambda: RSE2E(denoiser(), SMOOTHING, steps=2),
    "normalised SMUG": lambda: normalised(SMUG(denoiser(), SMOOTHING, steps=2)),
    "magnitude": lambda: lambda y, A: CGSense()(y, A).abs(),
}


@pytest.mark.parametrize("method", WORKING)
def test_what_works_raises_none(method, scan, device):
    A = Sense(scan.A.mask, scan.A.maps.to(torch.complex64))
    single = Scan(scan.y.to(torch.complex64), A, scan.truth.to(torch.complex64), scan.id)
    diagnosis = diagnose(moved(WORKING[method](), device), single, THREAT, **ATTACKS)
    assert not diagnosis.flags, diagnosis
    assert not diagnosis.unreliable
    assert all(math.isfinite(number) for number in diagnosis.evidence.values())


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_double_precision_raises_none(norm, scan):
    assert names(CGSense(), scan, Threat(0.02, norm, "kspace-l2")) == []


def guarded(scan):
    energy = scan.y.abs().square().sum((-3, -2, -1)).sqrt()
    return broken.Guarded(scan.y, 1.5 * THREAT.value * energy, CGSense()(scan.y, scan.A))


BROKEN = {
    "random-output": [broken.random_output],
    "zero-gradient": [broken.without_graph, broken.rounded, broken.root_of_zero],
    "solver-not-converged": [broken.unconverged],
    "cut-gradient": [broken.cut_consistency, broken.cut_first_image, broken.cut_scale],
    "masked-gradient": [broken.Shattered()],
    "not-monotone": [guarded],
}


@pytest.mark.parametrize(("flag", "f"), [(flag, f) for flag, fs in BROKEN.items() for f in fs])
def test_what_is_broken_raises_its_own_flag(flag, f, scan):
    f = f(scan) if f is guarded else f
    diagnosis = diagnose(f, scan, THREAT, **ATTACKS)
    assert [raised.name for raised in diagnosis.flags] == [flag]
    assert diagnosis.unreliable
    assert FLAGS[flag].sentence in str(diagnosis)


def test_slices_that_see_each_other_raise_their_flag(device):
    def of_the_largest(y, A):
        x = A.H(y)
        return x / x.abs().max()

    scan = tiny_scan(2, height=16, width=14, seed=1, device=device)
    assert names(of_the_largest, scan, THREAT) == ["mixed-slices"]
    assert names(slicewise(of_the_largest), scan, THREAT) != ["mixed-slices"]
    assert names(of_the_largest, scan[0], THREAT) != ["mixed-slices"]


WEAK = {
    "masked-gradient": (PGD(steps=1, step_size=1e-3, start=start.zero), 0.02),
    "weaker-than-noise": (PGD(steps=1, step_size=1e-3, start=start.zero), 0.005),
    "more-steps-help": (PGD(steps=2, step_size=0.2, start=start.image), 0.02),
}


@pytest.mark.parametrize("flag", WEAK)
def test_weak_attacks_raise_their_own_flag(flag, scan):
    rule, size = WEAK[flag]
    assert names(CGSense(), scan, replace(THREAT, value=size), white_box=rule, black_box=Square(steps=2)) == [flag]


def test_every_flag_is_one_sentence():
    assert all(flag.name == name for name, flag in FLAGS.items())
    assert all(flag.sentence.count(".") == 1 and flag.sentence.endswith(".") for flag in FLAGS.values())


def test_the_same_diagnosis_again_and_under_other_modes(scan):
    f = broken.Shattered()
    seeds = torch.tensor([7])
    first = diagnose(f, scan, THREAT, **ATTACKS, generator=seeds)
    with torch.inference_mode():
        again = diagnose(f, scan, THREAT, **ATTACKS, generator=seeds)
    assert again == first


def test_bad_arguments(scan):
    with pytest.raises(ValueError, match="threat: expected a size > 0"):
        diagnose(CGSense(), scan, replace(THREAT, value=0.0))
    with pytest.raises(ValueError, match="fully sampled target"):
        diagnose(CGSense(), replace(scan, target=None), THREAT)


def test_repeatable_needs_no_gradient_of_the_network(scan):
    # with one, turning the difference into a number warns, and a warning is an error here
    f = moved(SMUG(denoiser().double(), SMOOTHING, steps=1), scan.y.device)
    assert all(parameter.requires_grad for parameter in f.denoiser.parameters())
    assert repeatable(f, scan, THREAT).flags == ()
