"""smug train."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from smug.commands.common import Common, console, progress


@dataclass(frozen=True)
class Train(Common):
    """Train a reconstructor; the run folder gets its weights, configuration and log."""

    config: str = "small"
    """tiny (a minute), small (a quarter of an hour on two cores), paper, or a TOML file."""
    method: Literal["pretrain", "modl", "rs-e2e", "smug", "weighted-smug"] | None = None
    """What to train; by default what the configuration says."""
    seed: int | None = None  # type: ignore[assignment]
    """Seed of everything random; by default what the configuration says."""
    out: Path = Path("run")
    """Folder of the run."""
    max_steps: int | None = None
    """Number of updates, instead of the configuration's."""
    init: Path | None = None
    """Start from the weights of another run or file."""
    data_root: Path | None = None
    """Folder of the image sets; by default the environment's SMUG_DATA."""

    def run(self) -> None:
        """Train."""
        from smug.training import batches, config, methods, runs, trainer

        device = self.start()
        settings = config.load_config(self.config)
        settings = replace(settings, method=self.method or settings.method)
        if self.seed is not None:
            settings = replace(settings, seed=self.seed)
        if self.max_steps is not None:
            settings = replace(settings, optimizer=replace(settings.optimizer, updates=self.max_steps))
        if (self.out / runs.WEIGHTS).exists():
            raise ValueError(f"--out {self.out}: holds a run already; choose another folder")
        f = methods.build(settings).to(device)
        if self.init is not None:
            runs.initialise(f, self.init)
        console().print(f"Loading {', '.join(settings.data.sources)}.")
        data = batches.load_training_data(settings.data, self.data_root)
        with progress(f"Training {settings.method}", settings.optimizer.updates) as advance:
            log = trainer.train(f, settings, data, self.out, report=lambda loss: advance(1))
        console().print(
            f"Validation PSNR {log[-1].validation_psnr:.2f} dB after {log[-1].update} updates "
            f"({log[-1].seconds / 60:.1f} min); weights and log are in {self.out}."
        )
        self.write_json({"schema": "smug-run-1", "config": config.to_dict(settings), "log": [vars(e) for e in log]})
