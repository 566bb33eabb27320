"""The measurement model: Fourier transform, sampling masks, coil maps, the SENSE operator and its solvers."""
