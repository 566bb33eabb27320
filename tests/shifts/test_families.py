"""Families of perturbations: zero changes nothing, and parameters have a derivative."""

from dataclasses import replace

import pytest
import torch

from smug.physics.sense import Sense
from smug.shifts import FAMILIES

ONE = torch.tensor([7])


@pytest.mark.parametrize("name", FAMILIES)
def test_parameters_of_zero_change_nothing_and_others_have_a_derivative(make, name):
    scan = make(1, dtype=torch.complex128)
    scan = replace(scan, A=Sense(scan.A.mask, scan.A.maps.to(torch.complex128)))
    family = FAMILIES[name]
    dtype = torch.complex128 if family.is_complex else torch.float64
    zero = torch.zeros(1, *family.shape(scan), dtype=dtype)
    torch.testing.assert_close(family.apply(scan, zero, ONE), scan.y, atol=1e-10, rtol=1e-10)
    towards = torch.linspace(-1, 1, zero.numel()).double().reshape(zero.shape).to(dtype)
    parameters = (0.3 + 0.1 * towards).requires_grad_()

    def energy(p):
        return (family.apply(scan, p, ONE) - scan.y).abs().square().sum()

    (gradient,) = torch.autograd.grad(energy(parameters), parameters)
    step = 1e-5
    with torch.no_grad():
        slope = (energy(parameters + step * towards) - energy(parameters - step * towards)) / (2 * step)
    assert float((gradient.conj() * towards).real.sum()) == pytest.approx(float(slope), rel=1e-4)
