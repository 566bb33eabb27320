"""Measured k-space: volumes, the files they come from, and retrospective undersampling."""
