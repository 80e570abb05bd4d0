"""Files in and out: matrices, vocabularies, factors and tables, never with pickle."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from .names import check_vocabulary, component_names
from .outputs import check_folder, check_outputs, open_whole
from .reading import MATRIX_SUFFIXES as MATRIX_SUFFIXES
from .reading import read_matrix as read_matrix
from .reading import read_vocabulary as read_vocabulary
from .typing import FloatArray, Names, PathLike, Vocabulary

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")

FACTOR_SUFFIXES = (".npy", ".npz", *TABLE_SUFFIXES)


def write_vocabulary(path: PathLike, terms: Vocabulary) -> None:
    """Write terms to a UTF-8 file, one on each line, whole or not at all.

    Raises
    ------
    TypeError, ValueError
        If these are not terms, or if a term has a line break, after which all terms would be
        read one column too late.
    """
    terms = check_vocabulary(terms)
    for place, term in enumerate(terms):
        if "\n" in term or "\r" in term:
            raise ValueError(f"terms[{place}] has a line break, in a file with a term on each line")
    with open_whole(path) as file:
        file.write("".join(f"{term}\n" for term in terms).encode())


def check_writable(path, suffixes=TABLE_SUFFIXES):
    """Raise if a file could not be written, before there is anything to write.

    Raises
    ------
    ValueError
        If the name has none of the suffixes.
    FileNotFoundError
        If the folder does not exist.
    ImportError
        For ``.parquet`` without pyarrow.
    """
    suffix = Path(path).suffix
    if suffix not in suffixes:
        raise ValueError(
            f"cannot write {path}: its name should end in one of {', '.join(suffixes)}"
        )
    check_folder(path)
    if suffix == ".parquet":
        _import_parquet()


def write_factor(path: PathLike, W: FloatArray, sample_names: Names | None = None) -> None:
    """Write a factor to a file, whole or not at all.

    Parameters
    ----------
    path : str or path-like
        ``.npy`` (dense), ``.npz`` (sparse, as `scipy.sparse.save_npz` writes it), or a table as
        in `write_table`, with the columns "topic_1", "topic_2", ...
    W : ndarray of shape (n_samples, n_components)
    sample_names : sequence of n_samples str or int, optional
        The first column of a table, "sample".

    Raises
    ------
    ValueError, OSError, ImportError
        As `write_table`.
    """
    path = Path(path)
    check_writable(path, FACTOR_SUFFIXES)
    check_outputs([("path", path)], [("W", W)])
    if path.suffix in TABLE_SUFFIXES:
        named = {} if sample_names is None else {"sample": np.asarray(sample_names).tolist()}
        write_table(path, named | dict(zip(component_names(W.shape[1]), W.T, strict=True)))
        return
    with open_whole(path) as file:
        if path.suffix == ".npy":
            np.lib.format.write_array(file, W, allow_pickle=False)
        else:
            sp.save_npz(file, sp.csr_array(W))


def write_table(path: PathLike, columns: Mapping[str, Any]) -> None:
    """Write a table to a file, whole or not at all.

    Parameters
    ----------
    path : str or path-like
        ``.csv``, ``.tsv`` or ``.parquet`` (extra `parquet`).
    columns : dict of str -> sequence
        All of one length. None is an empty cell. A list in a cell stays a list in parquet; in
        the other formats its items are joined by "; ". Texts are written unchanged: a spreadsheet
        may take a cell that begins with "=" for a formula.

    Raises
    ------
    ValueError
        If the name has another suffix, or the columns differ in length.
    OSError
        If the folder does not exist or is not writable.
    ImportError
        For ``.parquet`` without pyarrow.
    """
    path = Path(path)
    check_writable(path)
    check_outputs([("path", path)], columns.items())
    if len({len(column) for column in columns.values()}) > 1:
        lengths = ", ".join(f"{name} {len(column)}" for name, column in columns.items())
        raise ValueError(f"columns differ in length: {lengths}")
    with open_whole(path) as file:
        if path.suffix == ".parquet":
            pyarrow, parquet = _import_parquet()
            parquet.write_table(pyarrow.table(dict(columns)), file)
            return
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        write_delimited(text, columns, "\t" if path.suffix == ".tsv" else ",")
        text.detach()


def write_delimited(file, columns, delimiter=","):
    """Write a table to an open text file, with cells as in `write_table`."""
    writer = csv.writer(NewlineFile(file), delimiter=delimiter)
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow("; ".join(cell) if isinstance(cell, list) else cell for cell in row)


class NewlineFile:
    r"""A text file for `csv.writer` that ends lines with "\n" in place of "\r\n".

    With the writer's own option for this, cells that have a carriage return get no quotes before
    Python 3.13, and readers of the file take it for the end of a line.
    """

    def __init__(self, file):
        self._file = file

    def write(self, line):
        """Write a line."""
        self._file.write(line.removesuffix("\r\n") + "\n")


def _import_parquet():
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(
            'writing .parquet needs pyarrow: pip install "sparsenmf[parquet]"'
        ) from error
    return pyarrow, parquet
