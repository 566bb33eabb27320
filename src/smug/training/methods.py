"""What each method is: how its reconstructor is built from a configuration, and its loss."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from smug.data.scan import Scan
from smug.models.didn import DIDN
from smug.models.reconstructors import RSE2E, SMUG, MoDL, NetworkReconstructor, WeightedSMUG
from smug.models.unet import UNet
from smug.models.weighting import WeightEncoder
from smug.training import losses
from smug.training.config import Config, NetworkConfig

Loss = Callable[[NetworkReconstructor, Scan, Tensor], Tensor]
"""``(reconstructor, normalised scan, seeds) -> loss``."""


@dataclass(frozen=True)
class TrainingMethod:
    """A reconstructor and the loss that trains it."""

    build: Callable[[Config, nn.Module], NetworkReconstructor]
    loss: Callable[[Config], Loss]


def build_denoiser(network: NetworkConfig) -> nn.Module:
    """Return a new network, the identity at first."""
    return {"unet": UNet, "didn": DIDN}[network.kind](network.channels, network.depth)


def build(config: Config, denoiser: nn.Module | None = None) -> NetworkReconstructor:
    """Return the configured reconstructor with new weights (random where they are not zero: seeded by the run)."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        return METHODS[config.method].build(config, denoiser or build_denoiser(config.network))


def training_loss(config: Config) -> Loss:
    """Return the loss of the configured method."""
    return METHODS[config.method].loss(config)


def _modl(config: Config, denoiser: nn.Module) -> NetworkReconstructor:
    return MoDL(denoiser, config.steps, config.lam)


def _supervised(config: Config) -> Loss:
    return lambda f, scan, seeds: losses.supervised(_training(f, config), scan, seeds)


def _pretraining(config: Config) -> Loss:
    sigma = config.smoothing.sigma
    return lambda f, scan, seeds: losses.pretraining(f.denoiser, scan.truth, sigma, seeds)  # type: ignore[attr-defined]


def _stable(config: Config) -> Loss:
    weight = config.reconstruction_weight
    return lambda f, scan, seeds: losses.smug(
        _training(f, config),  # type: ignore[arg-type]
        scan,
        seeds,
        reconstruction_weight=weight,
    )


def _training(f: NetworkReconstructor, config: Config) -> NetworkReconstructor:
    """Draw the configured number of samples while training."""
    return f.replace(num_samples=config.training_samples) if hasattr(f, "smoothing") else f


METHODS: dict[str, TrainingMethod] = {
    "pretrain": TrainingMethod(_modl, _pretraining),
    "modl": TrainingMethod(_modl, _supervised),
    "rs-e2e": TrainingMethod(lambda c, d: RSE2E(d, c.smoothing, c.steps, c.lam), _supervised),
    "smug": TrainingMethod(lambda c, d: SMUG(d, c.smoothing, c.steps, c.lam), _stable),
    "weighted-smug": TrainingMethod(
        lambda c, d: WeightedSMUG(d, WeightEncoder(), c.smoothing, c.steps, c.lam), _stable
    ),
}
