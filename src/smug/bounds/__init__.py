"""Bounds on what a perturbation of the measurements does to the reconstruction, typed by what they are worth."""

from smug.bounds.bound import Bound, Certified, Estimate, LowerBound, certificate
from smug.bounds.deterministic import deterministic_bounds
from smug.bounds.gain import local_gain
from smug.bounds.image_bound import image_bound
from smug.bounds.percentile import needed_draws, percentile_curve
from smug.bounds.ridge_bound import ridge_bound
from smug.bounds.tradeoff import needed_error, needed_gain

__all__ = [
    "Bound",
    "Certified",
    "Estimate",
    "LowerBound",
    "certificate",
    "deterministic_bounds",
    "image_bound",
    "local_gain",
    "needed_draws",
    "needed_error",
    "needed_gain",
    "percentile_curve",
    "ridge_bound",
]
