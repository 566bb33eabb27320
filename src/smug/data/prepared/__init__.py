"""Sets for training and evaluation that ``smug prepare`` makes, and their reader."""
