"""Objectives: values by hand, and where the gradient vanishes."""

import torch

from smug.attacks import to_clean, to_target


def test_values_are_mean_squares_per_slice(slices):
    t = slices.target
    x, clean = t + 2j, t - 1
    torch.testing.assert_close(to_target(x, t, clean), torch.full_like(t.real[:, 0, 0], 4.0))
    torch.testing.assert_close(to_clean(x, t, clean), torch.full_like(t.real[:, 0, 0], 5.0))
    torch.testing.assert_close(to_target(t.abs(), t.abs() - 3, clean), torch.full_like(t.real[:, 0, 0], 9.0))


def test_instability_has_no_gradient_without_perturbation(slices):
    x = slices.target.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(to_clean(x, slices.target + 1, slices.target).sum(), x)
    assert not gradient.any()
