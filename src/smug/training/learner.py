"""One update: gradients of a batch, over parts and processes, and a step of Adam."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from smug.data.scan import Scan
from smug.models.compute import in_precision, recomputed
from smug.models.noise import derive, uniform
from smug.models.reconstructors import NetworkReconstructor
from smug.models.smoothing import ImageMap
from smug.system.distributed import Group
from smug.training.checkpoint import Place, restore_checkpoint, save_checkpoint
from smug.training.config import ComputeConfig, Config
from smug.training.first_images import FirstImages
from smug.training.methods import Terms, training_loss
from smug.training.schedule import learning_rate


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

    def forward(self, scan: Scan, seeds: Tensor, changes: Mapping[str, Any] = {}) -> Terms:
        """Return the weighted terms of the loss on a normalised scan; ``seeds`` are int64 ``(batch,)``.

        ``changes`` are settings of the reconstructor that this update alone has.
        """
        return self._loss(self._f.replace(**changes), scan, seeds)

    def _start(self, x: Tensor) -> Tensor:
        image: Tensor = self.start["denoiser"](x)
        return image


@dataclass(frozen=True, eq=False)
class Learner:
    """The networks of a run and their optimiser."""

    config: Config
    group: Group
    objective: Objective
    model: nn.Module
    optimizer: torch.optim.Optimizer
    device: torch.device
    first: FirstImages | None = None

    @classmethod
    def of(cls, f: NetworkReconstructor, config: Config, group: Group) -> Self:
        """Return the learner of a reconstructor's networks, where they are.

        Raises ValueError for a batch that has no equal shares for processes and parts.
        """
        shares, size = group.world * config.compute.accumulate, config.optimizer.batch
        if size % shares:
            raise ValueError(
                f"optimizer.batch: expected a multiple of processes x compute.accumulate = {shares}, got {size}"
            )
        networks = f.networks()
        networks.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        device = next(networks.parameters()).device
        objective = Objective(f, config)
        optimizer = torch.optim.Adam(networks.parameters(), config.optimizer.learning_rate, config.optimizer.betas)
        # one GPU a process is the current device already: see smug.system.distributed.joined
        model = DistributedDataParallel(objective) if group.world > 1 else objective
        return cls(config, group, objective, model, optimizer, device, _first_images(f, config))

    def update(self, number: int, scan: Scan) -> tuple[dict[str, float], float]:
        """Take this process's rows of the batch of an update; return the loss terms of all rows and the gradient norm.

        A gradient that is not finite changes nothing; the caller sees it in what is returned.
        """
        settings = self.config.optimizer
        self.objective.train()
        self.optimizer.zero_grad()
        seeds = _seeds(self.config.seed, number, settings.batch)[self.group.rows]
        with _addressed(self.config.seed, number, self.group, self.device):
            values = [self._backward(number, *part) for part in self._parts(scan.to(self.device), seeds)]
        terms = {name: float(self.group.mean(torch.stack([v[name] for v in values]).mean())) for name in values[0]}
        norm = nn.utils.clip_grad_norm_(self.objective.networks.parameters(), settings.clip_norm or torch.inf)
        if bool(norm.isfinite()) and torch.tensor(list(terms.values())).isfinite().all():
            for parameters in self.optimizer.param_groups:
                parameters["lr"] = self.learning_rate(number)
            self.optimizer.step()
        return terms, float(norm)

    def learning_rate(self, number: int) -> float:
        """Return the learning rate of an update."""
        settings = self.config.optimizer
        return learning_rate(settings.schedule, settings.learning_rate, number, settings.updates)

    def save(self, path: Path, place: Place) -> None:
        """Write a checkpoint."""
        save_checkpoint(path, self.objective, self.optimizer, self.config, place)

    def restore(self, path: Path) -> Place:
        """Go back to a checkpoint."""
        return restore_checkpoint(path, self.objective, self.optimizer, self.config)

    def _parts(self, scan: Scan, seeds: Tensor) -> Iterator[tuple[int, Scan, Tensor]]:
        """Yield the parts of a batch, each with its number."""
        for i, (part, own) in enumerate(parts(scan, seeds, self.config.compute.accumulate)):
            yield i, part, own

    def _changes(self, number: int, part: int, scan: Scan) -> dict[str, Any]:
        """Return the settings that an update alone has: its number of steps, and its first image if that is known."""
        steps = drawn_steps(self.config, number)
        changes: dict[str, Any] = {} if steps is None else {"steps": steps}
        return changes if self.first is None else changes | {"first": self.first.of(number, part, scan)}

    def _backward(self, number: int, part: int, scan: Scan, seeds: Tensor) -> dict[str, Tensor]:
        """Add the gradient of a part; processes exchange gradients once an update, with the last one."""
        last = part == self.config.compute.accumulate - 1
        alone = isinstance(self.model, DistributedDataParallel) and not last
        with self.model.no_sync() if alone else nullcontext():  # type: ignore[operator]
            terms: dict[str, Tensor] = self.model(scan, seeds, self._changes(number, part, scan))
            loss = torch.stack(list(terms.values())).sum() / self.config.compute.accumulate
            torch.autograd.backward(loss)
        return {name: value.detach() for name, value in terms.items()}


HALF = (torch.float16, torch.bfloat16)


def check_networks(networks: nn.Module) -> None:
    """Raise ValueError for networks without a weight to learn, with weights in half precision, or of other state."""
    if not any(weights.requires_grad for weights in networks.parameters()):
        raise ValueError("network: expected weights that require a gradient, got none: there is nothing to train")
    if halves := [name for name, weights in networks.named_parameters() if weights.dtype in HALF]:
        raise ValueError(
            f"network: expected weights in single or double precision, got {halves[0]} in half; "
            'compute.precision = "bf16" lets the denoiser compute in it'
        )
    if others := [name for name, value in networks.state_dict().items() if not isinstance(value, Tensor)]:
        raise ValueError(
            f"network: expected a state of tensors, got {others[0]}, which files of weights cannot hold; "
            "a buffer holds numbers"
        )


def _first_images(f: NetworkReconstructor, config: Config) -> FirstImages | None:
    """Return the first images to keep: of measurements that come again."""
    first, cycle = f.settings().get("first"), config.data.cycle
    return FirstImages(first, cycle) if first is not None and cycle else None


def _seeds(seed: int, number: int, batch: int) -> Tensor:
    """Return one seed per image of an update."""
    return derive(torch.arange(batch) + 2**32 * seed, number)


STEPS = 2**30
"""The address of an update's number of steps below its seed, which no process has."""


def drawn_steps(config: Config, number: int) -> int | None:
    """Return how many steps an update unrolls, each number of ``training_steps`` as likely; None without these."""
    if not config.training_steps:
        return None
    low, high = config.training_steps
    return low + int(float(uniform(derive(torch.tensor(config.seed), number, STEPS))) * (high - low + 1))


@contextmanager
def _addressed(seed: int, number: int, group: Group, device: torch.device) -> Iterator[None]:
    """Let torch's own random numbers, which dropout in somebody's network draws, depend on the update alone."""
    address = int(derive(torch.tensor(seed), number, group.rank))
    gpus = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        torch.default_generator.manual_seed(address)
        if gpus:
            torch.cuda.manual_seed(address)
        yield


def _computed(f: NetworkReconstructor, compute: ComputeConfig) -> NetworkReconstructor:
    """Return the reconstructor with the same networks, run as ``compute`` says."""
    return f.replace(**{name: _wrapped(network, compute) for name, network in f.image_networks().items()})


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
