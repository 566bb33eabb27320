"""Every broken reconstructor raises its own flag and no other; those that work raise none."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from smug.attacks import PGD, Square, Threat, start
from smug.diagnosis import FLAGS, diagnose
from smug.models.adapters import as_complex
from smug.models.classical import CGSense, ZeroFilled
from smug.models.normalised import normalised
from smug.models.reconstructors import RSE2E, SMUG, MoDL
from smug.models.smoothing import Smoothing
from smug.models.total_variation import TotalVariation

from . import broken

THREAT = Threat(0.02, "l2", "kspace-l2")


def names(f, scan, threat=THREAT, **options):
    return [flag.name for flag in diagnose(f, scan, threat, **options).flags]


def network(dtype=torch.float64) -> nn.Module:
    """A small denoiser with the kinks and the biases of large ones; nothing about it is linear or homogeneous."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        inner = nn.Sequential(nn.Conv2d(2, 8, 3, padding=1), nn.PReLU(), nn.Conv2d(8, 2, 3, padding=1))
    return as_complex(Residual(inner)).to(dtype)


class Residual(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return x - 0.3 * self.inner(x)


D = network
SMOOTHING = Smoothing(sigma=0.05, num_samples=4)
WORKING = {
    "CG-SENSE": lambda dtype: CGSense(),
    "zero-filled": lambda dtype: ZeroFilled(),
    "total variation": lambda dtype: TotalVariation(0.01, iterations=20),
    "MoDL": lambda dtype: MoDL(network(dtype), steps=3),
    "SMUG": lambda dtype: SMUG(network(dtype), SMOOTHING, steps=3),
    "RS-E2E": lambda dtype: RSE2E(network(dtype), SMOOTHING, steps=3),
    "normalised MoDL": lambda dtype: normalised(MoDL(network(dtype), steps=3)),
    "normalised SMUG": lambda dtype: normalised(SMUG(network(dtype), SMOOTHING, steps=3)),
}


@pytest.mark.parametrize("method", WORKING)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["single", "double"])
def test_what_works_raises_none(method, dtype, scan, device):
    f = WORKING[method](dtype)
    f = f.to(device) if hasattr(f, "to") else f
    A = type(scan.A)(scan.A.mask, scan.A.maps.to(dtype.to_complex()))
    scan = replace(scan, y=scan.y.to(dtype.to_complex()), A=A, target=scan.truth.to(dtype.to_complex()))
    diagnosis = diagnose(f, scan, THREAT)
    assert not diagnosis.flags, diagnosis
    assert not diagnosis.unreliable
