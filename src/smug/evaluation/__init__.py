"""Metrics, the evaluation protocol and its report."""
