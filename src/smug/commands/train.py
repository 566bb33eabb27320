"""smug train."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from smug.commands import sources
from smug.commands.common import Common
from smug.commands.numbers import Count, Seed
from smug.system.paths import Input, Output
from smug.system.terminal import say, warn
from smug.system.words import counted

if TYPE_CHECKING:
    from smug.training.config import Config
    from smug.training.memory import MemoryEstimate


FILES = ("config.json", "model.safetensors", "checkpoint.safetensors", "run.json", "log.csv", "losses.png")
"""Files that training writes to the run's folder, besides pictures."""

SLOW = 'compute.precision: this processor has no instructions for bf16, which takes several times as long as "fp32".'


@dataclass(frozen=True)
class Train(Common):
    """Train a reconstructor; the run folder gets its weights, configuration, checkpoint, log and pictures.

    Under torchrun the processes share every batch: torchrun --nproc-per-node 4 -m smug train --device cuda ...
    """

    config: str | None = None
    """tiny (a minute), small (less than an hour on two cores), ridge (half an hour on one core), paper, a TOML file, or
    the config.json of a run. By default small, or ridge for the methods that train a ridge regulariser."""
    method: (
        Literal[
            "pretrain",
            "denoise",
            "modl",
            "jitter",
            "adversarial",
            "rs-e2e",
            "smug",
            "weighted-smug",
            "adversarial-smug",
            "trades",
            "score-matching",
            "ridge",
        ]
        | None
    ) = None
    """What to train; by default what the configuration says."""
    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = field(default=())
    """KEY=VALUE replaces a value of the configuration, such as optimizer.updates=300; may be repeated."""
    seed: Seed | None = None  # type: ignore[assignment]
    """Seed of everything random; by default what the configuration says."""
    out: Path = Path("run")
    """Folder of the run."""
    max_steps: Count | None = None
    """Number of updates, instead of the configuration's."""
    init: Path | None = None
    """Start from the weights of another run or file."""
    resume: bool = False
    """Go on with the run in --out from its last checkpoint, to the same weights as without the break."""
    denoiser: str | None = None
    """FILE.py:function that returns your own network, a module of complex (batch, y, x) images; it is executed."""
    data_root: Path | None = None
    """Folder of the image sets; by default the environment's SMUG_DATA."""

    def inputs(self) -> Iterator[Input]:
        """Yield the configuration, the data, the weights to start from, and the file of the network."""
        for source in self.settings().data.sources:
            yield from sources.data("--config", source, self.data_root)
        yield from sources.files("--config", [] if self.config is None else [self.config])
        yield from sources.files("--init", [] if self.init is None else [self.init])
        yield from sources.files("--denoiser", [] if self.denoiser is None else [self.denoiser])

    def outputs(self) -> Iterator[Output]:
        """Yield what the run folder gets; a run that goes on has its own configuration there."""
        yield from super().outputs()
        yield Output("--out", self.out, folder=True)
        yield Output("--out", self.out / "validation", folder=True)
        own = {each.path.resolve() for each in self.inputs()} if self.resume else set()
        for name in FILES:
            if (self.out / name).resolve() not in own:
                yield Output("--out", self.out / name)

    def without_effect(self) -> Mapping[str, str]:
        """Return the options whose value --set replaces, and the data root where it is not used."""
        from smug.data.images.sets import SETS

        keys = {override.partition("=")[0] for override in self.set}
        same = {"method": "method", "seed": "seed", "max_steps": "optimizer.updates", "denoiser": "network.file"}
        unused = {option: f"--set {key} is the same" for option, key in same.items() if key in keys}
        read = self.settings().data.sources
        if not set(SETS) & set(read):
            unused["data_root"] = f"no image set is read, but {', '.join(read)}"
        return unused

    def run(self) -> None:
        """Train."""
        from smug.commands.progress import training_progress
        from smug.models.compute import bfloat16_is_slow
        from smug.system.distributed import joined
        from smug.system.files import write_json
        from smug.system.python_file import load_network
        from smug.training import batches, checkpoint, config_file, log, memory, run_document, runs, trainer
        from smug.training.configured import build

        with joined(self.chosen) as group:
            quiet = not group.first
            device = self.start(quiet=quiet)
            settings = self.settings()
            network = None if self.denoiser is None else load_network(self.denoiser, "--denoiser")
            if group.first and not self.resume and (self.out / runs.CONFIG).exists():
                raise ValueError(f"--out {self.out}: holds a run already; --resume goes on with it")
            f = build(settings, network).to(device)
            if self.init is not None:
                runs.initialise(f, self.init)
            elif settings.stability_target.startswith("frozen"):
                raise ValueError(
                    f"stability_target {settings.stability_target!r}: needs --init, the MoDL that it freezes"
                )
            rows = max(1, settings.optimizer.batch // (group.world * settings.compute.accumulate))
            say(_memory(memory.estimate(settings, network, rows=rows)), quiet=quiet)
            if settings.compute.precision == "bf16" and bfloat16_is_slow(device):
                warn(SLOW, quiet=quiet)
            say(f"Loading {', '.join(settings.data.sources)}.", quiet=quiet)
            data = batches.load_training_data(settings.data, self.data_root)
            done = checkpoint.reached(self.out / checkpoint.CHECKPOINT).update if self.resume else 0
            path = self.out / log.LOG
            earlier = log.read_log(path) if done and path.exists() else []
            shown = training_progress(
                f"Training {settings.method}",
                settings.optimizer.updates,
                done,
                earlier=[entry for entry in earlier if entry.update <= done],
                quiet=quiet,
            )
            with shown as report:
                entries = trainer.train(f, settings, data, self.out, resume=self.resume, group=group, report=report)
            if group.first:
                last = entries[-1]
                say(
                    f"Validation PSNR {last.validation_psnr:.2f} dB after {counted(last.update, 'update')} "
                    f"({last.seconds / 60:.1f} min); weights, log and pictures are in {self.out}."
                )
                document = run_document.run_document(
                    config_file.to_dict(settings), entries, seeds=[settings.seed], command=self.command
                )
                write_json(self.out / runs.DOCUMENT, document)
                self.write_json(document)

    def settings(self) -> "Config":
        """Return the configuration with what the options replace."""
        from smug.training.config import RIDGE_METHODS
        from smug.training.config_file import load_config

        default = "ridge" if self.method in RIDGE_METHODS else "small"
        config = load_config(default if self.config is None else self.config, self.set)
        config = replace(config, method=self.method or config.method)
        if self.seed is not None:
            config = replace(config, seed=self.seed)
        if self.max_steps is not None:
            config = replace(config, optimizer=replace(config.optimizer, updates=self.max_steps))
        if self.denoiser is not None:
            config = replace(config, network=replace(config.network, kind="file", file=self.denoiser))
        return config


def _memory(estimate: "MemoryEstimate") -> str:
    if estimate.total is None:
        return f"Memory: not estimated; {estimate.reason}."
    gibibytes = estimate.total / 2**30
    advice = f"; to need less: {estimate.advice}" if estimate.advice and gibibytes > 1 else ""
    return f"Memory: about {gibibytes:.2g} GiB{advice}."
