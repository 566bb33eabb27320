"""The training methods: the loss of each, and how measurements are perturbed in training."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import torch
from torch import Tensor

from smug import losses
from smug.attacks import PGD
from smug.attacks.driver import ascend
from smug.attacks.objective import Objective, to_clean, to_target
from smug.data.scan import Scan
from smug.models.noise import derive
from smug.models.normalised import normalised
from smug.models.reconstructors import NetworkReconstructor, Unrolled
from smug.models.ridge_reconstruction import Ridge
from smug.models.smoothing import ImageMap
from smug.reconstructor import Reconstructor
from smug.shifts.noise import jitter
from smug.system.arguments import check_arguments
from smug.training.config import Config, ErrorMeasure, Method, StabilityTarget

Terms = Mapping[str, Tensor]
"""The terms of a loss by name, weighted: their sum is what is minimised."""

Perturb = Callable[[Reconstructor, Scan, Tensor], Scan]
"""``(reconstructor, scan, seeds)`` to the scan that is trained on."""

Loss = Callable[[NetworkReconstructor, Scan, Tensor], Terms]
"""``(reconstructor, normalised scan, seeds) -> terms``."""

PERTURBATION = 2**31
"""The address of the perturbation's noise below an update's seeds, which no smoothing noise has."""


@dataclass(frozen=True)
class TrainingMethod:
    """The loss of a method, the names of its terms, and how measurements are perturbed in training.

    ``loss(config, start)`` is given the denoiser as it was at the start of the run, frozen. ``perturb`` None leaves the
    measurements as they are.
    """

    loss: Callable[[Config, ImageMap], Loss]
    terms: tuple[str, ...]
    perturb: Callable[[Config], Perturb] | None = None


@check_arguments
def training_loss(config: Config, start: ImageMap) -> Loss:
    """Return the loss of the configured method, on measurements perturbed as it demands.

    ``start`` is the frozen denoiser of the stability targets that want one.
    """
    method = METHODS[config.method]
    loss = method.loss(config, start)
    perturb = None if method.perturb is None else method.perturb(config)

    def terms(f: NetworkReconstructor, scan: Scan, seeds: Tensor) -> Terms:
        if "num_samples" in f.settings():
            f = f.replace(num_samples=config.training_samples)
        if perturb is not None:  # of measurements in any unit, so that the scale is theirs too
            scan = perturb(normalised(f), scan, derive(seeds, PERTURBATION)).normalised()
        return loss(f, scan, seeds)

    return terms


def _jitter(config: Config) -> Perturb:
    return lambda f, scan, seeds: jitter(scan, config.perturbation.noise, seeds)


def _attack(config: Config, objective: Objective = to_target) -> Perturb:
    p = config.perturbation
    rule = PGD(p.steps, step_size=p.step_size, keep="last")

    def perturb(f: Reconstructor, scan: Scan, seeds: Tensor) -> Scan:
        delta = ascend(f, scan, p.threat, rule=rule, objective=objective, generator=seeds)
        return replace(scan, y=scan.y + delta)

    return perturb


def _pretraining(config: Config, start: ImageMap) -> Loss:
    sigma = config.smoothing.sigma
    return lambda f, scan, seeds: {
        "denoising": losses.pretraining(cast(Unrolled, f).denoiser, scan.truth, sigma, seeds)
    }


def _denoising(config: Config, start: ImageMap) -> Loss:
    return lambda f, scan, seeds: {
        "denoising": losses.denoising(cast(Unrolled, f).denoiser, scan.truth, config.noise_levels, seeds)
    }


def _supervised(config: Config, start: ImageMap) -> Loss:
    def terms(f: NetworkReconstructor, scan: Scan, seeds: Tensor) -> Terms:
        errors = losses.mean_squares(f(scan.y, scan.A, seeds) - scan.truth)
        return {"reconstruction": ERRORS[config.loss](errors)[0].mean()}

    return terms


def _stable(config: Config, start: ImageMap) -> Loss:
    def terms(f: NetworkReconstructor, scan: Scan, seeds: Tensor) -> Terms:
        unrolled = cast(Unrolled, f)
        target = TARGETS[config.stability_target](unrolled.denoiser, start)
        stability, x = losses.stable_reconstruction(unrolled, scan, seeds, towards=target)
        errors, weights = ERRORS[config.loss](losses.mean_squares(x - scan.truth))
        return {
            "stability": (weights * stability).mean(),
            "reconstruction": config.reconstruction_weight * errors.mean(),
        }

    return terms


def _trades(config: Config, start: ImageMap) -> Loss:
    perturb = _attack(config, to_clean)

    def terms(f: NetworkReconstructor, scan: Scan, seeds: Tensor) -> Terms:
        moved = perturb(f, scan, derive(seeds, PERTURBATION))
        x, there = (f(each.y, each.A, seeds) for each in (scan, moved))
        errors, weights = ERRORS[config.loss](losses.mean_squares(x - scan.truth))
        return {
            "change": (weights * losses.mean_squares(there - x)).mean(),
            "reconstruction": config.reconstruction_weight * errors.mean(),
        }

    return terms


def _ridge(loss: Callable[..., Tensor]) -> Callable[[Config, ImageMap], Loss]:
    def of(config: Config, start: ImageMap) -> Loss:
        return lambda f, scan, seeds: {
            "denoising": loss(cast(Ridge, f).regulariser, scan.truth, config.noise_levels, seeds)
        }

    return of


FLOOR = 1e-6
"""The mean square per part below which an error no longer counts in its logarithm: 57 dB."""


def _square(errors: Tensor) -> tuple[Tensor, Tensor]:
    return errors, torch.ones_like(errors)


def _logarithm(errors: Tensor) -> tuple[Tensor, Tensor]:
    return (errors / FLOOR).log1p(), 1 / (FLOOR + errors.detach())


ERRORS: Mapping[ErrorMeasure, Callable[[Tensor], tuple[Tensor, Tensor]]] = {"square": _square, "log": _logarithm}
"""From the mean square of every image, real ``(batch,)``, to what is minimised and the weights of its other terms.

The logarithm's gradient is that of the square in parts of it: images with much and little noise count alike.
"""

TARGETS: Mapping[StabilityTarget, Callable[[ImageMap, ImageMap], losses.StabilityTarget]] = {
    "denoised-target": lambda denoiser, start: losses.denoised_target(denoiser),
    "target": lambda denoiser, start: losses.target_itself,
    "denoised-iterate": lambda denoiser, start: losses.denoised_iterate(denoiser),
    "frozen-denoised-target": lambda denoiser, start: losses.denoised_target(start),
    "frozen-denoised-iterate": lambda denoiser, start: losses.denoised_iterate(start),
}
"""By name: the target that UStab pulls towards, made from the denoiser and the frozen one."""

_SUPERVISED = partial(TrainingMethod, loss=_supervised, terms=("reconstruction",))
_STABLE = partial(TrainingMethod, loss=_stable, terms=("stability", "reconstruction"))

METHODS: Mapping[Method, TrainingMethod] = {
    "pretrain": TrainingMethod(_pretraining, terms=("denoising",)),
    "denoise": TrainingMethod(_denoising, terms=("denoising",)),
    "modl": _SUPERVISED(),
    "jitter": _SUPERVISED(perturb=_jitter),
    "adversarial": _SUPERVISED(perturb=_attack),
    "rs-e2e": _SUPERVISED(),
    "smug": _STABLE(),
    "weighted-smug": _STABLE(),
    "adversarial-smug": _STABLE(perturb=_attack),
    "trades": TrainingMethod(_trades, terms=("change", "reconstruction")),
    "score-matching": TrainingMethod(_ridge(losses.score_matching), terms=("denoising",)),
    "ridge": TrainingMethod(_ridge(losses.ridge_denoising), terms=("denoising",)),
}
"""Equation (6), also for a range of noise; MoDL plain, with noise, and with attacks in training; RS-E2E; equations (8),
(12), (8) with attacks; what an attack can change in the image as a penalty (Zhang et al., 2019).

:data:`smug.training.configured.RECONSTRUCTORS` says what is trained.
"""
