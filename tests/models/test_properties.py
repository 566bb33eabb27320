"""What every reconstructor promises."""

import pytest
import torch

from smug.foreign import image_network
from smug.models.classical import CGSense, TotalVariation, ZeroFilled
from smug.models.normalised import normalised
from smug.models.smoothing import Smoothing

from ..foreign.conftest import convolution
from ..properties import (
    assert_gradient,
    assert_homogeneous,
    assert_inputs_kept,
    assert_random_by_seed_only,
    assert_slices_stand_alone,
)
from ..scans import tiny_scan
from .conftest import METHODS, make

TWO = Smoothing(sigma=0.3, num_samples=2)
RECONSTRUCTORS = {
    **{name: lambda device, dtype, name=name: make(name, device, dtype, TWO, steps=2) for name in METHODS},
    **{f"normalised {n}": lambda *of, n=n: normalised(make(n, *of, TWO, steps=2)) for n in METHODS},
    "cg-sense": lambda *_: CGSense(0.1),
    "tv": lambda *_: TotalVariation(0.1, 5),
    "normalised tv": lambda *_: normalised(TotalVariation(0.1, 5)),
    "zero-filled": lambda *_: ZeroFilled(),
    "adapted": lambda device, dtype: image_network(convolution(2, 2).to(device, dtype.to_real())),
}
IN_ANY_UNIT = [name for name in RECONSTRUCTORS if name.startswith(("normalised", "cg", "zero"))]
SINGLE, DOUBLE = torch.complex64, torch.complex128
SEEDS = torch.tensor([7, 8, 9])


@pytest.mark.parametrize("dtype", [SINGLE, DOUBLE])
@pytest.mark.parametrize("name", RECONSTRUCTORS)
def test_every_slice_for_itself_by_its_seed_and_nothing_changed(name, dtype, device):
    f, scan = RECONSTRUCTORS[name](device, dtype), tiny_scan(3, 3, 7, 10, dtype=dtype, device=device)
    assert_slices_stand_alone(f, scan, SEEDS)
    assert_random_by_seed_only(f, scan, SEEDS)
    assert_inputs_kept(f, scan, SEEDS)


@pytest.mark.parametrize("unit", [1e-6, 7.0, 1e5])
@pytest.mark.parametrize("name", IN_ANY_UNIT)
def test_images_in_the_unit_of_the_measurements(name, unit, device):
    scan = tiny_scan(3, 3, 7, 10, device=device)
    assert_homogeneous(RECONSTRUCTORS[name](device, DOUBLE), scan, SEEDS, unit)
    single = tiny_scan(3, 3, 7, 10, dtype=SINGLE, device=device)
    assert_homogeneous(RECONSTRUCTORS[name](device, SINGLE), single, SEEDS, unit, tolerance=1e-5)


@pytest.mark.parametrize("name", RECONSTRUCTORS)
def test_gradients(name, device):
    assert_gradient(RECONSTRUCTORS[name](device, DOUBLE), tiny_scan(1, 2, 2, 3, device=device), SEEDS[:1])
