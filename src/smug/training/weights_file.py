"""The file of a model: weights as safetensors with their configuration inside. Nothing is ever unpickled."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from smug.training.config import Config
from smug.training.config_file import from_dict

SCHEMA = "smug-weights-1"


def shipped(name: str) -> Path:
    """Return the path of shipped weights."""
    return Path(str(resources.files("smug") / "weights" / f"{name}.safetensors"))


def read_tensors(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and the metadata of a safetensors file, in single precision at least.

    Raises FileNotFoundError, and ValueError for another file.
    """
    with _opened(file) as handle:
        return {name: _single(handle.get_tensor(name)) for name in handle.keys()}, handle.metadata() or {}  # noqa: SIM118


def read_metadata(file: Path) -> dict[str, str]:
    """Return the metadata of a safetensors file; raises like :func:`read_tensors`."""
    with _opened(file) as handle:
        return handle.metadata() or {}


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    from safetensors import SafetensorError, safe_open

    if not file.is_file():
        raise FileNotFoundError(f"no such file: {file}")
    try:
        with safe_open(file, framework="pt") as handle:
            yield handle
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{file}: not a safetensors file: {error}") from error


def read_weights(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and the metadata of a model; raises like :func:`read_tensors`, and for other tensors."""
    state, metadata = read_tensors(file)
    if metadata.get("schema") != SCHEMA:
        raise ValueError(f"{file}: expected weights of schema {SCHEMA}, got {metadata.get('schema', 'none')}")
    return state, metadata


def _single(value: Tensor) -> Tensor:
    return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value


def stored_config(file: Path, metadata: Mapping[str, str]) -> Config:
    """Return the configuration in the metadata of a file; raises ValueError where it cannot be read."""
    try:
        return from_dict(json.loads(metadata["config"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{file}: its configuration cannot be read: {error}") from error
