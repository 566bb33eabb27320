"""The cards of shipped models: what made each, whose data it was trained on, which file it is, and how it does."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from smug.system.documents import document, from_json, read_document
from smug.system.files import write_json

SCHEMA = "smug-model-2"

ALL_MEASURED = "all files, measured"
"""The data of the result that sums up a model on measured scans."""


@dataclass(frozen=True)
class TrainingSet:
    """What a model was trained on: a ``source``, what it is and shows, and its licence."""

    source: str
    about: str
    licence: str


@dataclass(frozen=True)
class ModelResult:
    """How a model did: the mean ``psnr`` in dB on some ``data`` under a ``condition``, and the command that shows it.

    ``over_best_tv`` is the difference to total variation with the best lam for every scan, where that was asked.
    """

    data: str
    condition: str
    psnr: float
    command: str
    over_best_tv: float | None = None


@dataclass(frozen=True)
class ModelCard:
    """Everything that is known about a shipped model.

    ``sha256`` is that of the weights' file, ``licence`` that of the weights, ``recipe`` what made them, ``version`` the
    library's. ``training_range`` has the fields of :class:`smug.training_range.TrainingRange`; it is empty for models
    of any scan.
    """

    name: str
    sha256: str
    licence: str
    use: str
    version: str
    recipe: str
    training_data: tuple[TrainingSet, ...]
    training_range: Mapping[str, Any]
    configuration: Mapping[str, Any]
    seeds: tuple[int, ...]
    results: tuple[ModelResult, ...] = ()

    @property
    def over_best_tv(self) -> float | None:
        """The mean difference in dB to the best total variation on measured scans, if the model was scored on any."""
        return next((result.over_best_tv for result in self.results if result.data == ALL_MEASURED), None)

    def check(self, weights: Path) -> None:
        """Raise ValueError if a file is not the one that the card is of, FileNotFoundError if there is none."""
        if not weights.is_file():
            raise FileNotFoundError(f"{weights}: the weights of {self.name} are missing: install smug again")
        if (found := sha256_of(weights)) != self.sha256:
            raise ValueError(
                f"{weights}: expected the weights of {self.name}, sha256 {self.sha256}, got sha256 {found}: "
                "the file was changed or is not whole: install smug again"
            )

    def write(self, path: Path) -> None:
        """Write the card as JSON, whole or not at all."""
        write_json(path, document(SCHEMA, **asdict(self)))

    @classmethod
    def read(cls, path: Path) -> "ModelCard":
        """Read what :meth:`write` wrote; raises FileNotFoundError, and ValueError for anything else."""
        if not path.is_file():
            raise FileNotFoundError(f"{path}: the card of a shipped model is missing: install smug again")
        try:
            values = read_document(path, SCHEMA)
            card: ModelCard = from_json(cls, {name: value for name, value in values.items() if name != "schema"})
        except ValueError as error:
            reason = str(error).removeprefix(f"{path}: ")
            raise ValueError(f"{path}: not the card of a model: {reason}") from None
        return card


def sha256_of(file: Path) -> str:
    """Return the hash of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()
