"""Certifying reconstructors: from models and data to table and figure."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from smug.data.simulate import Acquisition
from smug.evaluation.certificates import CertificateRow, Certificates, Certification
from smug.evaluation.certificates import certify as certificates_of
from smug.evaluation.chosen import Data, Models, Slices, choose
from smug.evaluation.gains import GainRow
from smug.evaluation.outside_range import warn_outside
from smug.evaluation.summary import KspaceSource
from smug.reports import certificate_views
from smug.reports.shown import Shown
from smug.system.arguments import check_integer, check_kind
from smug.system.files import together
from smug.system.table import Table


@dataclass(frozen=True, eq=False)
class CertificationResult(Shown):
    """What was certified and attacked, with the document that says how; ``print`` shows the table."""

    certificates: Certificates

    @property
    def rows(self) -> Sequence[CertificateRow]:
        """A row per model, slice, sigma_k and eps."""
        return self.certificates.rows

    @property
    def gains(self) -> Sequence[GainRow]:
        """How many times each model amplifies perturbations of each slice: found, and bounded."""
        return self.certificates.gains

    @property
    def document(self) -> Mapping[str, Any]:
        """All of it as plain values for a JSON file."""
        return self.certificates.document

    def table(self, title: str = "") -> Table:
        """Return a line per model, sigma_k and attacked eps; ``print`` and notebooks show it."""
        return certificate_views.table(self.certificates, title or self.title)

    def report(self, folder: str | Path, *, title: str = "") -> None:
        """Write ``certificates.md`` and the figure ``certificates.png`` to a folder."""
        with together():
            certificate_views.write(Path(folder), self.certificates, title or self.title)


def certify(
    models: Models,
    data: Data,
    asked: Certification = Certification(),
    *,
    split: str = "test",
    size: int = 128,
    acquisition: Acquisition = Acquisition(),
    max_slices: int | None = None,
    kspace: KspaceSource = "simulated",
    seed: int = 0,
    device: torch.device | str = "cpu",
    command: str = "",
    advance: Callable[[int], None] | None = None,
    warn: Callable[[str], None] = warnings.warn,
) -> CertificationResult:
    """Prove what no perturbation can do to reconstructors, and attack them beside it, as ``smug certify`` does.

    ``models``, ``data`` and what says which slices of it are those of :func:`smug.evaluate`; ``asked`` says what is
    certified. ``advance`` is told as many reconstructions as :meth:`Certification.cost` counts for each model and
    slice, ``warn`` what is outside the training range of a model's weights; ``command`` is kept in the document as the
    way to repeat it. Raises ValueError for what is no model or no
    data.
    """
    models, test = choose(models, data, Slices(split, size, acquisition, max_slices, kspace))
    check_kind("asked", asked, Certification)
    check_integer("seed", seed)
    warn_outside(models, test, replace(acquisition, noise=asked.noise), warn)
    return CertificationResult(
        certificates_of(models, test, asked, seed=seed, device=device, command=command, advance=advance)
    )
