"""Put the tables of recipes/leave_one_out_test.sh together: python recipes/leave_one_out_table.py RUNS.

Prints mean PSNR over six subjects, each reconstructed by models that have not seen it, and the paired differences to
MoDL with 95 % intervals over subjects.
"""

import sys
from pathlib import Path

import smug


def main(runs: str) -> None:
    """Read the folds' evaluations and print the tables."""
    evaluation = smug.Evaluation.read(*sorted(Path(runs).glob("[0-9].json")))
    print(evaluation.table().markdown())
    print(evaluation.attacks().markdown())


if __name__ == "__main__":
    main(*sys.argv[1:])
