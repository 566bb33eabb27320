"""Configurations that have a name."""

from smug.data.simulate import Acquisition
from smug.models.denoisers import NetworkConfig
from smug.models.smoothing import Smoothing
from smug.training.config import ComputeConfig, Config, DataConfig, OptimizerConfig

PRESETS: dict[str, Config] = {
    "tiny": Config(
        steps=2,
        training_samples=2,
        network=NetworkConfig(channels=8, depth=2),
        data=DataConfig(size=64, count=32, validation=4),
        optimizer=OptimizerConfig(updates=60, validate_every=20),
        compute=ComputeConfig(recompute=False),
    ),
    "small": Config(
        training_samples=2,
        reconstruction_weight=300.0,
        data=DataConfig(count=1500),
        optimizer=OptimizerConfig(updates=3000),
        compute=ComputeConfig(recompute=False),
    ),
    "ridge": Config(
        method="ridge",
        lam=0.5,
        network=NetworkConfig(kind="ridge"),
        data=DataConfig(
            sources=("phantom", "openms"),
            size=128,
            zooms=(1, 2),
            count=200,
            validation=32,
            acquisition=Acquisition(coils=1, acceleration=1.0, noise=0.01),
        ),
        optimizer=OptimizerConfig(updates=800, batch=4, learning_rate=4e-3, clip_norm=0.1, validate_every=100),
        compute=ComputeConfig(recompute=False),
    ),
    "paper": Config(
        steps=8,
        smoothing=Smoothing(chunk=1),
        network=NetworkConfig(kind="didn", channels=64, depth=3),
        data=DataConfig(size=320, acquisition=Acquisition(coils=12, profile_width=0.3, noise=0.0)),
        optimizer=OptimizerConfig(
            updates=90_000,
            learning_rate=1e-4,
            schedule="linear-decay",
            betas=(0.5, 0.999),
            clip_norm=0.0,
            validate_every=1500,
        ),
    ),
}
"""``tiny`` runs in a minute on two cores, ``small`` in less than an hour, or in minutes on a GPU.

``ridge`` trains a ridge regulariser to denoise images and halves of them, in half an hour on one core.
``paper`` has the paper's network, unrolling, smoothing, optimiser and number of updates (60 epochs of 3000 slices at
batch 2), on phantoms: name your own data in ``data.sources``.
"""
