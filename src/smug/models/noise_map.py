"""How receiver noise appears in the image: the pseudo-multiple-replica method (Robson et al. 2008)."""

import torch
from torch import Tensor

from smug.evaluation_mode import check_mode
from smug.models.noise import Seeds, derive, entry_seeds, normal
from smug.physics.operator import Operator, check_measurements
from smug.reconstructor import Reconstructor, taking_generator
from smug.system.arguments import check_arguments, check_integer, check_number

RECEIVER = -1
"""The address of receiver noise below a seed: no unrolling step, so that no smoothing noise repeats it."""


@check_arguments
@torch.no_grad()
def noise_map(
    f: Reconstructor, y: Tensor, A: Operator, noise_sigma: float, replicas: int = 32, generator: Seeds = None
) -> Tensor:
    """Return the standard deviation, per real and imaginary part, of the reconstruction under receiver noise.

    ``noise_sigma`` is that of the measurements per part; the map is real ``(batch, y, x)`` in the image's units.
    Replicas of the noise are added to the entries of ``y`` that are measured, and all reconstructed with the same
    smoothing noise. The map tells how noise is amplified, not how far the image is from the truth. Its relative error
    is about ``1 / sqrt(4 replicas)``. Raises ValueError for fewer than two replicas, a negative sigma and a
    network in training mode.
    """
    A = check_measurements(y, A)
    check_integer("replicas", replicas, 2)
    check_number("noise_sigma", noise_sigma, 0)
    seeds = entry_seeds(generator, y.shape[0])
    check_mode(f)
    receiver = derive(seeds, RECEIVER)
    f = taking_generator(f)
    total, squares = torch.zeros(()), torch.zeros(())
    centre = f(y, A, generator=seeds)
    for replica in range(replicas):
        noise = noise_sigma * normal(derive(receiver, replica), y.shape[1:], y.dtype, y.device)
        deviation = f(y + A.sampled * noise, A, generator=seeds) - centre
        total, squares = total + deviation, squares + deviation.abs().square()
    variance = (squares - total.abs().square() / replicas) / (replicas - 1)
    return (variance.clamp_min(0) / (2 if centre.is_complex() else 1)).sqrt()
