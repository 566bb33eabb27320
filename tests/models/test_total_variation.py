import shutil
import subprocess

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck
from torch.autograd.functional import jvp

from smug.data.phantom import head_phantom
from smug.data.simulate import Acquisition, simulate
from smug.models.classical import NORM, TotalVariation, differences, differences_adjoint
from smug.physics.fourier import fft2c
from smug.physics.sense import Sense

from ..properties import assert_adjoint, assert_refused
from .conftest import make_problem

BART = shutil.which("bart")


def objective(x, scan, lam):
    """The functional, written down once more: of arrays of one slice, in double precision."""
    x, y, maps, mask = (part.cpu().numpy() for part in (x[0], scan.y[0], scan.A.maps[0], scan.A.mask))
    x = x.astype(np.complex128)
    shifted = np.fft.ifftshift(maps * x, axes=(-2, -1))
    residual = mask * np.fft.fftshift(np.fft.fft2(shifted, norm="ortho"), axes=(-2, -1)) - y
    steps = [x - np.roll(x, 1, axis) for axis in (0, 1)]
    joint = np.sqrt(np.abs(steps[0]) ** 2 + np.abs(steps[1]) ** 2)
    return 0.5 * (np.abs(residual) ** 2).sum() + lam * joint.sum()


def simulated(device):
    image = head_phantom(0, 32)[:, 3:27]
    return simulate(image[None], Acquisition(), [0], ["0"]).to(device)


def fully_sampled(image):
    """A single coil and every line: total-variation denoising."""
    A = Sense(torch.ones(1, image.shape[-1], dtype=torch.bool, device=image.device), torch.ones_like(image)[:, None])
    return fft2c(image)[:, None], A


def write_cfl(path, array):
    path.with_suffix(".hdr").write_text("# Dimensions\n" + " ".join(map(str, array.shape)) + "\n")
    array.astype(np.complex64).ravel(order="F").tofile(path.with_suffix(".cfl"))


def read_cfl(path):
    shape = [int(size) for size in path.with_suffix(".hdr").read_text().splitlines()[1].split()]
    return np.fromfile(path.with_suffix(".cfl"), np.complex64).reshape(shape, order="F").squeeze()


@pytest.mark.skipif(BART is None, reason="needs BART")
@pytest.mark.parametrize("lam", [0.002, 0.02])
def test_the_minimiser_is_that_of_bart(lam, tmp_path, device):
    scan = simulated(device)
    for name, part in (("kspace", scan.y), ("maps", scan.A.maps)):
        write_cfl(tmp_path / name, part[0].cpu().numpy().transpose(1, 2, 0)[:, :, None])  # (y, x, 1, coil)
    options = ["-w", "1", "-R", f"T:3:0:{lam}", "-m", "-u", "0.1", "-i", "1500"]  # "-w 1": no scaling of the data
    subprocess.run([BART, "pics", *options, "kspace", "maps", "image"], cwd=tmp_path, check=True, capture_output=True)
    theirs = torch.from_numpy(read_cfl(tmp_path / "image")).to(device)[None]
    ours = TotalVariation(lam, iterations=3000)(scan.y, scan.A)
    assert torch.linalg.vector_norm(ours - theirs) < 5e-4 * torch.linalg.vector_norm(theirs)
    assert objective(ours, scan, lam) == pytest.approx(objective(theirs, scan, lam), rel=1e-5)


def test_a_stripe_shrinks_by_what_is_known(device):
    # Two edges pull on a stripe of w columns among n: with its boundary 2 lam / w goes, 2 lam / (n - w) comes outside.
    lam, n, w = 0.1, 12, 4
    stripe = torch.zeros(1, 6, n, dtype=torch.float64, device=device)
    stripe[..., 5 : 5 + w] = 1
    expected = torch.where(stripe > 0, 1 - 2 * lam / w, 2 * lam / (n - w)).to(stripe)
    for transposed in (False, True):
        image, known = ((0.6 + 0.8j) * (part.mT if transposed else part) for part in (stripe, expected))
        x = TotalVariation(lam, iterations=1000)(*fully_sampled(image))
        torch.testing.assert_close(x, known, rtol=1e-6, atol=1e-6)


def test_much_regularisation_leaves_the_mean(device):
    image = torch.randn(1, 6, 7, dtype=torch.complex128, generator=torch.Generator().manual_seed(0)).to(device)
    x = TotalVariation(100.0, iterations=2000)(*fully_sampled(image))
    torch.testing.assert_close(x, image.mean().expand_as(x))


@pytest.mark.parametrize("lam", [0.001, 0.01, 0.1])
def test_no_step_from_the_minimiser_is_downhill(lam, device):
    scan = simulated(device)
    x = TotalVariation(lam, iterations=3000)(scan.y, scan.A)
    lowest = objective(x, scan, lam)
    others = [TotalVariation(factor * lam, iterations=300)(scan.y, scan.A) for factor in (0.5, 0.9, 1.1, 2)]
    noise = torch.randn(8, *x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(0)).to(device)
    steps = [other - x for other in others] + list(noise) + [x, 1j * x, scan.truth - x]
    assert all(objective(x + size * step, scan, lam) > lowest * (1 - 1e-6) for step in steps for size in (-0.01, 0.01))


def test_default_iterations_come_close(device):
    scan = simulated(device)
    f = TotalVariation()
    best = objective(TotalVariation(f.lam, iterations=3000)(scan.y, scan.A), scan, f.lam)
    assert best * (1 - 1e-6) < objective(f(scan.y, scan.A), scan, f.lam) < 1.001 * best


def test_differences_have_their_adjoint_and_norm(device):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 6, 8, dtype=torch.complex128, generator=generator).to(device)
    p = torch.randn(2, 2, 6, 8, dtype=torch.complex128, generator=generator).to(device)
    assert_adjoint(differences, differences_adjoint, x, p)
    y, x = torch.meshgrid(torch.arange(6), torch.arange(8), indexing="ij")
    checkerboard = (1 - 2 * ((x + y) % 2)).to(device, torch.complex128)  # the singular vector of the largest value
    torch.testing.assert_close(differences_adjoint(differences(checkerboard)), NORM * checkerboard)


def test_homogeneous_with_lam_in_units_of_y(problem):
    x = TotalVariation(0.3, 20)(problem.y, problem.A)
    torch.testing.assert_close(TotalVariation(1e5 * 0.3, 20)(1e5 * problem.y, problem.A), 1e5 * x)


def test_each_image_alone_and_with_its_own_lam(problem):
    lams = [0.1, 0.4]
    together = TotalVariation(torch.tensor(lams), 20)(problem.y, problem.A)
    for i, lam in enumerate(lams):
        alone = problem[i]
        torch.testing.assert_close(together[i : i + 1], TotalVariation(lam, 20)(alone.y, alone.A), rtol=1e-6, atol=1e-7)


def test_nan_stays_in_its_image(problem):
    f, y = TotalVariation(0.1, 5), problem.y.clone()
    y[0][problem.A.sampled[0].expand_as(y[0])] = torch.nan
    x = f(y, problem.A)
    assert x[0].isnan().all()
    torch.testing.assert_close(x[1], f(problem.y, problem.A)[1])


def test_gradients_through_the_iterations(device):
    problem = make_problem(device, coils=2, height=3, width=4)
    y, maps = (part.clone().requires_grad_() for part in (problem.y, problem.A.maps.detach()))
    lam = torch.tensor([0.2, 0.5], dtype=torch.float64, device=device, requires_grad=True)
    assert gradcheck(lambda y, lam, maps: TotalVariation(lam, 4)(y, Sense(problem.A.mask, 0.9 * maps)), (y, lam, maps))


def test_euler_identity(problem):
    # F(c y, c lam) = c F(y, lam), so that the derivative along (y, lam) is F: a cut gradient breaks it
    lam = torch.tensor(0.3, dtype=torch.float64, device=problem.y.device)
    x, along = jvp(lambda y, lam: TotalVariation(lam, 10)(y, problem.A), (problem.y, lam), (problem.y, lam))
    torch.testing.assert_close(along, x)


def test_gradient_of_a_zero_image_is_finite(problem):
    y = torch.zeros_like(problem.y, requires_grad=True)
    TotalVariation(0.1, 5)(y, problem.A).real.sum().backward()
    assert y.grad.isfinite().all()
    assert y.grad.abs().max() > 0


def test_settings_out_of_range():
    assert_refused(lambda: TotalVariation(0.0), "lam: expected")
    assert_refused(lambda: TotalVariation(iterations=0), "iterations: expected")
