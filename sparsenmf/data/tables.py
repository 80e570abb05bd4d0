"""Tables and factors to files: csv, tsv, Excel, parquet and NumPy's formats."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from .arguments import check_flag
from .names import component_names
from .outputs import check_folder, check_outputs, open_whole
from .typing import FloatArray, Names, PathLike
from .workbook import import_openpyxl, write_workbook

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet", ".xlsx")

FACTOR_SUFFIXES = (".npy", ".npz", *TABLE_SUFFIXES)

BOM = "\ufeff"  # by which Excel knows that a text is UTF-8


def check_writable(path, suffixes=TABLE_SUFFIXES):
    """Raise if a file could not be written, before there is anything to write.

    Raises
    ------
    ValueError
        If the name has none of the suffixes.
    FileNotFoundError
        If the folder does not exist.
    ImportError
        For ``.parquet`` without pyarrow, or ``.xlsx`` without openpyxl.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in suffixes:
        raise ValueError(
            f"cannot write {path}: its name should end in one of {', '.join(suffixes)}"
        )
    check_folder(path)
    if suffix == ".parquet":
        _import_parquet()
    if suffix == ".xlsx":
        import_openpyxl()


def write_factor(
    path: PathLike, W: FloatArray, sample_names: Names | None = None, *, excel: bool = False
) -> None:
    """Write a factor to a file, whole or not at all.

    Parameters
    ----------
    path : str or path-like
        ``.npy`` (dense), ``.npz`` (sparse, as `scipy.sparse.save_npz` writes it), or a table as
        in `write_table`, with the columns "topic_1", "topic_2", ...
    W : ndarray of shape (n_samples, n_components)
    sample_names : sequence of n_samples str or int, optional
        The first column of a table, "sample".
    excel : bool, default False
        As in `write_table`.

    Raises
    ------
    ValueError, OSError, ImportError
        As `write_table`.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from sparsenmf import files
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "W.csv")
    ...     files.write_factor(path, np.eye(2), ["a", "b"])
    ...     files.read_matrix(path).sample_names.tolist()
    ['a', 'b']
    """
    path = Path(path)
    check_writable(path, FACTOR_SUFFIXES)
    check_outputs([("path", path)], [("W", W)])
    suffix = path.suffix.lower()
    if suffix in TABLE_SUFFIXES:
        named = {} if sample_names is None else {"sample": np.asarray(sample_names).tolist()}
        columns = named | dict(zip(component_names(W.shape[1]), W.T, strict=True))
        write_table(path, columns, excel=excel)
        return
    with open_whole(path) as file:
        if suffix == ".npy":
            np.lib.format.write_array(file, W, allow_pickle=False)
        else:
            sp.save_npz(file, sp.csr_array(W))


def write_table(path: PathLike, columns: Mapping[str, Any], *, excel: bool = False) -> None:
    """Write a table to a file, whole or not at all.

    Parameters
    ----------
    path : str or path-like
        ``.csv``, ``.tsv``, ``.xlsx`` (extra `excel`) or ``.parquet`` (extra `parquet`).
    columns : dict of str -> sequence
        All of one length. None is an empty cell. A list in a cell stays a list in parquet; in
        the other formats its items are joined by "; ". Texts are written unchanged: a spreadsheet
        may take a cell of .csv that begins with "=" for a formula; in .xlsx it stays a text.
    excel : bool, default False
        Whether .csv and .tsv begin with a byte order mark, without which Excel shows the letters
        of UTF-8 wrongly. Where Excel expects semicolons, write .xlsx.

    Raises
    ------
    ValueError
        If the name has another suffix, the columns differ in length, or a sheet of Excel has no
        room for them.
    OSError
        If the folder does not exist or is not writable.
    ImportError
        For ``.parquet`` without pyarrow, or ``.xlsx`` without openpyxl.

    Examples
    --------
    >>> import os, tempfile
    >>> from sparsenmf import files
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "topics.csv")
    ...     files.write_table(path, {"topic": [1], "terms": [["cat", "mouse"]]})
    ...     files.read_vocabulary(path)
    ['topic,terms', '1,cat; mouse']
    """
    path = Path(path)
    check_writable(path)
    check_flag(excel, "excel")
    check_outputs([("path", path)], columns.items())
    if len({len(column) for column in columns.values()}) > 1:
        lengths = ", ".join(f"{name} {len(column)}" for name, column in columns.items())
        raise ValueError(f"columns differ in length: {lengths}")
    suffix = path.suffix.lower()
    with open_whole(path) as file:
        if suffix == ".parquet":
            pyarrow, parquet = _import_parquet()
            parquet.write_table(pyarrow.table(dict(columns)), file)
        elif suffix == ".xlsx":
            write_workbook(file, columns)
        else:
            text = io.TextIOWrapper(file, encoding="utf-8", newline="")
            write_delimited(text, columns, "\t" if suffix == ".tsv" else ",", excel=excel)
            text.detach()


def write_delimited(file, columns, delimiter=",", *, excel=False):
    """Write a table to an open text file, with cells as in `write_table`."""
    if excel:
        file.write(BOM)
    writer = csv.writer(NewlineFile(file), delimiter=delimiter)
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow("; ".join(cell) if isinstance(cell, list) else cell for cell in row)


def format_delimited(columns, *, excel=False):
    """Return a table as the text of a .csv file, without the end of its last line."""
    text = io.StringIO()
    write_delimited(text, columns, excel=excel)
    return text.getvalue().removesuffix("\n")


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
