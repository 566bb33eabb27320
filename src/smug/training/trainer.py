"""The training loop."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import torch

from smug.data.scan import Scan
from smug.evaluation.metrics import psnr
from smug.files import write_atomically
from smug.models.noise import derive
from smug.models.reconstructors import NetworkReconstructor
from smug.training.batches import TrainingData
from smug.training.config import Config
from smug.training.methods import training_loss
from smug.training.runs import WEIGHTS, save_weights


@dataclass(frozen=True)
class Progress:
    """One line of the log: the mean loss since the last one, the validation PSNR in dB, and the time."""

    update: int
    loss: float
    validation_psnr: float
    seconds: float


def train(
    f: NetworkReconstructor,
    config: Config,
    data: TrainingData,
    out: Path,
    report: Callable[[float], None] | None = None,
) -> list[Progress]:
    """Train the networks of ``f`` in place; write weights and log to the folder ``out`` and return the log.

    Every batch and all noise are functions of (seed, update). The weights are written at every validation and not
    selected by it. ``report`` receives the loss of every update. Raises ValueError, with the slices' names, when the
    loss is not finite; the last good weights stay.
    """
    settings = config.optimizer
    networks = f.networks()
    networks.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    device = next(networks.parameters()).device
    optimizer = torch.optim.Adam(networks.parameters(), settings.learning_rate, settings.betas)
    warm_up = 0.1 if settings.updates > 10 else 0.05  # torch divides by 0.1 * 10 - 1
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, total_steps=settings.updates, cycle_momentum=False, pct_start=warm_up
    )
    loss_of = training_loss(config)
    log: list[Progress] = []
    losses: list[float] = []
    start = monotonic()
    for update, scan in enumerate(_prefetched(data, config), 1):
        networks.train()
        loss = loss_of(f, scan.to(device), _seeds(config.seed, update, len(scan.id)))
        if not bool(loss.isfinite()):
            raise ValueError(f"update {update}: the loss is {loss.item()} for slices {', '.join(scan.id)}")
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(networks.parameters(), settings.clip_norm)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if report is not None:
            report(losses[-1])
        if update % settings.validate_every == 0 or update == settings.updates:
            networks.eval()
            quality = validate(f, data.validation, device)
            save_weights(out / WEIGHTS, f, config, validation_psnr=f"{quality:.3f}", update=str(update))
            log.append(Progress(update, sum(losses) / len(losses), quality, monotonic() - start))
            _write_log(out / "log.csv", log)
            losses = []
    return log


@torch.no_grad()
def validate(f: Callable[..., torch.Tensor], scans: Iterable[Scan], device: torch.device) -> float:
    """Return the mean magnitude-slice PSNR in dB over scans, with the same smoothing noise every time."""
    values = []
    for scan in scans:
        scan = scan.to(device).normalised()
        values.append(psnr(f(scan.y, scan.A, _seeds(0, 0, len(scan.id))), scan.truth, "slice"))
    return float(torch.cat(values).mean())


def _seeds(seed: int, update: int, batch: int) -> torch.Tensor:
    """Return one seed per image of an update."""
    return derive(torch.arange(batch) + 2**32 * seed, update)


def _prefetched(data: TrainingData, config: Config) -> Iterable[Scan]:
    """Simulate each batch while the last one trains."""
    settings = config.optimizer
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(data.batch, 1, settings.batch, config.seed)
        for update in range(1, settings.updates + 1):
            scan = ahead.result()
            ahead = pool.submit(data.batch, update + 1, settings.batch, config.seed)
            yield scan


def _write_log(path: Path, log: list[Progress]) -> None:
    lines = [f"{p.update},{p.loss:.6g},{p.validation_psnr:.3f},{p.seconds:.1f}" for p in log]
    header = "update,loss,validation_psnr_db,seconds"
    write_atomically(path, lambda temporary: temporary.write_text("\n".join([header, *lines]) + "\n"))
