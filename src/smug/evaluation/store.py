"""The store of scored rows: it saves finished work, so that runs resume and processes share it.

A cell's address is the hash of all that its rows depend on: the code of this library, the reconstructor's weights and
settings, the condition, the scan, the seed, and the number of draws. Whoever computes a cell writes it, whole or not at
all, so that processes may share a folder.
"""

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from smug.data.scan import Scan
from smug.evaluation.conditions import Condition
from smug.evaluation.row import Outcome, Row
from smug.physics.operator import LinearOperator
from smug.physics.scale import measurement_scale
from smug.reconstructor import Fingerprinted, Reconstructor
from smug.system.files import write_atomically, write_json
from smug.system.user_code import OURS, is_ours

SCHEMA = "smug-rows-3"
"""Changes whenever the meaning of a row does."""


_REFUSED: set[Path] = set()
"""Folders that could not be written to."""


def cache_folder() -> Path | None:
    """Return the default folder of rows: ``$XDG_CACHE_HOME/smug/rows``, or that of ``~/.cache``.

    Below it there is a folder for every version of this library's code, as rows of another may differ. None where the
    user has no home.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        home = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    except RuntimeError:
        return None
    return home / "smug" / "rows" / code_hash()


@cache
def code_hash() -> str:
    """Return what tells the code of this library from that of other versions."""
    code = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        code.update(path.read_bytes())
    return code.hexdigest()[:12]


@dataclass(frozen=True)
class RowStore:
    """A folder of rows: one JSON file per cell, and its images beside it where they were wanted."""

    folder: Path

    def address(self, f: Reconstructor, condition: Condition, scan: Scan, seed: int, draws: int) -> str | None:
        """Return the address of a cell's rows; None where reconstructor, condition or operator has no fingerprint."""
        print_of_f = fingerprint(f)
        of_A = _operator_fingerprint(scan.A)
        if print_of_f is None or of_A is None or not condition.recipe:
            return None
        cell = [SCHEMA, code_hash(), print_of_f, condition.name, condition.recipe, scan_digest(scan, of_A), seed, draws]
        return hashlib.sha256(json.dumps(cell).encode()).hexdigest()

    def read(self, address: str, *, images: bool) -> list[Outcome] | None:
        """Return the outcomes at an address, or None; with ``images`` only if they are there too.

        Without, an outcome's image and target are empty. A file that cannot be read counts as absent.
        """
        try:
            rows = [Row.from_json(values) for values in json.loads(self._path(address, ".json").read_text())["rows"]]
            tensors = load(self._path(address, ".safetensors").read_bytes()) if images else None
        except (OSError, ValueError, KeyError, TypeError, SafetensorError):
            return None
        if tensors is None:
            return [Outcome(row, Tensor(), Tensor()) for row in rows]
        return [Outcome(row, x, t) for row, x, t in zip(rows, tensors["image"], tensors["target"], strict=True)]

    def write(self, address: str, outcomes: Sequence[Outcome], *, images: bool) -> None:
        """Store the outcomes of a cell; if that fails, as on a full disk, warn once and store no more.

        Hours of scoring are worth more than what would be kept of them.
        """
        if self.folder in _REFUSED:
            return
        try:
            self._write(address, outcomes, images=images)
        except OSError as error:
            _REFUSED.add(self.folder)
            logging.getLogger("smug").warning("%s; from here on rows are not kept", error)

    def _write(self, address: str, outcomes: Sequence[Outcome], *, images: bool) -> None:
        """Write images before the rows: where there are rows the images are complete."""
        if images:
            tensors = {
                "image": torch.stack([outcome.image for outcome in outcomes]).cpu(),
                "target": torch.stack([outcome.target for outcome in outcomes]).cpu(),
            }
            content = save(tensors)
            write_atomically(self._path(address, ".safetensors"), lambda path: path.write_bytes(content))
        rows = [outcome.row.to_json() for outcome in outcomes]
        write_json(self._path(address, ".json"), {"schema": SCHEMA, "rows": rows})

    def _path(self, address: str, suffix: str) -> Path:
        return self.folder / address[:2] / f"{address}{suffix}"


def fingerprint(f: Reconstructor) -> str | None:
    """Return what tells a reconstructor from all others: its kind, its settings, and the hash of its weights.

    None for functions, records and networks of users, whose code may change unseen, unless they have a ``fingerprint``
    of their own.
    """
    if isinstance(f, Fingerprinted):
        return f.fingerprint
    if not is_dataclass(f) or not is_ours(f):
        return None
    parts = {field.name: _part(getattr(f, field.name)) for field in fields(f) if field.name not in DESCRIPTIVE}
    if None in parts.values():
        return None
    return f"{type(f).__qualname__}({', '.join(f'{name}={text}' for name, text in parts.items())})"


DESCRIPTIVE = ("name", "config", "metadata")
"""Fields of models that say where the weights come from."""


def _part(value: Any) -> str | None:
    """Return the text of a setting or the hash of a network; None for other objects, which have no fingerprint."""
    if isinstance(value, nn.Module):
        if not all(_is_known(module) for module in value.modules()):
            return None
        named = (value.named_parameters(remove_duplicate=False), value.named_buffers(remove_duplicate=False))
        return _digest(f"{value!r} {_plain(value)}".encode(), *(tensor for kind in named for _, tensor in kind))
    if isinstance(value, Tensor):
        return repr(value.tolist())
    if value is measurement_scale:
        return "measurement_scale"
    if is_dataclass(value) and not isinstance(value, type):
        return fingerprint(cast(Reconstructor, value))
    return None if callable(value) else repr(value)


HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
"""Where torch keeps the functions that change what a module is given and returns."""


def _is_known(module: nn.Module) -> bool:
    """Whether kind, settings and weights tell what a module computes: no code of users, no hook, no method replaced."""
    if not (is_ours(module) or type(module).__module__.startswith("torch.")):
        return False
    replaced = (name for name, value in vars(module).items() if callable(value) and hasattr(type(module), name))
    return not any(getattr(module, hooks) for hooks in HOOKS) and not any(replaced)


def _operator_fingerprint(A: LinearOperator) -> Sequence[Tensor] | None:
    """Return the fingerprint of an operator; None where a class of users, whose code is another, has inherited it."""
    home = next(kind for kind in type(A).__mro__ if "fingerprint" in vars(kind))
    inherited = home is not type(A) and home.__module__.partition(".")[0] == OURS
    return None if inherited and not is_ours(A) else A.fingerprint


def _plain(network: nn.Module) -> list[tuple[str, str, str]]:
    """Return the settings of all parts of a network that neither its text nor its weights tell."""
    return [
        (part, name, repr(value))
        for part, module in network.named_modules()
        for name, value in sorted(vars(module).items())
        if not name.startswith("_") and name != "training" and not callable(value)
    ]


def scan_digest(scan: Scan, of_operator: Sequence[Tensor]) -> str:
    """Return the hash of a scan: measurements, operator, target, names, and the encoded lines if not all are."""
    encoded = () if scan.encoded is None else (scan.encoded_lines,)
    return _digest(repr(scan.id).encode(), scan.y, *of_operator, scan.truth, *encoded)


def _digest(text: bytes, *tensors: Tensor) -> str:
    total = hashlib.sha256(text)
    for tensor in tensors:
        values = tensor.detach().resolve_conj().cpu().contiguous()
        total.update(f"{values.dtype}{tuple(values.shape)}".encode())
        total.update(values.reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
