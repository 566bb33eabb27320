"""DeepInverse itself, in an environment of its own: ``PYTHONPATH=src python tests/foreign/deepinv_real.py``.

It needs torch 2.14.1, torchvision 0.29.1, deepinv, scipy, safetensors and lazy_loader. Every physics is checked as an
operator, reconstructed, attacked and certified; MultiCoilMRI is compared with Sense, whose gram must not be called. It
prints what it saw, and fails where something does not hold.
"""

from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import torch
from torch import Tensor

import smug

SIZE = 48
THREAT = smug.Threat(0.02, norm="l2", unit="kspace-l2")


def physics() -> Iterator[tuple[str, Any, torch.dtype]]:
    """Yield physics of all kinds, their names and the dtype of their images."""
    from deepinv.physics import MRI, Blur, BlurFFT, GaussianNoise, Inpainting, MultiCoilMRI, PoissonNoise, Tomography

    torch.manual_seed(0)
    profile = torch.exp(-((torch.arange(9) - 4.0) ** 2) / (2 * 1.5**2))
    kernel = (profile[:, None] * profile / profile.sum() ** 2)[None, None]
    size, noise = (1, SIZE, SIZE), {"noise_model": GaussianNoise(0.01)}
    mask = (torch.rand(SIZE, SIZE) < 0.4).float()
    mask[SIZE // 2 - 4 : SIZE // 2 + 4, SIZE // 2 - 4 : SIZE // 2 + 4] = 1
    maps = smug.simulate(smug.head_phantom(1, SIZE)[None]).A.maps  # type: ignore[attr-defined]
    yield "Tomography", Tomography(angles=30, img_width=SIZE, circle=False, normalize=True, **noise), torch.float32
    poisson = PoissonNoise(gain=0.01, clip_positive=True)
    yield "Blur", Blur(filter=kernel, padding="circular", noise_model=poisson), torch.float32
    yield "BlurFFT", BlurFFT(img_size=size, filter=kernel, **noise), torch.float32
    yield "Inpainting", Inpainting(img_size=size, mask=0.6, **noise), torch.float32
    yield "MRI", MRI(mask=mask, img_size=(SIZE, SIZE), **noise), torch.complex64
    yield "MultiCoilMRI", MultiCoilMRI(mask=mask, coil_maps=maps, **noise), torch.complex64


def methods() -> dict[str, Any]:
    """Return the reconstructors that are tried."""
    torch.manual_seed(0)
    network = smug.UNet(channels=8)
    for parameter in network.parameters():
        parameter.data += 0.01 * torch.randn_like(parameter)
    smoothing = smug.Smoothing(sigma=0.01, num_samples=2)
    return {
        "CG": smug.CGSense(0.01),
        "TV": smug.TotalVariation(0.003, iterations=100),
        "ridge": smug.Ridge(smug.RidgeRegulariser(filters=4, widths=(2,)), lam=0.01, sigma=0.02, tau=0.1),
        "MoDL": smug.MoDL(network, steps=3),
        "SMUG": smug.SMUG(network, smoothing, steps=3),
        "weighted SMUG": smug.WeightedSMUG(network, smug.WeightEncoder(), smoothing, steps=3),
        "RS-E2E": smug.RSE2E(network, smoothing, steps=3),
    }


def image(dtype: torch.dtype) -> Tensor:
    """Return the phantom, ``(1, y, x)``."""
    head = smug.head_phantom(seed=1, size=SIZE)[None]
    return head.to(dtype) if dtype.is_complex else head.abs()


def main() -> None:
    """Try everything and print what was seen."""
    import deepinv
    import torchvision

    print(f"torch {torch.__version__}, torchvision {torchvision.__version__}, deepinv {deepinv.__version__}")
    for name, each, dtype in physics():
        A = smug.foreign.deepinv.operator(each)
        facts = smug.check_operator(A, (SIZE, SIZE), dtype, tolerance=2e-3)
        x = image(dtype)
        y = A.measure(x)
        assert torch.equal(A.measure(x), y)
        scan = smug.Scan(y, A, x, (name,))
        worst = max(facts.errors, key=lambda key: facts.errors[key])
        print(
            f"{name}: {tuple(y.shape)} {y.dtype}, norm {facts.norm:.3f}, noise {float((y - A(x)).abs().mean()):.3g}, "
            f"scale {float(smug.measurement_scale(y, A)):.2f} of {float(x.abs().max()):.2f}, "
            f"largest error {facts.errors[worst]:.1e} ({worst})"
        )
        for method, f in methods().items():
            before = smug.metrics.psnr(f(y, A), x).detach()
            delta = smug.attacks.fast(f, scan, THREAT).delta
            after = smug.metrics.psnr(f(y + delta, A), x).detach()
            print(f"  {method}: {float(before):.2f} dB, attacked {float(after):.2f} dB")
            assert after < before + 0.05
        curve = smug.bounds.percentile_curve(smug.CGSense(0.01), y, A, x, 0.01, (1.0,), draws=20)
        print(f"  certified at one sigma: {curve.points[0].psnr:.2f} dB")
    compared()


def compared() -> None:
    """Compare MultiCoilMRI with Sense."""
    scan = smug.simulate(smug.head_phantom(1, SIZE)[None])
    A = smug.foreign.deepinv.operator(smug.foreign.deepinv_physics(scan.y, scan.A))
    for method, f in methods().items():
        expected = f(scan.y, scan.A)
        with mock.patch.object(smug.Sense, "gram", _forbidden):
            found = f(scan.y, A)
        error = float((found - expected).detach().norm() / expected.detach().norm())
        print(f"MultiCoilMRI against Sense, {method}: {error:.1e}")
        assert error < 1e-5


_forbidden: Callable[..., Tensor] = mock.Mock(side_effect=AssertionError("Sense.gram was called"))


if __name__ == "__main__":
    main()
