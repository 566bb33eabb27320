"""From networks of two real channels to denoisers of complex images."""

import torch
from torch import Tensor, nn


class ComplexDenoiser(nn.Module):
    """A denoiser of complex images ``(batch, y, x)`` made from a network of real ``(batch, 2, y, x)``."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Denoise complex images; the network sees real and imaginary part as channels, in its own precision."""
        if not x.is_complex():
            raise ValueError(f"denoiser: expected complex images (batch, y, x), got {x.dtype}")
        parts = torch.view_as_real(x).movedim(-1, -3)
        result: Tensor = self.network(parts)
        return torch.view_as_complex(result.movedim(-3, -1).contiguous())


def as_complex(network: nn.Module) -> ComplexDenoiser:
    """Adapt a network of two real channels ``(batch, 2, y, x)`` to complex images ``(batch, y, x)``."""
    return ComplexDenoiser(network)


def clamped(denoiser: nn.Module, limit: float = 1.0) -> nn.Module:
    """Clamp both parts of what the denoiser sees to ``[-limit, limit]``, as the authors' code does and (5) does not."""

    class Clamped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.denoiser = denoiser

        def forward(self, x: Tensor) -> Tensor:
            result: Tensor = self.denoiser(torch.view_as_complex(torch.view_as_real(x).clamp(-limit, limit)))
            return result

    return Clamped()
