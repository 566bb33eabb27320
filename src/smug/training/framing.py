"""Which part of an image is trained on, in which matrix and at which pixel size, and how it is turned."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad


@dataclass(frozen=True)
class Frame:
    """A box of an image, which may reach beyond it, and the ``matrix`` (y, x) that it becomes.

    ``top`` and ``left`` are its corner, ``box`` its height and width, all in pixels of the image.
    """

    top: int
    left: int
    box: tuple[int, int]
    matrix: tuple[int, int]

    @classmethod
    def drawn(cls, image: Tensor, matrix: tuple[int, int], pixel: float, rng: np.random.Generator) -> Self:
        """Return a box of ``matrix`` pixels that are ``pixel`` times as large as those of the image ``(y, x)``.

        Its corner is in the middle half of where it can be, so that there is always anatomy. Along an axis where the
        box is larger than the image, the image is in its middle.
        """
        box = round(matrix[0] * pixel), round(matrix[1] * pixel)
        (y, x), (height, width) = image.shape, box
        rooms = np.array([y - height, x - width])
        margins = np.maximum(rooms, 0)
        corner = rng.integers(margins // 4, margins - margins // 4 + 1) if margins.any() else np.zeros(2, int)
        top, left = np.where(rooms < 0, -((-rooms) // 2), corner)
        return cls(int(top), int(left), box, matrix)

    def of(self, image: Tensor) -> Tensor:
        """Return the box of an image ``(y, x)`` in its matrix: surrounded by zeros, resampled to larger pixels."""
        height, width = self.box
        before = max(-self.top, 0), max(-self.left, 0)
        inside = image[max(self.top, 0) : self.top + height, max(self.left, 0) : self.left + width]
        after = height - before[0] - inside.shape[0], width - before[1] - inside.shape[1]
        if any((*before, *after)):
            inside = pad(inside, (before[1], after[1], before[0], after[0]))
        return inside if self.box == self.matrix else _resampled(inside, self.matrix)


def _resampled(image: Tensor, matrix: tuple[int, int]) -> Tensor:
    """Return a complex image ``(y, x)`` with other pixels, by cubic interpolation without aliases."""
    parts = torch.view_as_real(image).permute(2, 0, 1)[None]
    parts = interpolate(parts, matrix, mode="bicubic", antialias=True)[0]
    return torch.view_as_complex(parts.permute(1, 2, 0).contiguous())


def turned(image: Tensor, symmetry: int) -> Tensor:
    """Apply one of the eight symmetries of the square; what is not square keeps its axes."""
    if symmetry & 1:
        image = image.flip(-1)
    if symmetry & 2:
        image = image.flip(-2)
    return image.mT if symmetry & 4 and image.shape[-1] == image.shape[-2] else image
