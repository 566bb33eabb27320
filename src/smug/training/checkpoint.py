"""The state of a run in one safetensors file: networks, optimiser, update. Random numbers follow from the update."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from smug.system.files import write_atomically
from smug.training.config import Config
from smug.training.config_file import differences, digest, from_dict, to_dict
from smug.training.weights_file import read_metadata, read_tensors

SCHEMA = "smug-checkpoint-1"
CHECKPOINT = "checkpoint.safetensors"


@dataclass(frozen=True)
class Place:
    """How far a run is: updates done, and the seconds they took."""

    update: int = 0
    seconds: float = 0.0


def save_checkpoint(path: Path, modules: nn.Module, optimizer: Optimizer, config: Config, place: Place) -> None:
    """Write the state of a run; the previous checkpoint stays until the new one is completely on the disk.

    ``modules`` are all networks; the parameters that learn are those of ``optimizer``.
    """
    from safetensors.torch import save

    state = {f"modules.{name}": value for name, value in modules.state_dict().items()}
    for name, values in _optimizer_state(modules, optimizer).items():
        state |= {f"optimizer.{key}.{name}": value for key, value in values.items()}
    metadata = {
        "schema": SCHEMA,
        "config": json.dumps(to_dict(config)),
        "config_sha256": digest(config),
        "update": str(place.update),
        "seconds": repr(place.seconds),
    }
    content = save({name: value.detach().cpu().contiguous() for name, value in state.items()}, metadata)
    write_atomically(path, lambda temporary: _write_through(temporary, content))


def restore_checkpoint(path: Path, modules: nn.Module, optimizer: Optimizer, config: Config) -> Place:
    """Restore networks and optimiser from the checkpoint, and return how far it is.

    Raises FileNotFoundError, and ValueError for a file that is not a checkpoint of this configuration.
    """
    state, metadata = read_tensors(path)
    stored, place = _described(path, metadata)
    if digest(stored) != digest(config):
        changed = ", ".join(differences(config, stored))
        raise ValueError(
            f"{path}: the run has another configuration ({changed}); give its own, or start in a new folder"
        )
    try:
        modules.load_state_dict(_under("modules.", state))
        _restore_optimizer(modules, optimizer, _under("optimizer.", state))
    except (RuntimeError, KeyError, ValueError) as error:
        raise ValueError(
            f"{path}: the checkpoint does not fit the networks: {str(error).splitlines()[-1].strip()}"
        ) from None
    return place


def reached(path: Path) -> Place:
    """Return how far the run of a checkpoint is: nowhere if there is none; raises ValueError for another file."""
    return _described(path, read_metadata(path))[1] if path.exists() else Place()


def weights_hash(modules: nn.Module) -> str:
    """Return a hash of all weights, which tells where a run started."""
    result = hashlib.sha256()
    for name, value in sorted(modules.state_dict().items()):
        result.update(name.encode())
        result.update(value.detach().cpu().contiguous().numpy().tobytes())
    return result.hexdigest()


def _described(path: Path, metadata: Mapping[str, str]) -> tuple[Config, Place]:
    if metadata.get("schema") != SCHEMA:
        raise ValueError(f"{path}: expected a checkpoint of schema {SCHEMA}, got {metadata.get('schema', 'none')}")
    try:
        place = Place(int(metadata["update"]), float(metadata["seconds"]))
        return from_dict(json.loads(metadata["config"])), place
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: the checkpoint cannot be read: {error}") from error


def _names(modules: nn.Module, optimizer: Optimizer) -> list[str]:
    """Return the names of the optimiser's parameters in its own order."""
    names = {id(parameter): name for name, parameter in modules.named_parameters()}
    return [names[id(parameter)] for group in optimizer.param_groups for parameter in group["params"]]


def _optimizer_state(modules: nn.Module, optimizer: Optimizer) -> dict[str, dict[str, Tensor]]:
    numbered: dict[int, dict[str, Tensor]] = optimizer.state_dict()["state"]
    return {name: numbered[i] for i, name in enumerate(_names(modules, optimizer)) if i in numbered}


def _restore_optimizer(modules: nn.Module, optimizer: Optimizer, state: dict[str, Tensor]) -> None:
    parameters = dict(modules.named_parameters())
    numbered: dict[int, dict[str, Any]] = {}
    for i, name in enumerate(_names(modules, optimizer)):
        values = {key.removesuffix(f".{name}"): value for key, value in state.items() if key.endswith(f".{name}")}
        numbered[i] = {key: _laid_out(value, parameters[name]) for key, value in values.items()}
    if any(not values for values in numbered.values()) and state:
        raise ValueError("the state of the optimiser is not complete")
    optimizer.load_state_dict({**optimizer.state_dict(), "state": {i: v for i, v in numbered.items() if v}})


def _laid_out(value: Tensor, parameter: Tensor) -> Tensor:
    """Return the values in the parameter's layout: another one may round differently."""
    return torch.empty_like(parameter).copy_(value) if value.shape == parameter.shape else value


def _under(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _write_through(path: Path, content: bytes) -> None:
    """Write, and wait until the disk has it, before the old file is replaced."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
