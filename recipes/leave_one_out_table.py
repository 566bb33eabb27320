"""Put the tables of recipes/leave_one_out_test.sh together: python recipes/leave_one_out_table.py RUNS.

Prints mean PSNR over six subjects, each reconstructed by models that have not seen it, and the paired differences to
MoDL with 95 % intervals over subjects.
"""

import json
import sys
from pathlib import Path

from smug.evaluation.row import Row
from smug.evaluation.summary import summarise
from smug.reports.tables import markdown


def main() -> None:
    """Read the folds' rows and print the tables."""
    rows = [
        Row.from_json(values)
        for path in sorted(Path(sys.argv[1]).glob("[0-9].json"))
        for values in json.loads(path.read_text())["rows"]
    ]
    subjects = {row.slice: row.subject for row in rows}
    print(markdown(summarise(rows, "modl"), kspace="simulated", subjects=subjects))


main()
