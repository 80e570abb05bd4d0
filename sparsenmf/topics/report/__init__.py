"""The report about a model: one HTML file that loads nothing else."""

from .page import report

__all__ = ["report"]
