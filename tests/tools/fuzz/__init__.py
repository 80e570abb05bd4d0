"""Hostile input, by the thousand: see `cases` for the contract and `worker` for how it is run."""

from . import arrays, files, stores, words  # noqa: F401 - importing a module registers its cases
from .cases import CASES

__all__ = ["CASES"]
