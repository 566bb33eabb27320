"""Coil sensitivity maps, simulated or estimated from the fully sampled centre of k-space.

All maps are complex ``(batch, coil, y, x)`` with ``sum_c |s_c|^2 <= 1``, so that the SENSE operator has norm <= 1.
"""

from smug.physics.maps.calibration import maps_from_calibration
from smug.physics.maps.eigenvectors import CoilMaps, Espirit, espirit
from smug.physics.maps.estimate import espirit_maps, estimate_maps
from smug.physics.maps.simulated import simulated_maps

__all__ = [
    "CoilMaps",
    "Espirit",
    "espirit",
    "espirit_maps",
    "estimate_maps",
    "maps_from_calibration",
    "simulated_maps",
]
