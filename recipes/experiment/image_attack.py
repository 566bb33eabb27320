"""The attack of the authors' first public code, by its idea: on the aliased image instead of on the measurements.

``A^H y + delta`` is the first image and the ``A^H y`` of every solve; the parts of delta are at most epsilon times the
largest magnitude of the target. Ten steps of epsilon / 3 along the sign of the gradient, from clipped Gaussian noise.
The blind attack knows the network without its smoothing noise only, and only the gradient by way of the first image, as
their solver passed no other on. The adaptive one has the whole gradient of the reconstructor that is attacked.
"""

import torch
from torch import Tensor

import smug

STEPS = 10
NO_NOISE = smug.Smoothing(num_samples=0)


def reconstruct(f: smug.Described, first: Tensor, aliased: Tensor, A: smug.LinearOperator, seeds: Tensor) -> Tensor:
    """Return the image of a loop that begins with ``first`` and solves with ``aliased``, ``(batch, y, x)``.

    ``f`` is one of the unrolled reconstructors, of normalised measurements.
    """
    own = f.settings()
    denoiser, lam, steps = own["denoiser"], own["lam"], own["steps"]
    smoothing = own.get("smoothing", NO_NOISE)

    def denoise(x: Tensor) -> Tensor:
        result: Tensor = denoiser(x.flatten(0, -3)).reshape(x.shape)
        return result

    def weight(x: Tensor) -> Tensor:
        result: Tensor = own["encoder"](x.flatten(0, -3)).reshape(x.shape[:-2])
        return result

    def loop(x: Tensor, aliased: Tensor, inner: smug.Smoothing) -> Tensor:
        for n in range(steps):
            drawn = seeds if inner.shared_draws else seeds + n
            z = smug.smooth(denoise, x, inner, drawn, weight if "encoder" in own else None).value
            x = smug.solve(A, aliased + lam * z, lam).value
        return x

    if isinstance(f, smug.RSE2E) and smoothing.num_samples:
        return smug.smooth(lambda x: loop(x, x, NO_NOISE), aliased, smoothing, seeds).value
    return loop(first, aliased, smoothing)


def attack(f: smug.Described, scan: smug.Scan, epsilon: float, seed: int = 0, *, adaptive: bool) -> Tensor:
    """Return the perturbation of the aliased images of a normalised scan, complex ``(batch, y, x)``."""
    radius = epsilon * scan.truth.abs().amax((-2, -1), keepdim=True)[..., None]
    aliased, seeds = scan.A.H(scan.y), torch.arange(len(scan.id)) * 1000 + seed
    generator = torch.Generator().manual_seed(seed)
    delta = radius * torch.randn(*scan.truth.shape, 2, generator=generator).clamp(-1, 1).to(radius.device)
    attacked = f if adaptive or "num_samples" not in f.settings() else f.replace(num_samples=0)
    for step in range(STEPS):
        delta.requires_grad_()
        whole = aliased + torch.view_as_complex(delta)
        solved = whole if adaptive else whole.detach()
        image = reconstruct(attacked, whole, solved, scan.A, seeds + 100 * (step + 1))
        error = torch.view_as_real(image - scan.truth).square().sum()
        (gradient,) = torch.autograd.grad(error, delta)
        delta = (delta.detach() + radius / 3 * gradient.sign()).clamp(-radius, radius)
    return torch.view_as_complex(delta)
