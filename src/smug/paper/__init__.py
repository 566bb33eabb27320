"""The paper's tables and figures, each a list of cells and a plot: ``smug reproduce``."""
