"""Other reconstructors in place of the attacked one: cheaper gradients, and the attacker who knows the noise."""

from dataclasses import dataclass

import torch
from torch import Tensor

from smug.data.scan import Scan
from smug.models.noise import Seeds, derive
from smug.physics.operator import Operator, check_measurements
from smug.reconstructor import Reconstructor, Wrapper, described, taking_generator
from smug.system.arguments import check_arguments


@check_arguments
def noise_free(f: Reconstructor) -> Reconstructor:
    """Return ``f`` without its smoothing noise, ``num_samples=0``; ``f`` itself if it has no such setting."""
    return described(f).replace(num_samples=0) if "num_samples" in described(f).settings() else f


@dataclass(frozen=True, eq=False)
class Seeded(Wrapper):
    """A reconstructor whose noise is always that of one seed, whatever generator it is given."""

    reconstructor: Reconstructor
    seed: int

    def __call__(self, y: Tensor, A: Operator, generator: Seeds = None) -> Tensor:
        """Reconstruct complex ``(batch, y, x)`` from k-space ``(batch, coil, y, x)``."""
        A = check_measurements(y, A)
        seeds = torch.full((y.shape[0],), self.seed, dtype=torch.int64)
        return taking_generator(self.reconstructor)(y, A, generator=seeds)


@check_arguments
def with_seed(f: Reconstructor, seed: int) -> Seeded:
    """Return ``f`` with the noise of one seed: to attack it is to know the noise bank in advance.

    The attack on it bounds from above what is to be feared of a deployment with a fixed seed.
    """
    return Seeded(f, seed)


@check_arguments
def is_random(f: Reconstructor, scan: Scan) -> bool:
    """Tell whether the reconstruction of a scan depends on the generator's seed."""
    f, zero = taking_generator(f), torch.zeros(len(scan.y), dtype=torch.int64)
    with torch.no_grad():
        one, other = (f(scan.y, scan.A, generator=derive(zero, draw)) for draw in range(2))
    return not torch.equal(one.nan_to_num(), other.nan_to_num())
