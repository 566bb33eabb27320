"""smug demo."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from smug.commands.common import Common
from smug.commands.numbers import Count
from smug.commands.progress import progress
from smug.commands.reported import report_files
from smug.system.paths import Output
from smug.system.terminal import say, show

TITLE = "Five methods on clean, noisy and worst-case measurements"

MODELS = ("cg-sense", "tv", "modl", "smug", "ridge")

SIZE = 128
"""Pixels along each axis of the phantoms, as of those that the networks were trained on."""


@dataclass(frozen=True)
class Demo(Common):
    """See the effect in two minutes: CG-SENSE, TV, MoDL, SMUG and ridge on a head phantom, clean, noisy and attacked.

    The phantom was never trained on; smoothing averages an antithetic pair. Writes report.html (open it in a
    browser), figure.png and table.md.
    """

    out: Path = Path("smug-demo")
    """Folder for the results."""
    slices: Count = 1
    """Number of phantoms."""

    def outputs(self) -> Iterator[Output]:
        """Yield the report and what lies beside it."""
        yield from super().outputs()
        yield from report_files(self.out)

    def run(self) -> None:
        """Reconstruct, print the table, write the report."""
        from smug.comparison import evaluate
        from smug.data.simulate import Acquisition
        from smug.evaluation.datasets import simulated_set
        from smug.evaluation.named_models import named_models
        from smug.evaluation.protocols import PROTOCOLS
        from smug.evaluation.settings import PAIR, with_settings
        from smug.system.files import together

        device = self.start()
        acquisition, protocol = Acquisition(), PROTOCOLS["demo"]
        models = with_settings(named_models(MODELS, "phantom", SIZE, acquisition), PAIR)
        test = simulated_set("phantom", "test", SIZE, acquisition, count=self.slices)
        cells = len(test.scans) * len(models) * len(protocol.conditions)
        with progress("Reconstructing and attacking", cells) as advance:
            result = evaluate(
                models, test, protocol, seed=self.seed, device=device, command=self.command, advance=advance
            )
        show(result.table(TITLE))
        if (attacks := result.attacks()).groups:
            show(attacks)
        with together():
            result.report(self.out, title=TITLE)
            self.write_json(result.document)
        say(f"Open {self.out / 'report.html'} in a browser; the figure is {self.out / 'figure.png'}.")
        say(result.conclusion())
