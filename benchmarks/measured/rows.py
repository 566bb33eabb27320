"""Rows: one model on one case, made once and kept."""

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import torch

from benchmarks.measured.cases import Case, Scores, head_psnr, reconstructed, scores
from benchmarks.measured.oracle import CONVERGED, FAMILIES, Best, best_of
from smug.evaluation.store import fingerprint
from smug.reconstructor import Reconstructor
from smug.system.documents import document, from_json, read_document
from smug.system.files import write_json

SCHEMA = "smug-measured-row-1"
"""Changes whenever the meaning of a row does."""

BEST = "best "
"""What the names of oracles begin with."""


@dataclass(frozen=True)
class Row:
    """One model on one case. ``best`` is how the regularisation was chosen, of the oracles."""

    file: str
    acceleration: float
    kind: str
    seed: int
    model: str
    scores: Scores
    best: Best | None = None

    @property
    def case(self) -> tuple[str, float, str, int]:
        """What tells the case from others."""
        return self.file, self.acceleration, self.kind, self.seed


@dataclass(frozen=True, eq=False)
class Contender:
    """A reconstructor with a name, or one of the :data:`FAMILIES` whose regularisation is chosen for every case."""

    name: str
    model: Reconstructor | None = None

    @property
    def recipe(self) -> str | None:
        """What tells it from others; None for functions of users, whose code may change."""
        return f"{self.name}, converged to {CONVERGED} dB" if self.model is None else fingerprint(self.model)


ORACLES = tuple(Contender(f"{BEST}{name}") for name in FAMILIES)


def make_row(case: Case, contender: Contender, device: torch.device) -> Row:
    """Reconstruct a case and score it."""
    best = None
    if contender.model is None:
        best = best_of(
            FAMILIES[contender.name.removeprefix(BEST)],
            lambda model: head_psnr(reconstructed(case, model, device)[0], case.full),
        )
    images, seconds = reconstructed(case, reconstructor(contender, best), device)
    return Row(case.file, case.acceleration, case.kind, case.seed, contender.name, scores(images, case, seconds), best)


def reconstructor(contender: Contender, best: Best | None) -> Reconstructor:
    """Return the reconstructor of a contender, that of an oracle at its best."""
    if contender.model is not None:
        return contender.model
    if best is None:
        raise ValueError(f"{contender.name}: expected the regularisation of a row")
    return FAMILIES[contender.name.removeprefix(BEST)].make(best.lam, best.more)


def kept(folder: Path | None, digest: str, case: Case, contender: Contender, make: Callable[[], Row]) -> Row:
    """Return a row from the folder, or make it and keep it there; ``digest`` is that of the file.

    Nothing is kept of a contender that cannot be told from others. A folder that cannot be written to is warned of.
    """
    if folder is None or (recipe := contender.recipe) is None:
        return make()
    cell = [SCHEMA, code_digest(), digest, case.file, case.acceleration, case.kind, case.seed, contender.name, recipe]
    path = folder / f"{hashlib.sha256(json.dumps(cell).encode()).hexdigest()}.json"
    try:
        row: Row = from_json(Row, read_document(path, SCHEMA)["row"])
    except (OSError, ValueError, KeyError):
        row = make()
        try:
            write_json(path, document(SCHEMA, row=asdict(row)))
        except OSError as error:
            logging.getLogger("smug").warning("%s; this row is not kept", error)
    return row


@cache
def code_digest() -> str:
    """Return the hash of what makes a row, of this benchmark."""
    code = hashlib.sha256()
    for name in ("cases", "ghosts", "oracle", "rows"):
        code.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    return code.hexdigest()
