"""Measured scans, undersampled and reconstructed: models against total variation and CG-SENSE at their best."""
