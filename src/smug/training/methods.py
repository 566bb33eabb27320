"""What each method is: its reconstructor, what the measurements go through in training, and its loss."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from smug import losses
from smug.attacks import PGD
from smug.attacks.driver import ascend
from smug.data.scan import Scan
from smug.models.build import build_denoiser
from smug.models.noise import derive
from smug.models.normalised import normalised
from smug.models.reconstructors import RSE2E, SMUG, MoDL, NetworkReconstructor, Unrolled, WeightedSMUG
from smug.models.smoothing import ImageMap
from smug.models.weight_encoder import WeightEncoder
from smug.reconstructor import Reconstructor
from smug.shifts.noise import jitter
from smug.training.config import Config

Terms = Mapping[str, Tensor]
"""The terms of a loss by name, weighted: their sum is what is minimised."""

Perturb = Callable[[Reconstructor, Scan, Tensor], Scan]
"""``(reconstructor, scan, seeds)`` to the scan that is trained on."""

Loss = Callable[[NetworkReconstructor, Scan, Tensor], Terms]
"""``(reconstructor, normalised scan, seeds) -> terms``."""

PERTURBATION = 2**31
"""Where in an update's addresses the noise of its perturbation lies, apart from that of the smoothing."""


@dataclass(frozen=True)
class TrainingMethod:
    """A reconstructor of a configuration and a denoiser, its loss, the names of the terms, and a perturbation.

    ``loss(config, start)`` is given the denoiser as it was at the start of the run, frozen. ``perturb`` is what the
    measurements go through in training; None leaves them as they are.
    """

    build: Callable[[Config, nn.Module], NetworkReconstructor]
    loss: Callable[[Config, ImageMap], Loss]
    terms: tuple[str, ...]
    perturb: Callable[[Config], Perturb] | None = None


def build(config: Config, denoiser: nn.Module | None = None) -> NetworkReconstructor:
    """Return the configured reconstructor with new weights (random where they are not zero: seeded by the run)."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        return METHODS[config.method].build(config, denoiser or build_denoiser(config.network))


def training_loss(config: Config, start: ImageMap) -> Loss:
    """Return the loss of the configured method, on measurements perturbed as it demands.

    ``start`` is the frozen denoiser of the stability targets that want one.
    """
    method = METHODS[config.method]
    loss = method.loss(config, start)
    perturb = None if method.perturb is None else method.perturb(config)

    def terms(f: NetworkReconstructor, scan: Scan, seeds: Tensor) -> Terms:
        if hasattr(f, "smoothing"):
            f = f.replace(num_samples=config.training_samples)
        if perturb is not None:  # of measurements in any unit, so that the scale is theirs too
            scan = perturb(normalised(f), scan, derive(seeds, PERTURBATION)).normalised()
        return loss(f, scan, seeds)

    return terms


def _modl(config: Config, denoiser: nn.Module) -> MoDL:
    return MoDL(denoiser, config.steps, config.lam)


def _smug(config: Config, denoiser: nn.Module) -> SMUG:
    return SMUG(denoiser, config.smoothing, config.steps, config.lam)


def _weighted_smug(config: Config, denoiser: nn.Module) -> WeightedSMUG:
    return WeightedSMUG(denoiser, WeightEncoder(), config.smoothing, config.steps, config.lam)


def _rs_e2e(config: Config, denoiser: nn.Module) -> RSE2E:
    return RSE2E(denoiser, config.smoothing, config.steps, config.lam)


def _jitter(config: Config) -> Perturb:
    return lambda f, scan, seeds: jitter(scan, config.perturbation.noise, seeds)


def _attack(config: Config) -> Perturb:
    p = config.perturbation
    rule = PGD(p.steps, step_size=p.step_size, keep="last")

    def perturb(f: Reconstructor, scan: Scan, seeds: Tensor) -> Scan:
        delta = ascend(f, scan.y, scan.A, scan.truth, p.threat, rule=rule, generator=seeds)
        return replace(scan, y=scan.y + delta)

    return perturb


def _pretraining(config: Config, start: ImageMap) -> Loss:
    sigma = config.smoothing.sigma
    return lambda f, scan, seeds: {"denoising": losses.pretraining(_denoiser(f), scan.truth, sigma, seeds)}


def _supervised(config: Config, start: ImageMap) -> Loss:
    return lambda f, scan, seeds: {"reconstruction": losses.supervised(f, scan, seeds)}


def _stable(config: Config, start: ImageMap) -> Loss:
    weight = config.reconstruction_weight

    def terms(f: NetworkReconstructor, scan: Scan, seeds: Tensor) -> Terms:
        unrolled = cast(Unrolled, f)
        target = TARGETS[config.stability_target](unrolled.denoiser, start)
        stability, x = losses.stable_reconstruction(unrolled, scan, seeds, towards=target)
        return {"stability": stability, "reconstruction": weight * losses.mean_square(x - scan.truth)}

    return terms


def _denoiser(f: NetworkReconstructor) -> ImageMap:
    denoiser: ImageMap = f.denoiser  # type: ignore[attr-defined]
    return denoiser


TARGETS: dict[str, Callable[[ImageMap, ImageMap], losses.StabilityTarget]] = {
    "denoised-target": lambda denoiser, start: losses.denoised_target(denoiser),
    "target": lambda denoiser, start: losses.target_itself,
    "denoised-iterate": lambda denoiser, start: losses.denoised_iterate(denoiser),
    "frozen-denoised-target": lambda denoiser, start: losses.denoised_target(start),
    "frozen-denoised-iterate": lambda denoiser, start: losses.denoised_iterate(start),
}
"""What UStab pulls towards, given the denoiser and the frozen one."""

_SUPERVISED = partial(TrainingMethod, loss=_supervised, terms=("reconstruction",))
_STABLE = partial(TrainingMethod, loss=_stable, terms=("stability", "reconstruction"))

METHODS: dict[str, TrainingMethod] = {
    "pretrain": TrainingMethod(_modl, _pretraining, terms=("denoising",)),
    "modl": _SUPERVISED(_modl),
    "jitter": _SUPERVISED(_modl, perturb=_jitter),
    "adversarial": _SUPERVISED(_modl, perturb=_attack),
    "rs-e2e": _SUPERVISED(_rs_e2e),
    "smug": _STABLE(_smug),
    "weighted-smug": _STABLE(_weighted_smug),
    "adversarial-smug": _STABLE(_smug, perturb=_attack),
}
"""Equation (6); MoDL plain, with noise, and with attacks in training; RS-E2E; equations (8), (12), (8) with attacks."""
