"""Split the SIAT brain images into six folds, one left-out subject each: python recipes/leave_one_out.py FOLDS.

Fold k tests subject k, validates with the next subject and trains on the other four. FOLDS/k holds train.h5, val.h5 and
test.h5 in the form of the set itself, which SMUG_DATA names the folder of.
"""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from smug.data.images.sets import SETS, data_root
from smug.system.files import write_atomically


def main() -> None:
    """Read all splits and write them anew, by subject."""
    folds = Path(sys.argv[1])
    files = [data_root() / SETS["siat"] / f"{split}.h5" for split in ("train", "val", "test")]
    parts: dict[str, list[np.ndarray]] = {name: [] for name in ("image_ri", "scale", "subject", "source_index")}
    for path in files:
        with h5py.File(path) as file:
            for name, columns in parts.items():
                columns.append(file[name][()])
    whole = {name: np.concatenate(columns) for name, columns in parts.items()}
    order = np.argsort(whole["source_index"], kind="stable")
    whole = {name: values[order] for name, values in whole.items()}
    subjects = sorted(set(whole["subject"].tolist()))
    for place, left_out in enumerate(subjects):
        held = subjects[(place + 1) % len(subjects)]
        of = whole["subject"]
        splits = {"test": of == left_out, "val": of == held, "train": (of != left_out) & (of != held)}
        folder = folds / str(left_out)
        folder.mkdir(parents=True, exist_ok=True)
        for split, rows in splits.items():
            write_atomically(folder / f"{split}.h5", partial(written, {k: values[rows] for k, values in whole.items()}))


def written(columns: Mapping[str, np.ndarray], path: Path) -> None:
    """Write the columns of a split."""
    with h5py.File(path, "w") as file:
        for name, values in columns.items():
            file[name] = values


main()
