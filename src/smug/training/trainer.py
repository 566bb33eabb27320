"""The training loop: one update after another, validated, logged and stopped in good order."""

from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from math import isfinite
from pathlib import Path
from signal import SIGTERM
from time import monotonic

from smug.data.scan import Scan
from smug.models.reconstructors import NetworkReconstructor
from smug.system.distributed import ALONE, Group
from smug.system.files import locked
from smug.system.stopping import Stopped, asked_to_stop
from smug.training.batches import TrainingData
from smug.training.checkpoint import CHECKPOINT, Place, weights_hash
from smug.training.config import Config
from smug.training.learner import Learner, check_networks
from smug.training.log import LogEntry
from smug.training.prefetch import prefetched
from smug.training.records import Records
from smug.training.validation import validate


def train(
    f: NetworkReconstructor,
    config: Config,
    data: TrainingData,
    out: Path,
    *,
    resume: bool = False,
    group: Group = ALONE,
    report: Callable[[LogEntry], None] | None = None,
) -> list[LogEntry]:
    """Train the networks of ``f`` in place and return the log, which ``report`` receives row by row.

    Batches, masks and all noise are functions of (seed, update). The folder ``out`` gets the configuration, a log, a
    checkpoint, and at every validation the weights (not selected by it) and pictures. ``resume`` goes on from the
    checkpoint in ``out``, where there is one: on the same processor and threads to the same weights, bit by bit. All
    processes of a ``group`` call this together; each computes its share of every batch, and the first one writes and
    has the log.

    Raises ValueError for networks that cannot be trained or stored, see :func:`smug.training.learner.check_networks`;
    where a loss or gradient is not finite, with the slices' names (the checkpoint stays as it was),
    for a batch without equal shares, for a checkpoint of another configuration or that only some processes see, and
    where another run is at work in ``out``; :class:`Stopped` after SIGTERM or an interrupt, when the checkpoint is
    written.
    """
    check_networks(f.networks())
    refusal = f"{out}: another process is training there: wait for it, or choose another folder"
    with locked(out, refusal) if group.first else nullcontext():
        return _train(f, config, data, out, resume, group, report)


def _train(
    f: NetworkReconstructor,
    config: Config,
    data: TrainingData,
    out: Path,
    resume: bool,
    group: Group,
    report: Callable[[LogEntry], None] | None,
) -> list[LogEntry]:
    settings = config.optimizer
    notes = {"start_sha256": weights_hash(f.networks()), "range": data.range.to_json()}
    learner = Learner.of(f, config, group)
    place = learner.restore(out / CHECKPOINT) if resume and (out / CHECKPOINT).exists() else Place()
    if len(set(group.gathered([place.update]))) > 1:
        raise ValueError(f"{out}: expected a folder that all processes see, as only some of them find its checkpoint")
    updates = range(place.update + 1, settings.updates + 1)
    batches = prefetched(data, updates, settings.batch, config.seed, group.rows, config.compute.workers)
    records = Records(out, learner, f, notes, place) if group.first else None
    with asked_to_stop() as asked, closing(batches), records or nullcontext():
        for entry in _updated(learner, f, data, zip(updates, batches, strict=True), place, out):
            stop = group.any(bool(asked())) and entry.update < settings.updates
            if records:
                records.write(entry, save=stop)
                if report is not None:
                    report(entry)
            if stop:
                group.barrier()  # the checkpoint is written: torchrun ends all processes as soon as one has left
                message = f"stopped after update {entry.update} of {settings.updates}; --resume goes on"
                raise Stopped(message, asked() or SIGTERM)
    return records.entries if records else []


def _updated(
    learner: Learner,
    f: NetworkReconstructor,
    data: TrainingData,
    batches: Iterator[tuple[int, Scan]],
    place: Place,
    out: Path,
) -> Iterator[LogEntry]:
    """Take one update after another, validate where it is due, and yield what each was like."""
    config, settings, group = learner.config, learner.config.optimizer, learner.group
    elapsed = place.seconds
    while True:
        began = monotonic()
        batch = next(batches, None)
        if batch is None:
            return
        waited, (update, scan) = monotonic() - began, batch
        terms, norm = learner.update(update, scan)
        seconds = monotonic() - began
        if not isfinite(sum(terms.values()) + norm):
            raise _not_finite(terms, norm, data.names(update, settings.batch, config.seed), update)
        quality = None
        if update % settings.validate_every == 0 or update == settings.updates:
            learner.objective.eval()
            picture = out / "validation" / f"{update:06}.png" if group.first else None
            quality = validate(f, data.validation, learner.device, group=group, picture=picture)
        elapsed += monotonic() - began
        yield LogEntry(
            update,
            terms,
            learning_rate=learner.learning_rate(update),
            gradient_norm=norm,
            samples_per_second=settings.batch / seconds,
            seconds=elapsed,
            waiting=waited / seconds,
            validation_psnr=quality,
        )


def _not_finite(terms: dict[str, float], norm: float, names: tuple[str, ...], update: int) -> ValueError:
    values = ", ".join(f"{name} {value:g}" for name, value in terms.items())
    return ValueError(
        f"update {update}: expected a finite loss, got {values} with a gradient of norm {norm:g} for slices "
        f"{', '.join(names)}; the last checkpoint and weights stay as they are; try a lower optimizer.learning_rate or "
        "optimizer.clip_norm"
    )
