"""Training, validation and test data: no subject is in two of them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from math import isclose
from pathlib import PurePosixPath

from smug.data.simulate import named_seed

SPLITS = ("train", "val", "test")
"""The names of the splits; where there are too few subjects, the first ones get theirs first."""

_WORDS = {"train": "train", "training": "train", "val": "val", "validation": "val", "test": "test"}


def check_fractions(fractions: Sequence[float]) -> None:
    """Raise ValueError unless there are three fractions that add up to 1."""
    if len(fractions) != len(SPLITS) or min(fractions) < 0 or not isclose(sum(fractions), 1, abs_tol=1e-6):
        raise ValueError(f"split: expected fractions of {', '.join(SPLITS)} that add up to 1, got {tuple(fractions)}")


def named_split(file: str) -> str | None:
    """Return the split that the name of a file's folder says, or the name of the file itself; None where none does.

    >>> named_split("multicoil_val/file1000000.h5"), named_split("knee/train.h5"), named_split("trained.h5")
    ('val', 'train', None)
    """
    path = PurePosixPath(file)
    return next((split for part in (*path.parent.parts, path.stem) if (split := _split_word(part))), None)


def subject_of(file: str) -> str:
    """Return whom a file shows, as far as its path ``file``, relative to the set's folder, tells.

    It is the ``sub-`` of BIDS; else the folder, unless that is the whole set's or a split's; else the file.

    >>> subject_of("ses-1/sub-07_T1w.nii.gz"), subject_of("patient3/slice3.png"), subject_of("train/file1.h5")
    ('sub-07', 'patient3', 'train/file1.h5')
    """
    bids = re.search(r"(?:^|[/_])(sub-[A-Za-z0-9]+)", file)
    if bids:
        return bids[1]
    folder = PurePosixPath(file).parent
    return str(folder) if any(not _split_word(part) for part in folder.parts) else file


def assigned(
    subjects: Iterable[str], fractions: Sequence[float], seed: int, known: Mapping[str, str]
) -> dict[str, str]:
    """Return the split of every subject: the one that is ``known``, else a function of its name and ``seed``.

    A split that would be empty gets the nearest subject of one that can spare it, or that comes later. A subject whose
    split is known stays there, so that none changes sides when others are added.

    >>> sorted(assigned("abcd", (0.8, 0.1, 0.1), 0, {"a": "test"}).values())
    ['test', 'train', 'train', 'val']
    """
    names = sorted(set(subjects))
    intervals = dict(zip(SPLITS, pairwise(accumulate(fractions, initial=0.0)), strict=True))
    place = {name: named_seed(name, seed) / 2**56 for name in names}
    last = max(split for split in range(len(SPLITS)) if fractions[split] > 0)
    splits = {
        name: known.get(name)
        or next((split for split, (_, end) in intervals.items() if place[name] < end), SPLITS[last])
        for name in names
    }
    for i, split in enumerate(SPLITS):
        if split in splits.values() or not fractions[i] > 0:
            continue
        first, end = intervals[split]
        held = list(splits.values())
        spare = [
            name for name in names if name not in known and (held.count(splits[name]) > 1 or splits[name] in SPLITS[i:])
        ]
        if spare:
            splits[min(spare, key=lambda name: max(first - place[name], place[name] - end))] = split
    return splits


def _split_word(part: str) -> str | None:
    """The split that a folder or a file is named after."""
    words = re.split(r"[^a-z]+", part.lower())
    return next((_WORDS[word] for word in words if word in _WORDS), None)
