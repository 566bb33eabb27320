"""The centred, orthonormal Fourier transform between images and k-space."""

from collections.abc import Sequence

import torch
from torch import Tensor


def fft2c(image: Tensor, dim: Sequence[int] = (-2, -1)) -> Tensor:
    """Transform images to k-space; zero frequency and image centre lie at index ``n // 2``.

    ``image`` is complex ``(..., y, x)``; the result has the same shape and the same l2 norm.
    """
    uncentred = torch.fft.fftn(torch.fft.ifftshift(image, dim=dim), dim=dim, norm="ortho")
    kspace: Tensor = torch.fft.fftshift(uncentred, dim=dim)
    return kspace


def ifft2c(kspace: Tensor, dim: Sequence[int] = (-2, -1)) -> Tensor:
    """Transform k-space to images: the inverse and the adjoint of :func:`fft2c`."""
    uncentred = torch.fft.ifftn(torch.fft.ifftshift(kspace, dim=dim), dim=dim, norm="ortho")
    image: Tensor = torch.fft.fftshift(uncentred, dim=dim)
    return image
