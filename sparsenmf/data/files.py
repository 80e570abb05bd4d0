"""Files in and out: matrices, vocabularies, factors and tables, never with pickle."""

from __future__ import annotations

import csv
import gzip
import io
import math
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from .archive import DAMAGE, DEFLATE_MOST, check_array, check_members, read_npy_header
from .market import read_market
from .names import check_vocabulary, component_names
from .outputs import check_folder, check_outputs, open_whole
from .typing import FloatArray, PathLike, Vocabulary
from .validation import check_matrix

MATRIX_SUFFIXES = (".npz", ".mtx", ".mtx.gz", ".npy", ".h5ad")

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")

FACTOR_SUFFIXES = (".npy", ".npz", *TABLE_SUFFIXES)


def read_matrix(path: PathLike) -> sp.csr_array:
    """Read a matrix of samples x features from a file, as sparse.

    Parameters
    ----------
    path : str or path-like
        ``.npz`` (`scipy.sparse.save_npz`), ``.mtx`` or ``.mtx.gz`` (MatrixMarket), ``.npy``
        (dense, two dimensions), or ``.h5ad`` (the X of an AnnData; extra `h5ad`).

    Returns
    -------
    scipy.sparse.csr_array
        Checked as in `factorize`: non-negative, finite, and float32 (integers too, if float32
        holds them exactly) or float64.

    Raises
    ------
    OSError
        If the file cannot be opened (FileNotFoundError where there is none).
    ValueError
        If the file is of another kind, is damaged, holds pickled objects, or its matrix is
        refused.
    ImportError
        For ``.h5ad`` without anndata.

    Examples
    --------
    >>> import os, tempfile
    >>> import scipy.sparse as sp
    >>> from sparsenmf import read_matrix
    >>> path = os.path.join(tempfile.mkdtemp(), "X.npz")
    >>> sp.save_npz(path, sp.eye_array(3, dtype=int))
    >>> read_matrix(path).dtype
    dtype('float32')
    """
    path = Path(path)
    suffix = find_suffix(path)
    with open(path, "rb") as file:
        try:
            return check_matrix(_load(suffix, file, path))
        except DAMAGE as error:
            raise ValueError(f"{path} is not a matrix that can be used: {error}") from error


def find_suffix(path):
    """Return the suffix in `MATRIX_SUFFIXES` that a path has, or raise a ValueError."""
    suffix = next((suffix for suffix in MATRIX_SUFFIXES if path.name.endswith(suffix)), None)
    if suffix is None:
        listed = ", ".join(MATRIX_SUFFIXES)
        raise ValueError(f"{path} is not a matrix: its name should end in one of {listed}")
    return suffix


def _load(suffix, file, path):
    """Return the matrix of an open file as its reader returns it, not yet checked."""
    if suffix == ".npy":
        shape, _, dtype = read_npy_header(file)
        check_size(file, math.prod(shape) * dtype.itemsize)
        file.seek(0)
        return np.lib.format.read_array(file, allow_pickle=False)
    if suffix == ".h5ad":
        try:
            import anndata
        except ImportError as error:
            raise ImportError(
                'reading .h5ad needs anndata: pip install "sparsenmf[h5ad]"'
            ) from error

        try:
            return anndata.read_h5ad(path)
        except OSError:
            raise
        except Exception as error:  # anndata's own classes of errors are not public
            raise ValueError(error) from error
    if suffix == ".npz":
        with zipfile.ZipFile(file) as archive:
            check_members(archive)
            for name in archive.namelist():
                check_array(archive, name)
        return sp.load_npz(path)  # given the name, for its error messages
    size = os.fstat(file.fileno()).st_size
    if suffix == ".mtx":
        return read_market(file, size)
    return read_market(gzip.GzipFile(fileobj=file), DEFLATE_MOST * size)


def check_size(file, n_bytes):
    """Raise if a file has fewer bytes left than its header announces."""
    left = os.fstat(file.fileno()).st_size - file.tell()
    if left < n_bytes:
        raise ValueError(f"its header announces {n_bytes:,} bytes, but {left:,} follow")


def read_vocabulary(path: PathLike) -> list[str]:
    """Read the terms of a matrix's columns from a UTF-8 file, one on each line.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    list of str

    Raises
    ------
    OSError
        If the file cannot be opened.

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
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        return [line.removesuffix("\n") for line in file]


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


def write_factor(path: PathLike, W: FloatArray) -> None:
    """Write a factor to a file, whole or not at all.

    Parameters
    ----------
    path : str or path-like
        ``.npy`` (dense), ``.npz`` (sparse, as `scipy.sparse.save_npz` writes it), or a table as
        in `write_table`, with the columns "topic_1", "topic_2", ...
    W : ndarray of shape (n_samples, n_components)

    Raises
    ------
    ValueError, OSError, ImportError
        As `write_table`.
    """
    path = Path(path)
    check_writable(path, FACTOR_SUFFIXES)
    check_outputs([("path", path)], [("W", W)])
    if path.suffix in TABLE_SUFFIXES:
        write_table(path, dict(zip(component_names(W.shape[1]), W.T, strict=True)))
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
