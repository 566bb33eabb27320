"""Small slices, and what a hand-written reconstruction needs."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from smug.attacks import Threat, pgd
from smug.data.scan import Scan
from smug.physics.sense import Sense
from smug.reconstructor import Reconstructor

from ..scans import tiny_scan

COILS, HEIGHT, WIDTH = 3, 12, 10
THREAT = Threat(0.05, "l2", "kspace-l2")


@pytest.fixture
def measured(device) -> tuple[Tensor, Sense, Tensor]:
    """k-space, operator and target of two slices of different size, in double precision."""
    scan = tiny_scan(coils=COILS, height=HEIGHT, width=WIDTH, noise=0, device=device)
    return scan.y, scan.A, scan.truth


@pytest.fixture
def promises(measured) -> Callable[[Reconstructor], None]:
    """Check what every adapter of a differentiable network promises."""
    y, A, target = measured

    def check(f: Reconstructor) -> None:
        both = f(y, A, generator=torch.tensor([1, 2]))
        assert both.shape == target.shape
        assert both.dtype in (torch.complex128, torch.float64)
        for i in range(2):
            torch.testing.assert_close(f(y[i : i + 1], A[i])[0], both[i])
        assert f(y.to(torch.complex64), A).dtype in (torch.complex64, torch.float32)
        free = y.clone().requires_grad_()
        assert torch.autograd.gradcheck(lambda v: f(v, A), free, fast_mode=True)
        result = pgd(f, Scan(y, A, target, ("a", "b")), THREAT, steps=3)
        assert bool((result.objective > result.clean_objective).all())
        assert bool((result.gradient_norm > 0).all())
        unmeasured = y + 1e3 * ~A.sampled  # is not for the network
        torch.testing.assert_close(f(unmeasured, A), both)

    return check


def convolution(inside: int, outside: int) -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Conv2d(inside, 4, 3, padding=1), nn.Tanh(), nn.Conv2d(4, outside, 3, padding=1)
    return nn.Sequential(*layers).double()
