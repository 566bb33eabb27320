"""Decisions on numbers alone: either side of every threshold, and NaN."""

import math

import pytest
import torch

from smug.attacks import Threat
from smug.diagnosis import flags
from smug.models.noise import complex_normal
from smug.physics.sense import Sense

NAN = math.nan


@pytest.mark.parametrize(
    ("decide", "quiet", "raised"),
    [
        (flags.random_output, [(0.0,), (2e-6,), (NAN,)], [(1e-3,)]),
        (flags.mixed_slices, [(0.0,), (2e-5,), (NAN,)], [(0.1,)]),
        (flags.zero_gradient, [(0.08,), (1e-3,)], [(0.0,), (1e-8,), (NAN,)]),
        (flags.solver_not_converged, [(0.0,), (5e-6,)], [(1e-2,), (NAN,)]),
        (flags.cut_gradient, [(0.0,), (8e-4,)], [(7e-3,), (0.9,), (math.inf,), (NAN,)]),
        (
            flags.masked_gradient,
            [(25.0, {}), (25.0, {"black box": 25.5, "transfer": 24.95})],
            [(25.0, {"black box": 24.8}), (25.0, {"black box": 25.5, "transfer": 24.0}), (NAN, {"black box": 25.5})],
        ),
        (flags.weaker_than_noise, [(25.0, 26.0), (25.0, 25.0)], [(26.0, 25.0), (NAN, 25.0)]),
        (
            flags.not_monotone,
            [({0: 30.0, 0.01: 29.0, 0.02: 27.5},), ({0.02: 29.97, 0.01: 29.99, 0: 30.0},)],
            [
                ({0: 30.0, 0.01: 29.0, 0.02: 29.0},),
                ({0: 30.0, 0.01: 29.0, 0.02: 29.5, 0.03: 25.0},),
                ({0: 30.0, 0.01: 30.0},),
                ({0: 30.0, 0.01: NAN},),
            ],
        ),
        (flags.more_steps_help, [(25.0, 24.95), (25.0, 25.0)], [(25.0, 24.8), (25.0, NAN)]),
    ],
)
def test_either_side_of_the_threshold(decide, quiet, raised):
    assert [decide(*numbers) for numbers in quiet] == [False] * len(quiet)
    assert [decide(*numbers) for numbers in raised] == [True] * len(raised)


@pytest.mark.parametrize("threat", [Threat(0.05, "l2", "kspace-l2"), Threat(0.02, "linf", "image-max")])
def test_outside_threat(threat, device):
    mask = (torch.arange(8, device=device) % 2 == 0)[None]
    A = Sense(mask, complex_normal(torch.zeros(1, dtype=torch.int64), (2, 6, 8), device=device) / 8)
    target = complex_normal(torch.arange(3), (6, 8), device=device)
    y = A(target)
    delta = threat.uniform(torch.arange(3), A.sampled.expand(y.shape), threat.radius(y, A, target))
    inside = threat.project(1e3 * delta, threat.radius(y, A, target))

    def outside(delta):
        return flags.outside_threat(delta, y, A, target, threat)

    assert not outside(torch.zeros_like(y))
    assert not outside(inside)
    assert not outside((y + inside) - y)  # what is left of it in a file of measurements
    assert outside(1.01 * inside)
    row = torch.tensor([1, 1, 1.01], device=device)[:, None, None, None]
    assert outside(row * inside)
    assert outside(torch.where(A.sampled, 0.1 * inside, 0.1 * inside.abs().max()))
    assert outside(torch.full_like(y, torch.nan))
