"""One HTML page about a topic model, with nothing outside of it."""

from .page import write_report

__all__ = ["write_report"]
