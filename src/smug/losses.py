"""The paper's losses as pure functions: ``smug.losses.smug`` and its like."""

from smug.training.losses import (
    StabilityTarget,
    denoised_iterate,
    denoised_target,
    frozen,
    mean_square,
    pretraining,
    smug,
    stable_reconstruction,
    supervised,
    target_itself,
    unrolled_stability,
)

__all__ = [
    "StabilityTarget",
    "denoised_iterate",
    "denoised_target",
    "frozen",
    "mean_square",
    "pretraining",
    "smug",
    "stable_reconstruction",
    "supervised",
    "target_itself",
    "unrolled_stability",
]
