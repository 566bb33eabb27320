"""smug: MRI reconstruction by smoothed unrolling, and honest tests of its robustness. For research use only."""

from smug import attacks, bounds, diagnosis, foreign, losses, metrics, shifts
from smug.attacks import Threat
from smug.evaluation.tuning import tuned
from smug.models.adapters import as_complex
from smug.models.classical import CGSense, ZeroFilled
from smug.models.didn import DIDN
from smug.models.noise_map import noise_map
from smug.models.nonexpansive import Nonexpansive
from smug.models.normalised import normalised
from smug.models.reconstructors import RSE2E, SMUG, KSpaceRSE2E, MoDL, WeightedSMUG
from smug.models.smoothing import Smoothing, smooth
from smug.models.total_variation import TotalVariation
from smug.models.unet import UNet
from smug.models.unrolled import unroll
from smug.models.weighting import WeightEncoder
from smug.physics.consistency import Solution, solve
from smug.physics.scale import measurement_scale
from smug.physics.sense import Sense
from smug.zoo import load

__version__ = "0.1.0"

__all__ = [
    "DIDN",
    "RSE2E",
    "SMUG",
    "CGSense",
    "KSpaceRSE2E",
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
