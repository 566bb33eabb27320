"""The outcomes of made-up methods, which tables, figures and reports show."""

from ..evaluation.conftest import outcomes

__all__ = ["outcomes"]
