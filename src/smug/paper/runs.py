"""The training runs that the exhibits need, and how they are made: each once, from one warm start."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from smug.paper.scales import Scale
from smug.system.documents import read_document
from smug.training.config import Config
from smug.training.config_file import digest
from smug.training.run_document import SCHEMA
from smug.training.runs import DOCUMENT, Model, load_weights
from smug.training.weights_file import shipped

METHODS: Mapping[str, Mapping[str, Any]] = {
    "modl": {"method": "modl"},
    "modl-longer": {"method": "modl"},
    "rs-e2e": {"method": "rs-e2e"},
    "smug": {"method": "smug"},
    "weighted-smug": {"method": "weighted-smug"},
    "jitter": {"method": "jitter"},
    "adversarial": {"method": "adversarial"},
    "smug-target": {"method": "smug", "stability_target": "target"},
    "smug-denoised-iterate": {"method": "smug", "stability_target": "denoised-iterate"},
    "smug-frozen-denoised-target": {"method": "smug", "stability_target": "frozen-denoised-target"},
    "smug-frozen-denoised-iterate": {"method": "smug", "stability_target": "frozen-denoised-iterate"},
}
"""The trained methods by name, with what each changes in the scale's configuration."""

PAPERS = ("modl", "rs-e2e", "smug", "weighted-smug")
"""The paper's methods; the others are compared with the first."""

CLASSICAL = ("cg-sense", "tv", "zero-filled")
"""Methods that are not trained; their lam is tuned on validation slices."""


@dataclass(frozen=True)
class Run:
    """A method on an anatomy at an acceleration and, of a trained one, the seed of its training."""

    anatomy: str
    acceleration: float
    method: str
    seed: int = 0

    @property
    def folder(self) -> str:
        """The run's folder below that of all runs."""
        return f"{self.anatomy}-{self.acceleration:g}x/{self.method}-{self.seed}"

    def parent(self, scale: Scale) -> "Run | Path | None":
        """Return the run or the shipped weights that this run starts from; None for new weights."""
        match self.method, scale.start:
            case "start", _:
                return None
            case "warm", str(name):
                return shipped(name)
            case "warm", _:
                return replace(self, method="start", seed=0)
        return replace(self, method="warm", seed=0)

    def config(self, scale: Scale) -> Config:
        """Return the run's configuration."""
        data = replace(
            scale.config.data,
            sources=(scale.anatomy(self.anatomy).source,),
            acquisition=scale.acquisition(self.acceleration),
        )
        config = replace(scale.config, data=data, seed=self.seed)
        match self.method:
            case "start":
                if isinstance(scale.start, str):
                    raise ValueError(f"{scale.name} starts from the shipped {scale.start}: it has no run of its own")
                return replace(config, method="modl", steps=1, optimizer=scale.start)
            case "warm":
                return replace(config, method="modl", optimizer=scale.warm)
            case "modl-longer":
                # as many denoiser calls as SMUG: K samples in each of N steps, and D(t)
                calls = (config.training_samples * config.steps + 1) / config.steps
                updates = round(calls * config.optimizer.updates)
                config = replace(config, optimizer=replace(config.optimizer, updates=updates))
        return replace(config, **METHODS[self.method])


def finished(folder: Path, config: Config, data: Mapping[str, Any], start: str) -> Model:
    """Return the model of a finished run; ``start`` is the hash of the weights that it must have started from.

    Raises ValueError where the folder holds another run.
    """
    model, document = load_weights(folder), read_document(folder / DOCUMENT, SCHEMA)
    agrees = {
        "configuration": _digest(model.config) == _digest(config),
        "data": document.get("data") == data,
        "start": model.metadata.get("start_sha256") == start,
        "length": model.metadata.get("update") == str(config.optimizer.updates),
    }
    if wrong := [name for name, same in agrees.items() if not same]:
        raise ValueError(f"{folder}: holds a run of another {', '.join(wrong)}; name another --out")
    return model


def _digest(config: Config) -> str:
    """Return the digest of a configuration, whose data may have moved."""
    names = tuple(Path(source).name for source in config.data.sources)
    return digest(replace(config, data=replace(config.data, sources=names)))
