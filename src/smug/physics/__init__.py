"""The measurement model: Fourier transform, sampling masks, coil maps, the SENSE operator and its solvers."""

from smug.physics import maps, masks

__all__ = ["maps", "masks"]
