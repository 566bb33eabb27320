"""Measurements of speed, each against the programs that others use for the same task."""
