"""Bounds on what a perturbation of the measurements does to the reconstruction, typed by what they are worth."""

from smug.bounds.bound import Bound, Certified, Estimate, LowerBound, certificate
from smug.bounds.deterministic import deterministic_bounds

__all__ = ["Bound", "Certified", "Estimate", "LowerBound", "certificate", "deterministic_bounds"]
