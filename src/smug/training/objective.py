"""The loss of a run as a module, as DistributedDataParallel wants it."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from smug.data.scan import Scan
from smug.models.precision import in_precision
from smug.models.recompute import recomputed
from smug.models.reconstructors import NetworkReconstructor
from smug.models.smoothing import ImageMap
from smug.training.config import ComputeConfig, Config
from smug.training.methods import Terms, training_loss


class Objective(nn.Module):
    """The terms of the configured loss as a function of scan and seeds, and all networks that a run depends on.

    ``networks`` are those that learn; ``start`` is the denoiser as it was at first, where a stability target wants it.
    """

    def __init__(self, f: NetworkReconstructor, config: Config) -> None:
        super().__init__()
        self.networks = f.networks()
        self.start = nn.ModuleDict()
        if config.stability_target.startswith("frozen"):
            self.start["denoiser"] = deepcopy(self.networks["denoiser"]).requires_grad_(False)
        self._f = _computed(f, config.compute)
        self._loss = training_loss(config, torch.no_grad()(self._start))

    def forward(self, scan: Scan, seeds: Tensor) -> Terms:
        """Return the weighted terms of the loss on a normalised scan; ``seeds`` are int64 ``(batch,)``."""
        return self._loss(self._f, scan, seeds)

    def _start(self, x: Tensor) -> Tensor:
        image: Tensor = self.start["denoiser"](x)
        return image


def _computed(f: NetworkReconstructor, compute: ComputeConfig) -> NetworkReconstructor:
    """Return the reconstructor with the same networks, run as ``compute`` says."""
    return f.replace(**{name: _wrapped(network, compute) for name, network in f.networks().items()})


def _wrapped(network: ImageMap, compute: ComputeConfig) -> ImageMap:
    if compute.compile:
        network = torch.compile(network)
    if compute.precision == "bf16":
        network = in_precision(network, torch.bfloat16)
    return recomputed(network) if compute.recompute else network


def parts(scan: Scan, seeds: Tensor, count: int) -> list[tuple[Scan, Tensor]]:
    """Split a scan and its seeds into equal parts, to be computed one after another."""
    size = len(scan.id) // count
    rows = [slice(start, start + size) for start in range(0, len(scan.id), size)]
    return [(scan[row], seeds[row]) for row in rows]
