"""Which prepared volumes make up the set, and in which split each of them is."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import smug
from smug.data.prepared.file import Stored
from smug.data.prepared.manifest import Manifest, Skipped
from smug.data.prepared.splits import SPLITS, assigned, named_split


def selected(
    stored: Iterable[Stored],
    skipped: Iterable[Skipped],
    settings: Mapping[str, Any],
    fractions: Sequence[float],
    seed: int,
    before: Manifest | None = None,
) -> Manifest:
    """Return the manifest of the volumes that are there; see :func:`smug.data.prepared.prepare.prepare` for the splits.

    Left out are volumes that would be there twice, and those that the name of a folder puts into a split while their
    subject is in an earlier one: no subject is in two. Who had a split ``before``, by the same ``fractions`` and
    ``seed``, keeps it.
    """
    assignment = {"fractions": list(fractions), "seed": seed}
    distinct, conflicts = _distinct(sorted(stored, key=_order))
    known = {}
    if before is not None and before.assignment == assignment:
        known = {volume.subject: split for split in SPLITS for volume in before.of(split)}
    named = {v.entry.subject: split for v in reversed(distinct) if (split := named_split(v.source.file))}
    splits = assigned((v.entry.subject for v in distinct), fractions, seed, {**known, **named})
    kept = []
    for volume in distinct:
        split, file = splits[volume.entry.subject], volume.source.file
        if named_split(file) in (None, split):
            kept.append(volume.entry)
        else:
            conflicts.append(Skipped(file, f"shows a subject of the {split} split: no subject is in two of them"))
    return Manifest(
        version=smug.__version__,
        settings=settings,
        assignment=assignment,
        splits={split: tuple(e.file for e in kept if splits[e.subject] == split) for split in SPLITS},
        volumes=tuple(kept),
        skipped=tuple(sorted([*skipped, *conflicts], key=lambda skip: skip.file)),
    )


def _distinct(volumes: Iterable[Stored]) -> tuple[list[Stored], list[Skipped]]:
    """Keep the first of volumes with the same contents, or slices of the same names."""
    kept: list[Stored] = []
    conflicts: list[Skipped] = []
    contents: dict[str, str] = {}
    slices: dict[str, str] = {}
    for volume in volumes:
        file = volume.source.file
        twin = contents.setdefault(volume.source.sha256, file)
        namesake = next((slices[name] for name in volume.entry.slices if name in slices), None)
        if twin != file:
            conflicts.append(Skipped(file, f"holds the same as {twin}"))
        elif namesake is not None:
            conflicts.append(Skipped(file, f"its slices have the names of those of {namesake}: rename the data sets"))
        else:
            kept.append(volume)
            slices.update(dict.fromkeys(volume.entry.slices, file))
    return kept, conflicts


def _order(volume: Stored) -> tuple[int, str]:
    """Files that are named after a split come first, in the order of splits."""
    split = named_split(volume.source.file)
    return len(SPLITS) if split is None else SPLITS.index(split), volume.entry.file
