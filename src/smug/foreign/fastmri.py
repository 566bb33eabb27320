"""Networks of the fastMRI kind: masked k-space and mask to a magnitude."""

from typing import Any

import torch
from torch import Tensor

from smug.foreign.adapted import Adapted, Network
from smug.physics.sense import Sense


def fastmri_network(network: Network, **options: Any) -> Adapted:
    """Adapt a network of the fastMRI kind: ``network(masked_kspace, mask, **options) -> magnitude (batch, y, x)``.

    It gets k-space as real ``(batch, coil, y, x, 2)`` and the mask as bool ``(batch, 1, 1, x, 1)``, or
    ``(batch, 1, y, x, 1)`` for masks that are not lines. E2E-VarNet is one; ``options`` are for it, as in
    ``fastmri_network(varnet, num_low_frequencies=24)``. Such networks estimate coil maps from the measurements and see
    ``A.mask`` only, never ``A.maps``; their root of the sum of squares is the magnitude of the target where
    ``sum_c |s_c|^2 = 1``. :class:`Adapted` tells what is raised.
    """

    def call(network: Network, y: Tensor, A: Sense) -> Tensor:
        mask = A.sampled.expand(y.shape[0], -1, -1, -1).unsqueeze(-1)
        return network(torch.view_as_real((A.sampled * y).contiguous()), mask, **options)

    return Adapted(network, call)
