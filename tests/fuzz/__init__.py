"""Hostile input, by the thousand: see `cases` for the contract and `worker` for how it is run."""

from . import arrays  # noqa: F401 - notes its cases
from .cases import CASES

__all__ = ["CASES"]
