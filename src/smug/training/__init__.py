"""Training: losses, configuration, the loop and the run folder."""
