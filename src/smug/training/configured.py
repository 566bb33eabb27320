"""From a configuration to the reconstructor that is trained: its architecture with new weights."""

from collections.abc import Callable, Mapping

import torch
from torch import nn

from smug.models.denoisers import build_denoiser
from smug.models.lam import Lam, LearnedLam, ResidualLam
from smug.models.reconstructors import RSE2E, SMUG, MoDL, NetworkReconstructor, WeightedSMUG
from smug.models.ridge_reconstruction import Ridge, RidgeDenoiser
from smug.models.weight_encoder import WeightEncoder
from smug.system.arguments import check_arguments
from smug.training.config import DENOISING_METHODS, Config, Method
from smug.training.weights_file import read_weights, shipped, stored_config


@check_arguments
def build(config: Config, denoiser: nn.Module | None = None) -> NetworkReconstructor:
    """Return the reconstructor of a configuration with new weights; ``denoiser`` replaces the configured network.

    Initial weights are random where they are not zero, and depend on the configuration's seed alone.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(config.seed)
        return RECONSTRUCTORS[config.method](config, denoiser or build_denoiser(config.network))


def _lam(config: Config) -> Lam:
    learns = config.learn_lam and config.method not in DENOISING_METHODS
    factor = LearnedLam(config.lam) if learns else config.lam
    return ResidualLam(factor) if config.lam_times == "residual" else factor


def _first(config: Config) -> Ridge | None:
    """Return the shipped ridge that makes the first image; it does not learn."""
    if config.first == "adjoint":
        return None
    file = shipped(config.first)
    state, metadata = read_weights(file)
    own = stored_config(file, metadata)
    f = _ridge(own, build_denoiser(own.network))
    f.networks().load_state_dict(state)
    f.networks().requires_grad_(False)
    return f


def _modl(config: Config, denoiser: nn.Module) -> MoDL:
    return MoDL(denoiser, config.steps, _lam(config), _first(config))


def _rs_e2e(config: Config, denoiser: nn.Module) -> RSE2E:
    return RSE2E(denoiser, config.smoothing, config.steps, _lam(config))


def _smug(config: Config, denoiser: nn.Module) -> SMUG:
    return SMUG(denoiser, config.smoothing, config.steps, _lam(config), _first(config))


def _weighted_smug(config: Config, denoiser: nn.Module) -> WeightedSMUG:
    encoder = WeightEncoder()
    return WeightedSMUG(denoiser, encoder, config.smoothing, config.steps, _lam(config), _first(config))


def _ridge(config: Config, denoiser: nn.Module) -> Ridge:
    if not isinstance(denoiser, RidgeDenoiser):
        raise ValueError(f"{config.method}: expected a ridge regulariser to train, got {type(denoiser).__name__}")
    return Ridge(denoiser.regulariser, config.lam, tau=config.tau)


RECONSTRUCTORS: Mapping[Method, Callable[[Config, nn.Module], NetworkReconstructor]] = {
    "pretrain": _modl,
    "denoise": _modl,
    "modl": _modl,
    "jitter": _modl,
    "adversarial": _modl,
    "rs-e2e": _rs_e2e,
    "smug": _smug,
    "weighted-smug": _weighted_smug,
    "adversarial-smug": _smug,
    "trades": _modl,
    "score-matching": _ridge,
    "ridge": _ridge,
}
"""What each method trains; :data:`smug.training.methods.METHODS` says by which loss."""
