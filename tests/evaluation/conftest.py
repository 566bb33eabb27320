"""Outcomes of made-up methods: what the tables, figures and reports show."""

from collections.abc import Callable

import pytest
import torch

from smug.evaluation.row import Outcome, Row
from smug.metrics import head_mask, nmse, psnr, ssim

Make = Callable[..., list[Outcome]]


@pytest.fixture
def outcomes() -> Make:
    """Make outcomes: every model is better than the one before, every condition is worse."""

    def make(models=("cg", "modl"), conditions=("clean", "PGD 0.05"), slices=("one", "two"), size=32) -> list[Outcome]:
        generator = torch.Generator().manual_seed(0)

        def noise() -> torch.Tensor:
            return torch.randn(size, size, dtype=torch.complex64, generator=generator)

        made = []
        for name in slices:
            target = torch.zeros(size, size, dtype=torch.complex64)
            target[size // 8 : -size // 8, size // 4 : -size // 4] = 2
            target += 0.05 * noise()
            for m, model in enumerate(models):
                for c, condition in enumerate(conditions):
                    image = target + 0.1 * (1 + 2 * c) / (1 + m) * noise()
                    x, t = image[None], target[None]
                    numbers = (psnr(x, t), ssim(x, t), nmse(x, t), psnr(x, t, "complex"))
                    head = head_mask(t)
                    inside = {"psnr_head": psnr(x, t, region=head).item(), "ssim_head": ssim(x, t, region=head).item()}
                    row = Row(model, condition, name, *(n.item() for n in numbers), relative_l2=0.05 * c, **inside)
                    made.append(Outcome(row, image, target))
        return made

    return make
