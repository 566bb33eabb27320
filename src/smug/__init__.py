"""smug: MRI reconstruction by smoothed unrolling, and honest tests of its robustness. For research use only."""

__version__ = "0.1.0"
