"""An estimate of the memory of a training step, made before the run starts.

The networks run once without memory (:mod:`smug.training.network_memory`); images, coil images and weights are counted.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn

from smug.models.denoisers import build_denoiser
from smug.models.reconstructors import RSE2E, NetworkReconstructor, WeightedSMUG
from smug.training.config import Config
from smug.training.configured import build
from smug.training.methods import METHODS
from smug.training.network_memory import network_memory

COIL_IMAGES = 4
"""Arrays of all coils that ``A^H A`` holds at once: coil images, their spectrum, the masked spectrum, the result."""

ATTACK = 4
"""Arrays as large as k-space that an attack holds beside the data: perturbations and their gradients."""

VECTORS = 6
"""Images that the solver holds beside its coil images, and the loss beside the samples."""

WORTHWHILE = 0.95
"""A setting is advised if it lowers the memory of a step below this share."""


@dataclass(frozen=True)
class MemoryEstimate:
    """The bytes of a training step on one device, at its peak.

    ``data`` is the scan, ``images`` what stays of every unrolling step and sample, ``activations`` what stays of the
    denoiser's layers for the gradient (of one chunk of samples where they are recomputed), and ``temporaries`` what
    comes and goes beside them, of the layers or of the solver. The last two are None for a denoiser that does not run
    without memory; ``reason`` tells why. ``advice`` is the one setting whose change saves most.
    """

    weights: int
    gradients: int
    moments: int
    data: int
    images: int
    activations: int | None
    temporaries: int | None
    advice: str = ""
    reason: str = ""

    @property
    def step(self) -> int | None:
        """What a step adds to weights, moments and data; None where it is not known."""
        if self.activations is None or self.temporaries is None:
            return None
        return self.gradients + self.images + self.activations + self.temporaries

    @property
    def total(self) -> int | None:
        """All parts; None where they are not known."""
        return None if self.step is None else self.weights + self.moments + self.data + self.step


def estimate(
    config: Config,
    denoiser: nn.Module | None = None,
    *,
    coils: int | None = None,
    matrix: tuple[int, int] | None = None,
    rows: int | None = None,
) -> MemoryEstimate:
    """Estimate the memory of a training step from shapes alone; nothing is allocated.

    ``denoiser`` replaces the configured network. ``coils`` and ``matrix`` are those of the data, by default of the
    configured acquisition; ``rows`` is how many slices of a batch this process takes at a time, by default
    ``optimizer.batch / compute.accumulate``. Not in it: libraries and their workspaces, compilation, and batches made
    ahead. Raises ValueError for a network that must be given.
    """
    rows = rows or config.optimizer.batch // config.compute.accumulate
    coils = coils or max(config.data.acquisition.values("coils"))
    matrix = matrix or max(config.data.shapes, key=math.prod)
    if denoiser is None:
        with torch.device("meta"):
            denoiser = build_denoiser(config.network)
    f = build(config, denoiser)

    def parts(config: Config, rows: int) -> MemoryEstimate:
        return _parts(config, f, coils, matrix, rows)

    needed = parts(config, rows)
    return replace(needed, advice=_advice(config, rows, needed.total, lambda *changed: parts(*changed).total))


@dataclass(frozen=True)
class _Counts:
    """How many images a step computes and keeps, for every slice of the batch.

    ``samples`` are averaged by the smoothing, ``chunk`` of them are computed at once. ``denoised`` images go through
    the denoiser, and ``goals`` once more, without noise, as what the stability loss pulls towards. Autograd keeps
    ``kept`` images beside what the layers of the networks keep; the solver works on ``solved`` at once.
    """

    samples: int
    chunk: int
    denoised: int
    goals: int
    kept: int
    solved: int


def _counts(config: Config, f: NetworkReconstructor) -> _Counts:
    terms, steps = METHODS[config.method].terms, (config.training_steps or (config.steps,))[-1]
    if "denoising" in terms:
        return _Counts(samples=1, chunk=1, denoised=1, goals=0, kept=1, solved=0)
    noisy = "smoothing" in f.settings() and config.smoothing.sigma > 0
    samples = max(config.training_samples, 1) if noisy else 1
    chunk = min(config.smoothing.chunk or samples, samples)
    if isinstance(f, RSE2E):  # every sample is unrolled, and keeps x of every step
        return _Counts(samples, chunk, steps * samples, goals=0, kept=steps * samples, solved=chunk)
    goals, kept = 0, steps
    if "stability" in terms:
        goals = {"denoised-target": 1, "denoised-iterate": steps}.get(config.stability_target, 0)
        # D(x + eta) - D(t); for the second run x + eta; for the weights' gradient D(x + eta)
        kept += steps * samples * (1 + config.compute.recompute + isinstance(f, WeightedSMUG))
    passes = 2 if "change" in terms else 1  # through the unrolling
    return _Counts(samples, chunk, passes * steps * samples, goals, passes * kept, solved=1)


def _parts(config: Config, f: NetworkReconstructor, coils: int, matrix: tuple[int, int], rows: int) -> MemoryEstimate:
    compute, n, networks = config.compute, _counts(config, f), f.networks()
    image = 8 * math.prod(matrix)
    perturbed = {"jitter": 1, "adversarial": ATTACK, "adversarial-smug": ATTACK, "trades": ATTACK}.get(config.method, 0)
    weights = sum(parameter.nbytes for parameter in networks.parameters())
    start = networks["denoiser"] if config.stability_target.startswith("frozen") else nn.Module()
    counted = MemoryEstimate(
        weights=weights + sum(parameter.nbytes for parameter in start.parameters()),
        gradients=weights * min(compute.accumulate, 2),  # a part's are summed up before those of others are added
        moments=2 * weights,
        data=image * rows * (compute.accumulate * (2 * coils + 1) + perturbed * coils),
        images=image * rows * (n.kept + n.samples + VECTORS),
        activations=None,
        temporaries=None,
    )
    if not f.image_networks():
        return replace(counted, reason="the minimiser keeps no activations, and some arrays of all filter responses")
    dtype = torch.bfloat16 if compute.precision == "bf16" else None
    try:
        needs = [_network_memory(network, (n.chunk * rows, *matrix), dtype) for network in f.image_networks().values()]
    except Exception as error:  # whatever somebody's network raises
        reason = str(error).partition("\n")[0]
        return replace(counted, reason=f"the denoiser does not run on torch's meta device: {reason}")
    solver = image * rows * n.solved * (COIL_IMAGES * coils + VECTORS)
    if compute.recompute:
        activations, temporaries = max(needs, key=sum)
        return replace(counted, activations=activations, temporaries=max(temporaries, solver - activations))
    calls = [(n.denoised + n.goals) / n.chunk, n.denoised / n.chunk]  # of the denoiser, and of the encoder
    activations = round(sum(kept * count for (kept, _), count in zip(needs, calls, strict=False)))
    return replace(counted, activations=activations, temporaries=max(solver, *(passing for _, passing in needs)))


def _network_memory(network: nn.Module, shape: tuple[int, int, int], dtype: torch.dtype | None) -> tuple[int, int]:
    try:
        return network_memory(network, shape, dtype)
    except Exception:
        if dtype is None:
            raise
        return network_memory(
            network, shape
        )  # at most: somebody's network need not cast its input to its parameters' type


def _advice(config: Config, rows: int, total: int | None, of: Callable[[Config, int], int | None]) -> str:
    """Return the setting that saves most without changing the result, or else the next one that does change it."""
    compute, smoothing = config.compute, config.smoothing
    changes = {
        "compute.recompute = true": (replace(config, compute=replace(compute, recompute=True)), rows),
        "smoothing.chunk = 1": (replace(config, smoothing=replace(smoothing, chunk=1)), rows),
    }
    changes = {advice: change for advice, change in changes.items() if change[0] != config}
    if rows > 1:
        single = replace(compute, accumulate=config.optimizer.batch)
        changes[f"compute.accumulate = {rows * compute.accumulate}"] = replace(config, compute=single), 1
    if total is None:
        return next(iter(changes), "network.channels")
    totals = {advice: of(*change) or total for advice, change in changes.items()}
    best = min(totals, key=totals.__getitem__, default="")
    if best and totals[best] < WORTHWHILE * total:
        return best
    return 'compute.precision = "bf16"' if compute.precision == "fp32" else "network.channels"
