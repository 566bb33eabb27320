"""Image metrics with named conventions: ``smug.metrics.psnr`` and its like."""

from smug.evaluation.metrics import Convention, hfen, nmse, psnr, ssim

__all__ = ["Convention", "hfen", "nmse", "psnr", "ssim"]
