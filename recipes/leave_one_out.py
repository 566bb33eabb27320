"""Split the SIAT brain images into six folds, one left-out subject each: python -m recipes.leave_one_out FOLDS.

Fold k tests subject k, validates with the next subject and trains on the other four. FOLDS/k holds train.h5, val.h5 and
test.h5 in the form of the set itself, which SMUG_DATA names the folder of.
"""

import os
import sys
from pathlib import Path

import h5py
import numpy as np

from recipes.data.whole import whole_file


def main() -> None:
    """Read all splits and write them anew, by subject."""
    folds = Path(sys.argv[1])
    siat = Path(os.environ["SMUG_DATA"]) / "siat_brain_complex"
    files = [siat / f"{split}.h5" for split in ("train", "val", "test")]
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
        for split, rows in splits.items():
            with whole_file(folds / str(left_out) / f"{split}.h5") as file:
                for name, values in whole.items():
                    file[name] = values[rows]


if __name__ == "__main__":
    main()
