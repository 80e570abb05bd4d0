"""Matrices and vocabularies from files, a module for each family of formats."""

from .content import Content
from .matrices import checked_matrix, read_content, read_matrix
from .orientation import looks_turned
from .sniffing import CHOICES, MATRIX_SUFFIXES
from .vocabulary import read_vocabulary

__all__ = [
    "CHOICES",
    "MATRIX_SUFFIXES",
    "Content",
    "checked_matrix",
    "looks_turned",
    "read_content",
    "read_matrix",
    "read_vocabulary",
]
