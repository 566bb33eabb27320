"""What is written of a run: configuration, log, weights, pictures and checkpoints."""

from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

from smug.models.reconstructors import NetworkReconstructor
from smug.system.files import write_json
from smug.training.checkpoint import CHECKPOINT, Place
from smug.training.config_file import to_dict
from smug.training.learner import Learner
from smug.training.log import LOG, LogEntry, RunLog, read_log
from smug.training.methods import METHODS
from smug.training.pictures import write_losses
from smug.training.runs import CONFIG, WEIGHTS, save_weights


class Records:
    """What is written of a run from ``place`` on; ``entries`` is its log from the start.

    ``notes`` are kept with the weights. Raises OSError where the disk refuses, and ValueError for a log that is not
    that of the run.
    """

    def __init__(
        self, out: Path, learner: Learner, f: NetworkReconstructor, notes: dict[str, str], place: Place
    ) -> None:
        self.out, self.learner, self.f, self.notes = out, learner, f, notes
        if not (out / CONFIG).exists():
            write_json(out / CONFIG, to_dict(learner.config))
        self._log = RunLog.open(out / LOG, METHODS[learner.config.method].terms, place.update)
        self.entries = read_log(out / LOG)
        self._saved = monotonic()

    def write(self, entry: LogEntry, *, save: bool) -> None:
        """Add an entry to the log.

        Where it was validated, weights and the picture of the losses are written too. A checkpoint is written
        then, when one is due, and with ``save``.
        """
        self.entries.append(entry)
        self._log.write(entry)
        if entry.validation_psnr is not None:
            notes = {"update": str(entry.update), "validation_psnr": f"{entry.validation_psnr:.3f}", **self.notes}
            save_weights(self.out / WEIGHTS, self.f, self.learner.config, notes)
            write_losses(self.out / "losses.png", self.entries)
            save = True
        if save or monotonic() - self._saved >= self.learner.config.compute.checkpoint_seconds:
            self.learner.save(self.out / CHECKPOINT, Place(entry.update, entry.seconds))
            self._saved = monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._log.close()
