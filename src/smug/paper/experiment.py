"""The folder of a reproduction: models that are trained once, and rows that are scored once, at a scale."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

import torch

from smug.data.scan import Scan, stacked
from smug.evaluation.conditions import Condition
from smug.evaluation.datasets import TestSet, load_set
from smug.evaluation.row import Outcome, Row
from smug.evaluation.scoring import score
from smug.evaluation.store import RowStore
from smug.evaluation.tuning import tuned_for
from smug.models.reconstructors import NetworkReconstructor
from smug.paper.reporting import Report, silent
from smug.paper.runs import CLASSICAL, Run, finished
from smug.paper.scales import Scale
from smug.reconstructor import Reconstructor, moved
from smug.system.documents import read_document
from smug.system.files import write_json
from smug.training import batches, config_file, run_document, trainer
from smug.training.checkpoint import weights_hash
from smug.training.config import DataConfig
from smug.training.configured import build
from smug.training.log import LogEntry
from smug.training.runs import DOCUMENT, Model, initialise
from smug.zoo import CLASSICAL as RECONSTRUCTORS
from smug.zoo import REGULARISED


@dataclass(frozen=True, eq=False)
class Experiment:
    """Models and rows at a scale, in the folder ``out``.

    ``seed`` is that of noise and attacks; the training seeds are the scale's. ``root`` is the folder of the image sets,
    ``command`` is noted in documents, and ``report`` receives a line about each model and each set of slices.
    """

    scale: Scale
    out: Path
    root: Path | None = None
    device: torch.device | str = "cpu"
    seed: int = 0
    command: str = ""
    report: Report = silent

    def folder(self, run: Run) -> Path:
        """Return the folder of a run."""
        return self.out / "runs" / run.folder

    def is_trained(self, run: Run) -> bool:
        """Return whether the folder of a run holds a finished one."""
        return (self.folder(run) / DOCUMENT).exists()

    def train(self, run: Run) -> None:
        """Train a model, from where that was stopped; its parent must be trained. Do nothing if that is done.

        Raises ValueError for a folder that holds another run: of another configuration or length, on other data, or
        from other weights.
        """
        if self.is_trained(run):
            self.model(run)
            return
        f, config, folder = self._start(run), run.config(self.scale), self.folder(run)

        def report(entry: LogEntry) -> None:
            if entry.validation_psnr is not None:
                quality = f"validation PSNR {entry.validation_psnr:.2f} dB"
                self.report(f"training {run.folder}: update {entry.update}/{config.optimizer.updates}, {quality}")

        self.report(f"training {run.folder}")
        entries = trainer.train(f, config, self._training_data(config.data), folder, resume=True, report=report)
        described = self.scale.anatomy(run.anatomy).described
        document = run_document.run_document(
            config_file.to_dict(config), entries, seeds=[run.seed], data=described, command=self.command
        )
        write_json(folder / DOCUMENT, document)

    def model(self, run: Run) -> Model:
        """Return a trained model; raises ValueError where it is not trained, or its folder holds another run."""
        if not self.is_trained(run):
            raise ValueError(f"{self.folder(run)}: expected a finished training run, got none")
        described = self.scale.anatomy(run.anatomy).described
        start = weights_hash(self._start(run).networks())
        return finished(self.folder(run), run.config(self.scale), described, start)

    def training_seconds(self, run: Run) -> float:
        """Return how long a finished run took."""
        return float(read_document(self.folder(run) / DOCUMENT, run_document.SCHEMA)["timing"]["seconds"])

    def test(self, anatomy: str, acceleration: float, split: str = "test", count: int | None = None) -> TestSet:
        """Return scans of an anatomy, at most ``count``, or as many as the scale has."""
        source, size = self.scale.anatomy(anatomy).source, self.scale.config.data.size
        acquisition = self.scale.acquisition(acceleration)
        return load_set(source, split, size, acquisition, count=count or self.scale.slices, root=self.root)

    def reconstructor(self, run: Run) -> Reconstructor:
        """Return a reconstructor as it is tested: a trained model, or a classical method with its lam tuned."""
        if run.method not in CLASSICAL:
            return moved(sampled(self.model(run), self.scale), self.device)
        if run.method not in REGULARISED:
            return RECONSTRUCTORS[run.method]()
        return self._tuned(run.method, run.anatomy, run.acceleration)

    def outcomes(
        self, run: Run, conditions: Sequence[Condition], test: TestSet, *, images: bool = False
    ) -> Iterator[Outcome]:
        """Score a method under conditions, slices in batches as the scale says.

        Rows that are stored are not scored again. The images of outcomes are empty unless they are wanted.
        """
        f = self.reconstructor(run)
        for first in range(0, len(test.scans), self.scale.together):
            scan = stacked(test.scans[first : first + self.scale.together])
            kept: list[Outcome] = []
            rows = self._rows(
                run.method, f, conditions, scan, subjects=test.subjects, keep=kept.append if images else None
            )
            for outcome in kept or [Outcome(row, torch.empty(0), torch.empty(0)) for row in rows]:
                yield replace(outcome, image=outcome.image.cpu(), target=outcome.target.cpu())

    def rows(self, name: str, f: Reconstructor, conditions: Sequence[Condition], scans: Sequence[Scan]) -> list[Row]:
        """Score a reconstructor under conditions on single scans."""
        return [row for scan in scans for row in self._rows(name, f, conditions, scan)]

    def _rows(
        self, name: str, f: Reconstructor, conditions: Sequence[Condition], scan: Scan, **options: Any
    ) -> list[Row]:
        models, scans = {name: f}, [scan.to(self.device)]
        return score(models, conditions, scans, seed=self.seed, store=self.store, **options)

    @cached_property
    def store(self) -> RowStore:
        """The store of all rows."""
        return RowStore(self.out / "rows")

    def _start(self, run: Run) -> NetworkReconstructor:
        """Return the reconstructor of a run as it is before its training."""
        f = build(run.config(self.scale)).to(self.device)
        match run.parent(self.scale):
            case Run() as parent:
                initialise(f, self.folder(parent))
            case Path() as weights:
                initialise(f, weights)
        return f

    @cached_property
    def _tuned(self) -> Callable[[str, str, float], Reconstructor]:
        @cache
        def tuned(method: str, anatomy: str, acceleration: float) -> Reconstructor:
            source, size = self.scale.anatomy(anatomy).source, self.scale.config.data.size
            return tuned_for(REGULARISED[method], source, size, self.scale.acquisition(acceleration), self.root)

        return tuned

    @cached_property
    def _training_data(self) -> Callable[[DataConfig], batches.TrainingData]:
        return lru_cache(maxsize=1)(lambda config: batches.load_training_data(config, self.root))


def sampled(model: Model, scale: Scale) -> Model:
    """Return a model with the smoothing that the scale tests with; a model without smoothing as it is."""
    if "num_samples" not in model.settings():
        return model
    return model.replace(noise=scale.noise, num_samples=scale.num_samples)
