"""A run folder: weights as safetensors with their configuration inside, and a log. Nothing is ever unpickled."""

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from smug.models.denoisers import build_denoiser
from smug.models.noise import Seeds
from smug.models.normalised import normalised
from smug.models.reconstructors import NetworkReconstructor
from smug.physics.operator import Operator, check_measurements
from smug.range_checks import norm_warning
from smug.reconstructor import Reconstructor, Wrapper, described
from smug.system.files import write_atomically
from smug.training.config import RIDGE_METHODS, Config
from smug.training.config_file import to_dict
from smug.training.configured import build
from smug.training.weights_file import SCHEMA, read_weights, stored_config
from smug.training_range import TrainingRange

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
DOCUMENT = "run.json"


@dataclass(frozen=True, eq=False)
class Model(Wrapper):
    """A trained reconstructor of measurements in any unit.

    ``reconstructor`` is the one of normalised measurements; ``config`` is what it was trained with, which tells its
    training range; ``metadata`` is what else stands in the file.
    """

    name: str
    reconstructor: NetworkReconstructor
    config: Config
    metadata: Mapping[str, str]

    def __call__(self, y: Tensor, A: Operator, generator: Seeds = None) -> Tensor:
        """Reconstruct complex ``(batch, y, x)`` from k-space ``(batch, coil, y, x)``, in its units.

        Warns of an operator whose norm is far from that of training, 1; a ridge regulariser does without.
        """
        A = check_measurements(y, A)
        if self.config.method not in RIDGE_METHODS and (told := norm_warning(y, A)):
            warnings.warn(told, stacklevel=2)
        return normalised(self.reconstructor)(y, A, generator)

    def unscaled(self) -> Reconstructor:
        """Return the reconstructor of normalised measurements."""
        return described(self.reconstructor).unscaled()

    def training_range(self) -> TrainingRange | None:
        """Return what the weights were trained on; where the file does not say, what their configuration asked for.

        None for a ridge regulariser: it is one of images, not of matrices, coils or sampling. Raises ValueError where
        what the file says cannot be read.
        """
        if self.config.method in RIDGE_METHODS:
            return None
        asked = self.config.data.range
        if "range" not in self.metadata:
            return asked
        try:
            return TrainingRange.from_json(self.metadata["range"]).completed(asked)
        except ValueError as error:
            raise ValueError(f"{self.name}: its training range: {error}") from None

    def save(self, path: str | Path, *, half: bool = False) -> None:
        """Write the weights with their configuration and notes to a ``.safetensors`` file, whole or not at all.

        ``half`` stores them in half precision. :func:`smug.load` reads them. Raises ValueError for another suffix.
        """
        if Path(path).suffix != ".safetensors":
            raise ValueError(f"{path}: expected a name that ends in .safetensors")
        notes = {key: value for key, value in self.metadata.items() if key not in ("schema", "config")}
        save_weights(Path(path), self.reconstructor, self.config, notes, half=half)


def save_weights(
    path: Path, f: NetworkReconstructor, config: Config, notes: Mapping[str, str] | None = None, *, half: bool = False
) -> None:
    """Write the networks with their configuration into one file, whole or not at all.

    ``half`` stores real weights in half precision; ``notes`` are kept as metadata.
    """
    from safetensors.torch import save

    dtype = torch.float16 if half else torch.float32
    state = {name: _stored(value, dtype) for name, value in f.networks().state_dict().items()}
    metadata = {"schema": SCHEMA, "config": json.dumps(to_dict(config)), **(notes or {})}
    content = save(state, metadata)
    write_atomically(path, lambda temporary: temporary.write_bytes(content))


def _stored(value: Tensor, dtype: torch.dtype) -> Tensor:
    """Return weights as they are stored: real ones in a dtype, complex ones in single precision, counts as they are."""
    if value.is_complex() or value.is_floating_point():
        value = value.to(torch.complex64 if value.is_complex() else dtype)
    return value.detach().cpu().resolve_conj().contiguous()


def load_weights(path: Path, denoiser: nn.Module | None = None) -> Model:
    """Read a run folder or a weights file; ``denoiser`` replaces the configured network as the one to fill.

    Raises FileNotFoundError, and ValueError for files that are not weights of this library, or are those of a network
    of somebody's own when ``denoiser`` is not given.
    """
    file = path / WEIGHTS if path.is_dir() else path
    state, metadata = read_weights(file)
    config = stored_config(file, metadata)
    f = build(config, _empty_denoiser(config, file) if denoiser is None else denoiser)
    _fill(f.networks(), state, str(file), assign=denoiser is None)
    f.networks().eval()
    name = path.name if path.is_dir() else path.stem
    return Model(name, f, config, metadata)


def initialise(f: NetworkReconstructor, path: Path) -> None:
    """Copy a stored model's denoiser (and its encoder, where both have one) into the reconstructor's networks.

    ``path`` is a run folder or a weights file. Raises FileNotFoundError, and ValueError for weights that do not fit.
    """
    file = path / WEIGHTS if path.is_dir() else path
    state, _ = read_weights(file)
    for name, network in f.networks().items():
        own = {key.removeprefix(f"{name}."): value for key, value in state.items() if key.startswith(f"{name}.")}
        if own or name in ("denoiser", "regulariser"):
            _fill(network, own, str(file))


def _empty_denoiser(config: Config, file: Path) -> nn.Module:
    """The configured network without memory: weights of another size are refused before there is any."""
    try:
        with torch.device("meta"):
            return build_denoiser(config.network)
    except (RuntimeError, OverflowError) as error:
        raise ValueError(f"{file}: its network cannot be built: {str(error).splitlines()[0]}") from None


def _fill(network: nn.Module, state: Mapping[str, Any], where: str, *, assign: bool = False) -> None:
    try:
        network.load_state_dict(state, assign=assign)
    except RuntimeError as error:
        raise ValueError(
            f"{where}: the weights do not fit the network: {str(error).splitlines()[-1].strip()}"
        ) from None
