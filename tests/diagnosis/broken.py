"""Reconstructors that are broken on purpose, each in one way, around CG-SENSE or a small MoDL."""

from dataclasses import dataclass

import torch
from torch import Tensor

from smug.models.classical import CGSense
from smug.models.noise import Seeds, complex_normal, entry_seeds
from smug.physics.consistency import solve
from smug.physics.scale import measurement_scale
from smug.physics.sense import Sense
from smug.reconstructor import Configured

cg_sense = CGSense()


def random_output(y: Tensor, A: Sense, generator: Seeds = None) -> Tensor:
    """Draw noise from torch's own state, and ignore the generator."""
    x = cg_sense(y, A)
    return x + 1e-3 * torch.randn_like(x)


def without_graph(y: Tensor, A: Sense) -> Tensor:
    """Reconstruct under no_grad, as deployed code does."""
    with torch.no_grad():
        return cg_sense(y, A)


def rounded(y: Tensor, A: Sense) -> Tensor:
    """Write integers, as a DICOM file does: the gradient of rounding is zero."""
    parts = torch.view_as_real(cg_sense(y, A))
    return torch.view_as_complex((1000 * parts).round() / 1000)


def root_of_zero(y: Tensor, A: Sense) -> Tensor:
    """Soft-threshold the magnitude, with the root of zero outside the support: its gradient is 0 times infinity."""
    x = cg_sense(y, A)
    support = x.abs() > 0.1 * x.abs().amax((-2, -1), keepdim=True)
    x = support * x
    return x * (x.real.square() + x.imag.square()).sqrt()


def iterate(y: Tensor, A: Sense, measured: Tensor, steps: int = 3, lam: float = 1.0) -> Tensor:
    """Unroll ``(A^H A + lam) x = A^H measured + lam tanh(x)`` from ``A^H y``."""
    x = A.H(y)
    for _ in range(steps):
        z = torch.view_as_complex(torch.view_as_real(x).tanh())
        x = solve(A, A.H(measured) + lam * z, lam).value
    return x


def cut_consistency(y: Tensor, A: Sense) -> Tensor:
    """Keep the measurements of the data-consistency steps out of the graph."""
    return iterate(y, A, y.detach())


def cut_first_image(y: Tensor, A: Sense) -> Tensor:
    """Keep the first image out of the graph."""
    return iterate(y.detach(), A, y, steps=1)


def cut_scale(y: Tensor, A: Sense) -> Tensor:
    """Divide by a scale, and multiply by the same scale without its gradient."""
    scale = measurement_scale(y, A)
    scaled = y / scale.unsqueeze(-3)
    return scale.detach() * iterate(scaled, A, scaled)


def unconverged(y: Tensor, A: Sense) -> Tensor:
    """Stop conjugate gradients after three iterations."""
    return solve(A, A.H(y), 0.01, max_iterations=3).value


@dataclass(frozen=True)
class Shattered(Configured):
    """Add a small fast wave of random phase: correct gradients that point anywhere. Without samples it is gone."""

    num_samples: int = 1

    def __call__(self, y: Tensor, A: Sense, generator: Seeds = None) -> Tensor:
        x = cg_sense(y, A)
        phase = complex_normal(entry_seeds(generator, y.shape[0]), x.shape[1:], x.dtype, x.device)
        wave = torch.view_as_real(1e5 * x + 10 * phase).sin()
        return x + self.num_samples * 3e-4 * torch.view_as_complex(wave)


@dataclass(frozen=True)
class Guarded:
    """Fall back on a stored image where the measurements are further from the expected ones than a threshold."""

    expected: Tensor
    threshold: Tensor
    stored: Tensor

    def __call__(self, y: Tensor, A: Sense) -> Tensor:
        distance = (y - self.expected).abs().square().sum((-3, -2, -1)).sqrt()
        trusted = distance < self.threshold
        return torch.where(trusted[:, None, None], cg_sense(y, A), self.stored)
