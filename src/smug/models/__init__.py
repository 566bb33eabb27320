"""Denoising networks, randomized smoothing and the unrolled reconstructors made of both."""
