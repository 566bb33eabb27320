"""Comparing reconstructors: from models and data to table and report."""

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from smug.data.scan import Scan
from smug.data.simulate import Acquisition
from smug.evaluation.chosen import Data, Models, Slices, choose
from smug.evaluation.datasets import TestSet
from smug.evaluation.outside_range import warn_outside
from smug.evaluation.own_attack import OwnAttack, try_out, with_attacks
from smug.evaluation.protocols import Protocol
from smug.evaluation.protocols import protocol as named_protocol
from smug.evaluation.row import Outcome, Row
from smug.evaluation.scoring import score
from smug.evaluation.settings import settings_of
from smug.evaluation.store import RowStore
from smug.evaluation.summary import KspaceSource, to_json
from smug.reconstructor import Reconstructor, moved
from smug.reports.evaluation import Evaluation
from smug.system.arguments import check_integer, check_kind
from smug.system.distributed import ALONE, Group
from smug.system.documents import plainly

BASELINES = ("modl", "modl-4x")
"""The models that others are compared with, as in the paper; where none is there, with the first."""

PICTURED_SLICES = 6
"""How many slices keep their images for the report."""


def evaluate(
    models: Models,
    data: Data,
    protocol: str | Protocol = "paper",
    *,
    epsilons: Sequence[float] = (),
    attacks: Mapping[str, OwnAttack] | None = None,
    split: str = "test",
    size: int = 128,
    acquisition: Acquisition = Acquisition(),
    max_slices: int | None = None,
    kspace: KspaceSource = "simulated",
    seed: int = 0,
    device: torch.device | str = "cpu",
    command: str = "",
    group: Group = ALONE,
    store: RowStore | str | Path | None = None,
    advance: Callable[[int], None] | None = None,
    warn: Callable[[str], None] = warnings.warn,
) -> Evaluation:
    """Score reconstructors on clean, noisy and attacked measurements, as ``smug evaluate`` does.

    ``models`` are reconstructors or what :func:`smug.load` takes, one or several; a mapping gives them names. ``data``
    is a :class:`smug.Scan` with a target, several, or as on the command line the folder of a prepared set, the name of
    an image set or a file of images: then ``split``, ``size``, ``acquisition`` and ``max_slices`` say which slices and
    how they are measured. Of scans, ``kspace`` says whether they are "measured" or "simulated"; tables state it.

    ``protocol`` is "clean", "paper", "demo", "fast", "standard", "shifts" or "scanner"; "fast" and "standard" take
    ``epsilons``, the l2 norms of the attacks relative to that of the measurements. ``attacks`` are yours, by name:
    functions ``(f, scan, threat, *, generator=None)`` or rules; they are scored beside those of the protocol. Noise and
    attacks are functions of ``seed`` and of each slice's name. A ``store``, a folder, keeps every row, and rows that it
    holds are not computed again. Every rank of the ``group`` scores its share of the slices, for which ``advance`` is
    called after each model and condition, and gets the whole. ``command`` is kept in the document as the way to repeat
    it.

    Your models and attacks are tried on one slice first, and ``warn`` gets what was found, a sentence each, as it does
    for what is outside the training range of a model's weights. Raises ValueError for those that do not keep to their
    contract, and for what is no model, no data or no protocol.
    """
    models, test = choose(models, data, Slices(split, size, acquisition, max_slices, kspace))
    check_integer("seed", seed)
    protocol = _protocol(protocol, epsilons, attacks or {})
    store = RowStore(Path(store)) if isinstance(store, str | Path) else store
    placed = {name: moved(f, device) for name, f in models.items()}
    warn_outside(models, test, acquisition, warn)
    first = test.scans[0].to(device)
    without_gradient = try_out(placed, protocol, first)
    for sentence in without_gradient.values():
        warn(sentence)
    scored = partial(
        score,
        placed,
        protocol.conditions,
        seed=seed,
        draws=protocol.draws,
        subjects=test.subjects,
        store=store,
        advance=advance,
    )
    rows, images = _scored(scored, test, device, group)
    diagnoses = _diagnoses(placed, protocol, first, group)
    flagged = [[_flagged(row, diagnoses, without_gradient) for row in cells] for cells in rows]
    every = [row for cells in flagged for row in cells]
    document = to_json(
        every,
        protocol.conditions,
        configuration=settings_of(models),
        seeds=[seed],
        data=test.description,
        subjects=test.subjects,
        command=command,
        reference=next((name for name in BASELINES if name in models), None),
    )
    return Evaluation(every, _outcomes(flagged, images), test.subjects, {**document, "diagnoses": diagnoses})


def _protocol(protocol: str | Protocol, epsilons: Sequence[float], attacks: Mapping[str, OwnAttack]) -> Protocol:
    """Return a protocol that may be a name, with the user's attacks in it."""
    check_kind("protocol", protocol, str | Protocol)
    check_kind("epsilons", epsilons, Sequence[float])
    return with_attacks(named_protocol(protocol, epsilons) if isinstance(protocol, str) else protocol, attacks)


def _scored(
    scored: Callable[..., list[Row]], test: TestSet, device: torch.device | str, group: Group
) -> tuple[list[list[Row]], list[Tensor]]:
    """Return the rows of every slice, and of the first slices their images: the reconstructions, then the targets.

    Every rank gets the rows of its share from ``scored(scans, keep=...)``. Images are complex ``(2 cell, y, x)``, in
    the order of the rows.
    """
    rows: list[list[Row]] = []
    images: list[Tensor] = []
    pictured = len(range(PICTURED_SLICES)[group.rows])
    for scan in test.scans[group.rows]:
        kept: list[Outcome] = []
        rows.append(scored([scan.to(device)], keep=kept.append if len(images) < pictured else None))
        if kept:
            images.append(torch.stack([*(outcome.image for outcome in kept), *(outcome.target for outcome in kept)]))
    gathered = group.gathered([[row.to_json() for row in cells] for cells in rows])
    return [[Row.from_json(row) for row in cells] for cells in gathered], group.gathered_tensors(images)


def _outcomes(rows: Sequence[Sequence[Row]], images: Sequence[Tensor]) -> list[Outcome]:
    """Return the rows of the first slices with their images, which :func:`_scored` has stacked."""
    return [
        Outcome(row, image, target)
        for cells, stack in zip(rows, images, strict=False)
        for row, image, target in zip(cells, stack[: len(cells)], stack[len(cells) :], strict=True)
    ]


Diagnoses = Mapping[str, Mapping[str, Any]]
"""By model: the names of its ``flags``, and the numbers that were decided on, ``evidence``."""


def _diagnoses(models: Mapping[str, Reconstructor], protocol: Protocol, scan: Scan, group: Group) -> Diagnoses:
    """Diagnose every model on one scan, if the protocol asks for it; the ranks share the models."""
    if protocol.diagnose is None:
        return {}
    shares = [protocol.diagnose(f, scan) for f in list(models.values())[group.rows]]
    plain = [plainly({"flags": [flag.name for flag in d.flags], "evidence": d.evidence}) for d in shares]
    return dict(zip(models, group.gathered(plain), strict=True))


def _flagged(row: Row, diagnoses: Diagnoses, without_gradient: Collection[str]) -> Row:
    """Return an attacked row with the flags of its model too."""
    if not row.attack:
        return row
    diagnosed = diagnoses[row.model]["flags"] if diagnoses else ()
    blind = ["zero-gradient"] if row.model in without_gradient else []
    return replace(row, flags=tuple(dict.fromkeys([*row.flags, *diagnosed, *blind])))
