"""What an attack costs, counted."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Self

import torch
from torch import Tensor

from smug.attacks.suite import Run
from smug.attacks.threat import Threat
from smug.models.noise import Seeds, complex_normal, entry_seeds
from smug.physics.sense import Sense


@dataclass(frozen=True)
class Cost:
    """Calls of the reconstructor per slice: reconstructions alone, and with a gradient (forwards and backwards).

    Those of the noise-free reconstructor are counted apart: without 10 samples they cost a tenth.
    """

    forwards: int
    gradients: int
    noise_free_forwards: int
    noise_free_gradients: int


def cost(run: Run) -> Cost:
    """Return what an attack costs on a random reconstructor, counted on the smallest of problems.

    >>> from smug.attacks import paper
    >>> cost(paper)
    Cost(forwards=3, gradients=10, noise_free_forwards=0, noise_free_gradients=0)
    """
    counting, A = Counting(), Sense(mask=torch.ones(1, 4, dtype=torch.bool))
    target = torch.ones(1, 4, 4, dtype=torch.complex64)
    run(counting, A(target), A, target, Threat(0.1, "linf", "kspace-l2"))
    return Cost(*(counting.calls[noisy, gradient] for noisy in (True, False) for gradient in (False, True)))


@dataclass(frozen=True)
class Counting:
    """A random linear reconstructor that counts its calls, by whether it has noise and whether a gradient follows."""

    noisy: bool = True
    calls: Counter[tuple[bool, bool]] = field(default_factory=Counter)

    def __call__(self, y: Tensor, A: Sense, generator: Seeds = None) -> Tensor:
        """Reconstruct."""
        self.calls[self.noisy, torch.is_grad_enabled()] += 1
        x = A.H(y)
        if not self.noisy:
            return x
        return x + complex_normal(entry_seeds(generator, len(x)), x.shape[1:], x.dtype, x.device)

    def replace(self, num_samples: int) -> Self:
        """Return it with noise or without; the count is one."""
        return replace(self, noisy=num_samples > 0)
