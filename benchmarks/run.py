"""The measurements by name, their options and their table."""

import platform
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from smug.commands.common import Common
from smug.commands.numbers import Count
from smug.system.table import Column, Table, simple_table
from smug.system.terminal import show

if TYPE_CHECKING:
    import torch

What = Literal["maps", "prepare", "memory", "consistency", "denoiser", "inference", "training", "all"]


@dataclass(frozen=True)
class Bench(Common):
    """Measure speed and memory side by side with other programs or the textbook's way, in one run on this machine.

    ``python -m benchmarks measured --help`` tells of another benchmark: images of measured scans.
    """

    what: Annotated[What, tyro.conf.Positional] = "all"
    """maps: ESPIRiT here, in sigpy and in BART, where they are installed; prepare: how fast volumes are prepared;
    memory: the peak of a training step; consistency: the solver; denoiser, inference, training: DIDN and SMUG."""
    coils: Count | None = None
    """Number of coils of the simulated data; this and what follows: by default each measurement's own."""
    size: Count | None = None
    """Matrix size of the simulated data."""
    repeats: Count | None = None
    """How often each row is timed; the table has the spread."""
    workers: tuple[Count, ...] | None = None
    """prepare: the numbers of worker processes to compare."""
    channels: Count | None = None
    """Channels of the DIDN."""
    blocks: Count | None = None
    """Down-up blocks of the DIDN."""
    steps: Count | None = None
    """Unrolling steps."""
    samples: Count | None = None
    """Samples of the smoothing, in each step."""
    compile: bool = False
    """Add rows with torch.compile; it takes a minute to start."""

    def run(self) -> None:
        """Measure, and print a table per measurement."""
        import torch

        device = self.start()
        options = self._options()
        rows: list[dict[str, Any]] = []
        for what in MEASUREMENTS if self.what == "all" else (self.what,):
            measurement = MEASUREMENTS[what]
            if self.what != "all" and (unused := options.keys() - measurement.options):
                raise ValueError(f"benchmarks {what}: takes no --{', --'.join(sorted(unused))}")
            given = {"seed": self.seed, "device": device} | options
            measured = measurement.run(**{name: given[name] for name in measurement.options if name in given})
            new = [{"bench": what, **asdict(row)} for row in measured]
            show(_table(what, new))
            rows += new
        machine = {"torch": torch.__version__, "threads": torch.get_num_threads(), "processor": processor(device)}
        document = {"schema": "smug-bench-2", "command": self.command, "what": self.what, **machine, "rows": rows}
        peaks = [row["peak_ratio"] for row in rows if row["bench"] == "memory"]
        self.write_json(document | ({"peak_ratio": peaks[-1]} if peaks else {}))

    @property
    def command(self) -> str:
        """The command line, as it was typed."""
        return shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])

    def _options(self) -> dict[str, Any]:
        """Return the options of measurements that were given."""
        counts = ("coils", "size", "repeats", "workers", "channels", "blocks", "steps", "samples")
        options = {name: value for name in counts if (value := getattr(self, name)) is not None}
        return options | ({"compile": True} if self.compile else {})


@dataclass(frozen=True)
class Measurement:
    """A function that returns rows, and the options that it takes."""

    run: Callable[..., Sequence[Any]]
    options: frozenset[str]


def _maps(**options: Any) -> Sequence[Any]:
    from benchmarks.maps import time_maps

    return time_maps(**options)


def _prepare(size: int = 256, **options: Any) -> Sequence[Any]:
    from benchmarks.prepare import prepare_throughput

    return prepare_throughput(matrix=(size, size), **options)


def _memory(**options: Any) -> Sequence[Any]:
    from benchmarks.memory import measure_memory

    return measure_memory(**options)


def _consistency(**options: Any) -> Sequence[Any]:
    from benchmarks.consistency import time_consistency

    return time_consistency(**options)


def _denoiser(compile: bool = False, **options: Any) -> Sequence[Any]:
    from benchmarks.denoiser import time_denoiser

    return time_denoiser(compiled=compile, **options)


def _inference(compile: bool = False, **options: Any) -> Sequence[Any]:
    from benchmarks.inference import time_inference

    return time_inference(compiled=compile, **options)


def _training(blocks: int = 3, **options: Any) -> Sequence[Any]:
    from benchmarks.training import time_training

    return time_training(depth=blocks, **options)


_NETWORK = frozenset({"size", "channels", "blocks", "device"})
_SMUG = _NETWORK | {"coils", "steps", "samples"}

MEASUREMENTS: Mapping[str, Measurement] = {
    "maps": Measurement(_maps, frozenset({"coils", "size", "repeats", "seed"})),
    "prepare": Measurement(_prepare, frozenset({"coils", "size", "workers"})),
    "memory": Measurement(_memory, _SMUG),
    "consistency": Measurement(_consistency, frozenset({"coils", "size", "repeats", "seed", "device"})),
    "denoiser": Measurement(_denoiser, _NETWORK | {"repeats", "compile"}),
    "inference": Measurement(_inference, _SMUG | {"repeats", "compile", "seed"}),
    "training": Measurement(_training, _SMUG | {"repeats"}),
}
"""What there is to measure, in the order of "all"."""


def processor(device: "torch.device") -> str:
    """Return the name of the processor, or of the graphics card."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _table(what: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return a table whose seconds are one column, "median (least-most)"."""
    shown = [_spread({name: value for name, value in row.items() if name != "bench"}) for row in rows]
    words = {name for name in shown[0] if any(isinstance(row[name], str) for row in shown)} - {"seconds"}
    columns = [Column(name.replace("_", "\n"), align="left" if name in words else "right") for name in shown[0]]
    texts = [["" if value is None else _text(value) for value in row.values()] for row in shown]
    return simple_table(columns, texts, title=what)


def _spread(row: dict[str, Any]) -> dict[str, Any]:
    if "seconds_median" not in row:
        return row
    spread = "{seconds_median:.3g} ({seconds_min:.3g}-{seconds_max:.3g})".format(**row)
    named = {name: spread if name == "seconds_median" else value for name, value in row.items()}
    dropped = ("seconds_min", "seconds_max")
    return {name.removesuffix("_median"): value for name, value in named.items() if name not in dropped}


def _text(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
