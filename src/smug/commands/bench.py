"""smug bench."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from smug.commands.common import Common, console

if TYPE_CHECKING:
    from smug.bench.maps import MapsTiming
    from smug.bench.prepare import Throughput


@dataclass(frozen=True)
class Bench(Common):
    """Measure speed side by side with other programs, in one run on this machine."""

    what: Annotated[Literal["maps", "prepare"], tyro.conf.Positional]
    """maps: ESPIRiT here, in sigpy and in BART, where they are installed; prepare: how fast volumes are prepared."""
    coils: int = 12
    """Number of coils of the simulated data."""
    size: int = 320
    """Matrix size of the simulated data."""
    repeats: int = 3
    """maps: how often each is timed; the table has the spread."""
    workers: tuple[int, ...] = (1, 2)
    """prepare: the numbers of worker processes to compare."""

    def run(self) -> None:
        """Measure and print."""
        from rich.table import Table

        self.start()
        if min(self.coils, self.size, self.repeats, *self.workers, len(self.workers)) < 1:
            raise ValueError("--coils, --size, --repeats, --workers: expected at least 1")
        rows = [asdict(row) for row in self._rows()]
        table = Table(*rows[0])
        for row in rows:
            table.add_row(*(f"{value:.4g}" if isinstance(value, float) else str(value) for value in row.values()))
        console().print(table)
        self.write_json({"schema": "smug-bench-1", "what": self.what, "rows": rows})

    def _rows(self) -> "Sequence[MapsTiming | Throughput]":
        if self.what == "maps":
            from smug.bench.maps import time_maps

            return time_maps(self.coils, self.size, repeats=self.repeats, seed=self.seed)
        from smug.bench.prepare import prepare_throughput

        return prepare_throughput(self.workers, coils=self.coils, matrix=(self.size, self.size))
