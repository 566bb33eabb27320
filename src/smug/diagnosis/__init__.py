"""Warnings about a reconstructor and an attack on it: what would make the attack's numbers too good."""

from smug.diagnosis.checks import diagnose, repeatable
from smug.diagnosis.flags import FLAGS, Diagnosis, Flag, outside_threat

__all__ = ["FLAGS", "Diagnosis", "Flag", "diagnose", "outside_threat", "repeatable"]
