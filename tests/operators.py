"""Small operators of several kinds for tests: but for Sense they are as a user would write them."""

import torch
from torch import Tensor

from smug.physics.operator import LinearOperator, operator
from smug.physics.sense import Sense

SIZE = (12, 10)


class Blur:
    """A circular blur: a plain class with the two methods that are demanded."""

    def __init__(self, dtype: torch.dtype = torch.float64) -> None:
        y, x = (torch.fft.fftfreq(n, dtype=dtype) for n in SIZE)
        self.response = torch.exp(-20 * (y[:, None] ** 2 + x**2)) * (1 + 0.2j * torch.sin(6.28 * x))

    def __call__(self, image: Tensor) -> Tensor:
        return torch.fft.ifft2(self.response * torch.fft.fft2(image)).real

    def H(self, y: Tensor) -> Tensor:
        return torch.fft.ifft2(self.response.conj() * torch.fft.fft2(y)).real


class Inpainting(LinearOperator):
    """Pixels that are seen, another half for every image."""

    def __init__(self, masks: Tensor) -> None:
        self.masks = masks

    def __call__(self, image: Tensor) -> Tensor:
        return self.masks * image

    def H(self, y: Tensor) -> Tensor:
        return self.masks * y

    @property
    def sampled(self) -> Tensor:
        return self.masks

    @property
    def batch(self) -> int:
        return len(self.masks)

    def __getitem__(self, index):
        return Inpainting(self.masks[index : index + 1] if isinstance(index, int) else self.masks[index])


class Matrix(LinearOperator):
    """A dense matrix, real or complex, of measurements without any shape."""

    def __init__(self, matrix: Tensor) -> None:
        self.matrix = matrix

    def __call__(self, image: Tensor) -> Tensor:
        return image.flatten(1) @ self.matrix.mT

    def H(self, y: Tensor) -> Tensor:
        return (y @ self.matrix.conj()).reshape(-1, *SIZE)


def sums() -> LinearOperator:
    """Sums over rows, columns and diagonals, as of a tomograph: two functions."""

    def forward(image: Tensor) -> Tensor:
        turned = (image, image.mT, torch.stack([row.roll(i, -1) for i, row in enumerate(image.unbind(-2))], -2))
        return torch.cat([each.sum(-2) for each in turned], -1) / 6

    def adjoint(y: Tensor) -> Tensor:
        height, width = SIZE
        down, across, slant = torch.split(y, [width, height, width], -1)
        rows = [slant.roll(-i, -1) for i in range(height)]
        return (down[:, None, :] + across[:, :, None] + torch.stack(rows, -2)) / 6

    return operator(forward, adjoint)


def sense(dtype: torch.dtype = torch.complex128) -> Sense:
    draw = torch.Generator().manual_seed(0)
    maps = torch.randn(1, 3, *SIZE, dtype=dtype, generator=draw)
    mask = torch.rand(1, *SIZE, generator=draw) < 0.5
    mask[:, 4:8, 3:7] = True
    return Sense(mask, maps / maps.abs().square().sum(1, keepdim=True).sqrt())


def masks(batch: int = 2) -> Tensor:
    return torch.rand(batch, *SIZE, generator=torch.Generator().manual_seed(1)) < 0.6


def matrix(dtype: torch.dtype) -> Tensor:
    return torch.randn(80, SIZE[0] * SIZE[1], dtype=dtype, generator=torch.Generator().manual_seed(2)) / 20


OPERATORS = {
    "sense": (sense, torch.complex128),
    "blur": (Blur, torch.float64),
    "inpainting": (lambda: Inpainting(masks()), torch.float64),
    "matrix": (lambda: Matrix(matrix(torch.float64)), torch.float64),
    "complex matrix": (lambda: Matrix(matrix(torch.complex128)), torch.complex128),
    "sums": (sums, torch.float64),
}
"""Operators by name, and the dtype of their images."""


def images(dtype: torch.dtype, batch: int = 2) -> Tensor:
    """Smooth positive images with a phase where they are complex."""
    y, x = (torch.linspace(-1, 1, n, dtype=torch.float64) for n in SIZE)
    bumps = [torch.exp(-3 * ((y[:, None] - 0.2 * i) ** 2 + x**2)) for i in range(batch)]
    image = torch.stack(bumps)
    return (image * torch.exp(1j * x)).to(dtype) if dtype.is_complex else image.to(dtype)
