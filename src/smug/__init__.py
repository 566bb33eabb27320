"""smug: MRI reconstruction by smoothed unrolling, and honest tests of its robustness. For research use only."""

from smug import attacks, bounds, diagnosis, foreign, losses, metrics, shifts
from smug.attacks import Threat
from smug.evaluation.datasets import tuned
from smug.models.classical import CGSense, TotalVariation, ZeroFilled
from smug.models.didn import DIDN
from smug.models.layers import as_complex
from smug.models.noise_map import noise_map
from smug.models.nonexpansive import Nonexpansive
from smug.models.normalised import normalised
from smug.models.reconstructors import RSE2E, SMUG, MoDL, WeightedSMUG, unroll
from smug.models.smoothing import Smoothing, smooth
from smug.models.unet import UNet
from smug.models.weight_encoder import WeightEncoder
from smug.physics.consistency import Solution, solve
from smug.physics.scale import measurement_scale
from smug.physics.sense import Sense
from smug.version import __version__
from smug.zoo import load

__all__ = [
    "DIDN",
    "RSE2E",
    "SMUG",
    "CGSense",
    "MoDL",
    "Nonexpansive",
    "Sense",
    "Smoothing",
    "Solution",
    "Threat",
    "TotalVariation",
    "UNet",
    "WeightEncoder",
    "WeightedSMUG",
    "ZeroFilled",
    "__version__",
    "as_complex",
    "attacks",
    "bounds",
    "diagnosis",
    "foreign",
    "load",
    "losses",
    "measurement_scale",
    "metrics",
    "noise_map",
    "normalised",
    "shifts",
    "smooth",
    "solve",
    "tuned",
    "unroll",
]
