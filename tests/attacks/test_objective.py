"""Objectives: values by hand, and where the gradient vanishes."""

import numpy as np
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


def test_a_real_reconstruction_is_compared_with_magnitudes(slices):
    x, t, clean = slices.target.abs() + 0.5, slices.target, slices.target.roll(1, -1)
    for objective, reference in ((to_target, t), (to_clean, clean)):
        expected = (x.cpu().numpy() - np.abs(reference.cpu().numpy())) ** 2
        found = objective(x, t, clean).cpu().numpy()
        np.testing.assert_allclose(found, expected.mean((1, 2)), rtol=1e-12)
    real = to_clean(x, t, x - 2)  # the clean reconstruction is real as well
    torch.testing.assert_close(real, torch.full_like(real, 4.0))
