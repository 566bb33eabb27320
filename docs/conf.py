"""Sphinx configuration: ``sphinx-build -W docs OUT`` runs the tutorial and needs no network."""

import smug

project = "smug"
author = "The smug developers"
copyright = "2026, The smug developers"
version = release = smug.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.mathjax"]
exclude_patterns = ["_build", "results/*", "paper/results/*"]  # included by pages

myst_enable_extensions = ["amsmath", "dollarmath"]
myst_heading_anchors = 3

# A tutorial that no longer runs fails the build; it runs in a temporary folder, so it leaves nothing behind.
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 600

autodoc_member_order = "bysource"
autodoc_default_options = {"show-inheritance": True}
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 100

html_theme = "furo"
html_title = f"smug {release}"
