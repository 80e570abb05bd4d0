"""Files in and out: matrices, vocabularies, factors and tables, never with pickle."""

from __future__ import annotations

from .names import check_vocabulary
from .outputs import open_whole
from .reading import MATRIX_SUFFIXES as MATRIX_SUFFIXES
from .reading import read_matrix as read_matrix
from .reading import read_vocabulary as read_vocabulary
from .tables import FACTOR_SUFFIXES as FACTOR_SUFFIXES
from .tables import TABLE_SUFFIXES as TABLE_SUFFIXES
from .tables import check_writable as check_writable
from .tables import write_factor as write_factor
from .tables import write_table as write_table
from .typing import PathLike, Vocabulary


def write_vocabulary(path: PathLike, terms: Vocabulary) -> None:
    """Write terms to a UTF-8 file, one on each line, whole or not at all.

    Raises
    ------
    TypeError, ValueError
        If these are not terms, or if a term has a line break, after which all terms would be
        read one column too late.

    Examples
    --------
    >>> import os, tempfile
    >>> from sparsenmf import files
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "terms.txt")
    ...     files.write_vocabulary(path, ["cat", "mouse"])
    ...     files.read_vocabulary(path)
    ['cat', 'mouse']
    """
    terms = check_vocabulary(terms)
    for place, term in enumerate(terms):
        if "\n" in term or "\r" in term:
            raise ValueError(f"terms[{place}] has a line break, in a file with a term on each line")
    with open_whole(path) as file:
        file.write("".join(f"{term}\n" for term in terms).encode())
