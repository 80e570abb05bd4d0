"""Vocabularies in files: a term on each line, or a gensim dictionary."""

from __future__ import annotations

import re
from pathlib import Path

from ..compressed import open_plain
from ..decoding import check_encoding, open_text
from ..typing import PathLike

GENSIM = re.compile(r"(\d+)\t(.*)\t\d+")  # a line of Dictionary.save_as_text: id, term, documents

PICKLE = b"\x80"


def read_vocabulary(path: PathLike, encoding: str | None = None) -> list[str]:
    """Read the terms of a matrix's columns from a text file, one on each line.

    Parameters
    ----------
    path : str or path-like
        Compressed files are read as what they hold. A dictionary that gensim's
        ``Dictionary.save_as_text`` has written is read, too.
    encoding : str, optional
        Of a file without a byte order mark. Default: UTF-8.

    Returns
    -------
    list of str

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is a pickle, a damaged dictionary, or no text in this encoding.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from sparsenmf import read_vocabulary
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "terms.txt")
    ...     np.savetxt(path, ["cat", "mouse"], fmt="%s")
    ...     read_vocabulary(path)
    ['cat', 'mouse']
    """
    with open_plain(path) as file:
        if file.read(1) == PICKLE:
            raise ValueError(
                f"{path} is a pickle, which is not read, because it could run code: save a gensim "
                f"Dictionary with dictionary.save_as_text(path), other terms one on each line"
            )
    with open_text(path, check_encoding(encoding)) as file:
        lines = [line.removesuffix("\n") for line in file]
    return _read_dictionary(path, lines) or lines


def _read_dictionary(path, lines):
    """Return the terms of a gensim dictionary in the order of their numbers, or None."""
    if len(lines) < 2 or not lines[0].isdecimal():
        return None
    found = [GENSIM.fullmatch(line) for line in lines[1:]]
    if not all(found):
        return None
    terms = {int(match[1]): match[2] for match in found if match}
    if sorted(terms) != list(range(len(found))):
        raise ValueError(
            f"{Path(path)} is a gensim dictionary with gaps in its numbers: call "
            f"dictionary.compactify() before the corpus is made and the dictionary is saved"
        )
    return [terms[number] for number in range(len(terms))]
