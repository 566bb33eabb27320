"""Where models are trained and cells are scored, each once, whatever asks for them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache
from pathlib import Path

import torch

from smug.data.scan import stacked
from smug.evaluation.datasets import TestSet, load_set, tuned_for
from smug.evaluation.evaluate import evaluate
from smug.evaluation.row import Outcome
from smug.evaluation.store import RowStore
from smug.paper.cells import CLASSICAL, Block, Found, Seen
from smug.paper.regime import Scale
from smug.paper.runs import Run, finished
from smug.reconstructor import Reconstructor, moved
from smug.system.files import write_json
from smug.training import batches, config_file, run_document, trainer
from smug.training.checkpoint import weights_hash
from smug.training.config import DataConfig
from smug.training.configured import build
from smug.training.log import LogEntry
from smug.training.runs import DOCUMENT, Model, initialise, load_weights
from smug.zoo import CLASSICAL as RECONSTRUCTORS
from smug.zoo import REGULARISED

Told = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Workshop:
    """A folder of runs and rows at a scale.

    ``told`` hears what is going on; ``seed`` is that of noise and attacks, the training seeds are the scale's.
    """

    scale: Scale
    out: Path
    root: Path | None = None
    device: torch.device | str = "cpu"
    seed: int = 0
    command: str = ""
    told: Told = lambda text: None

    def few(self, slices: int) -> "Workshop":
        """Return the workshop for so many test slices, and the first training seed."""
        return replace(self, scale=replace(self.scale, slices=slices, seeds=self.scale.seeds[:1]))

    def folder(self, run: Run) -> Path:
        """Return where a run is kept."""
        return self.out / "runs" / run.folder

    def model(self, run: Run) -> Model:
        """Return a trained model: from its folder, or after training it, from where that was stopped.

        Raises ValueError for a folder that holds another run: of another configuration or length, on other data, or
        from other weights.
        """
        folder, config = self.folder(run), run.config(self.scale)
        described = self.scale.anatomy(run.anatomy).described
        f = build(config).to(self.device)
        match run.parent(self.scale):
            case Run() as parent:
                self.model(parent)
                initialise(f, self.folder(parent))
            case Path() as weights:
                initialise(f, weights)
        if (folder / DOCUMENT).exists():
            return finished(folder, config, described, weights_hash(f.networks()))

        def report(entry: LogEntry) -> None:
            if entry.validation_psnr is not None:
                quality = f"validation PSNR {entry.validation_psnr:.2f} dB"
                self.told(f"training {run.folder}: update {entry.update}/{config.optimizer.updates}, {quality}")

        self.told(f"training {run.folder}")
        entries = trainer.train(f, config, self._data(config.data), folder, resume=True, report=report)
        document = run_document.run_document(
            config_file.to_dict(config), entries, seeds=[run.seed], data=described, command=self.command
        )
        write_json(folder / DOCUMENT, document)
        return load_weights(folder)

    def test(self, anatomy: str, acceleration: float, split: str = "test", count: int | None = None) -> TestSet:
        """Return scans of an anatomy, at most ``count`` or as many as the scale has."""
        source, size = self.scale.anatomy(anatomy).source, self.scale.config.data.size
        acquisition = self.scale.acquisition(acceleration)
        return load_set(source, split, size, acquisition, count=count or self.scale.slices, root=self.root)

    def models(self, block: Block) -> Iterator[tuple[str, int, Reconstructor]]:
        """Yield the reconstructors of a block: name, training seed, and the reconstructor."""
        for method in block.methods:
            if method in CLASSICAL:
                yield method, 0, self._classical(method, block)
                continue
            for seed in self.scale.seeds:
                yield method, seed, self.sampled(self.model(Run(block.anatomy, block.acceleration, method, seed)))

    def sampled(self, model: Model) -> Model:
        """Return a model with the samples that the scale tests with; one without smoothing as it is."""
        if "num_samples" not in model.settings():
            return model
        return model.replace(noise=self.scale.noise, num_samples=self.scale.num_samples)

    def found(self, blocks: Sequence[Block]) -> list[Found]:
        """Score the cells of some blocks."""
        return [seen.found for block in blocks for seen in self.seen(block)]

    def seen(self, block: Block) -> Iterator[Seen]:
        """Score the cells of a block, so many slices together as the scale says.

        Images are empty but where one of the first ``block.images`` slices is among them.
        """
        test = self.test(block.anatomy, block.acceleration)
        for method, seed, f in self.models(block):
            self.told(f"scoring {block.anatomy} {block.acceleration:g}x {method}-{seed}: {len(test.scans)} slices")
            for first in range(0, len(test.scans), self.scale.together):
                scan = stacked(test.scans[first : first + self.scale.together])
                kept: list[Outcome] = []
                rows = evaluate(
                    {method: moved(f, self.device)},
                    block.conditions,
                    [scan.to(self.device)],
                    seed=self.seed,
                    subjects=test.subjects,
                    store=self.store,
                    keep=kept.append if first < block.images else None,
                )
                for outcome in kept or [Outcome(row, torch.empty(0), torch.empty(0)) for row in rows]:
                    found = Found(block.anatomy, block.acceleration, method, seed, outcome.row)
                    yield Seen(found, outcome.image.cpu(), outcome.target.cpu())

    @cached_property
    def store(self) -> RowStore:
        """The one store of all rows."""
        return RowStore(self.out / "rows")

    def _classical(self, method: str, block: Block) -> Reconstructor:
        if method not in REGULARISED:
            return RECONSTRUCTORS[method]()
        return self._tuned(method, self.scale.anatomy(block.anatomy).source, block.acceleration)

    @cached_property
    def _tuned(self) -> Callable[[str, str, float], Reconstructor]:
        def tune(method: str, source: str, acceleration: float) -> Reconstructor:
            """Tune lam once for all blocks."""
            size, acquisition = self.scale.config.data.size, self.scale.acquisition(acceleration)
            return tuned_for(REGULARISED[method], source, size, acquisition, self.root)

        return cache(tune)

    @cached_property
    def _data(self) -> Callable[[DataConfig], batches.TrainingData]:
        return lru_cache(maxsize=1)(lambda config: batches.load_training_data(config, self.root))
