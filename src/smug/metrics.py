"""Image metrics with named conventions: ``smug.metrics.psnr`` and its like."""

from smug.evaluation.metrics import Convention, nmse, psnr, ssim

__all__ = ["Convention", "nmse", "psnr", "ssim"]
